"""Socket.IO protocol 5 over Engine.IO. The heartbeat of ``sio`` is so slow that a connection which
ends was ended by what the client sent."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from tests.conformance.raw import Endpoint, Socket

pytestmark = pytest.mark.timeout(15)

CONNECT_TIMEOUT = 1.0
SLACK = 1.0
PLACEHOLDERS = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'


async def dial(sio: Endpoint) -> Socket:
    """A connection without any namespace."""
    socket, _ = await sio.dial_open()
    return socket


async def join(socket: Socket, prefix: str = "", auth: str = "") -> str:
    """Connects to a namespace; the sid there. ``prefix``: its name and a comma, or nothing."""
    await socket.send(f"40{prefix}{auth}")
    answer = await socket.heard()
    assert isinstance(answer, str)
    assert answer.startswith(f"40{prefix}{{")
    said = json.loads(answer[2 + len(prefix) :])
    assert list(said) == ["sid"]
    assert await socket.heard() == f'42{prefix}["auth",{auth or "{}"}]'
    return str(said["sid"])


async def connected(sio: Endpoint) -> Socket:
    """A connection to the main namespace."""
    socket = await dial(sio)
    await join(socket)
    return socket


async def works(socket: Socket) -> None:
    """Checks that the main namespace still answers, and that nothing came before."""
    await socket.send('42["message","still here"]')
    assert await socket.heard() == '42["message-back","still here"]'


async def ended(socket: Socket) -> None:
    """Checks that the connection is closed, without another word."""
    assert await socket.heard() is None


class TestConnect:
    async def test_main_namespace(self, sio: Endpoint) -> None:
        await join(await dial(sio))

    async def test_with_auth(self, sio: Endpoint) -> None:
        await join(await dial(sio), auth='{"token":"123"}')

    async def test_custom_namespace(self, sio: Endpoint) -> None:
        await join(await dial(sio), "/custom,")

    async def test_custom_namespace_with_auth(self, sio: Endpoint) -> None:
        await join(await dial(sio), "/custom,", '{"token":"abc"}')

    async def test_the_comma_may_be_missing_at_the_end(self, sio: Endpoint) -> None:
        socket = await dial(sio)
        await socket.send("40/custom")
        answer = await socket.heard()
        assert isinstance(answer, str)
        assert answer.startswith('40/custom,{"sid":')

    async def test_custom_namespace_with_a_query(self, sio: Endpoint) -> None:
        socket = await dial(sio)
        await socket.send('40/custom?token=abc,{"a":1}')
        answer = await socket.heard()
        assert isinstance(answer, str)
        assert answer.startswith('40/custom,{"sid":')
        assert await socket.heard() == '42/custom,["auth",{"a":1}]'

    async def test_both_on_one_connection(self, sio: Endpoint) -> None:
        socket = await dial(sio)
        assert await join(socket) != await join(socket, "/custom,")
        await works(socket)
        await socket.send('42/custom,["message",1]')
        assert await socket.heard() == '42/custom,["message-back",1]'

    async def test_sids_tell_nothing_of_the_session(self, sio: Endpoint) -> None:
        socket, said = await sio.dial_open()
        assert await join(socket) != said["sid"]

    @pytest.mark.parametrize("packet", ["40/random", "40/random,", '40/random,{"token":"1"}'])
    async def test_unknown_namespace(self, sio: Endpoint, packet: str) -> None:
        socket = await dial(sio)
        await socket.send(packet)
        assert await socket.heard() == '44/random,{"message":"Invalid namespace"}'
        await join(socket)

    async def test_over_polling(self, sio: Endpoint) -> None:
        sid = await sio.open()
        assert (await sio.post(sid, '40{"token":"123"}')).body == "ok"
        first, second = (await sio.get(sid)).body.split("\x1e")
        assert first.startswith('40{"sid":')
        assert second == '42["auth",{"token":"123"}]'

    async def test_twice(self, sio: Endpoint) -> None:
        socket = await connected(sio)
        await socket.send("40")
        await ended(socket)

    @pytest.mark.parametrize(
        "packet",
        ["4abc", "4", "40[]", '40"token"', "40123", "40null", "40true", "40{", "40/custom,[]"],
    )
    async def test_with_an_invalid_packet(self, sio: Endpoint, packet: str) -> None:
        socket = await dial(sio)
        await socket.send(packet)
        await ended(socket)

    @pytest.mark.parametrize(
        "packet",
        [
            '42["message","too early"]',
            '421["message-with-ack"]',
            "431[]",
            "41",
            '44{"message":"no"}',
            '451-["message",{"_placeholder":true,"num":0}]',
            '461-1[{"_placeholder":true,"num":0}]',
            b"\1",
        ],
    )
    async def test_anything_before_it(self, sio: Endpoint, packet: str | bytes) -> None:
        socket = await dial(sio)
        await socket.send(packet)
        await ended(socket)

    async def test_an_event_for_another_namespace(self, sio: Endpoint) -> None:
        socket = await connected(sio)
        await socket.send('42/custom,["message","not mine"]')
        await ended(socket)

    async def test_never(self, sio: Endpoint) -> None:
        started = time.monotonic()
        socket = await dial(sio)
        await ended(socket)
        assert CONNECT_TIMEOUT - 0.1 < time.monotonic() - started < CONNECT_TIMEOUT + SLACK

    async def test_never_by_polling(self, sio: Endpoint) -> None:
        started = time.monotonic()
        sid = await sio.open()
        assert (await sio.get(sid)).body == "1"
        assert CONNECT_TIMEOUT - 0.1 < time.monotonic() - started < CONNECT_TIMEOUT + SLACK
        assert (await sio.get(sid)).status == 400

    async def test_never_after_a_refusal(self, sio: Endpoint) -> None:
        started = time.monotonic()
        socket = await dial(sio)
        await socket.send("40/random")
        assert await socket.heard() == '44/random,{"message":"Invalid namespace"}'
        await ended(socket)
        assert time.monotonic() - started < CONNECT_TIMEOUT + SLACK

    async def test_in_time(self, sio: Endpoint) -> None:
        socket = await connected(sio)
        await asyncio.sleep(CONNECT_TIMEOUT + 0.2)
        await works(socket)


class TestDisconnect:
    async def test_main_namespace(self, quick: Endpoint) -> None:
        """The connection itself goes on: what comes next is the heartbeat."""
        socket, _ = await quick.dial_open()
        await join(socket)
        await socket.send("41")
        assert await socket.frame() == "2"

    async def test_custom_namespace_keeps_the_main_one(self, sio: Endpoint) -> None:
        socket = await connected(sio)
        await join(socket, "/custom,")
        await socket.send("41/custom,")
        await works(socket)
        await socket.send('42/custom,["message"]')
        await ended(socket)

    async def test_the_comma_may_be_missing(self, sio: Endpoint) -> None:
        socket = await connected(sio)
        await join(socket, "/custom,")
        await socket.send("41/custom")
        await works(socket)

    async def test_main_namespace_keeps_the_custom_one(self, sio: Endpoint) -> None:
        socket = await connected(sio)
        await join(socket, "/custom,")
        await socket.send("41", '42/custom,["message"]')
        assert await socket.heard() == '42/custom,["message-back"]'
        await socket.send('42["message"]')
        await ended(socket)

    async def test_and_connect_again(self, sio: Endpoint) -> None:
        socket = await dial(sio)
        first = await join(socket)
        await socket.send("41")
        assert await join(socket) != first
        await works(socket)

    async def test_twice(self, sio: Endpoint) -> None:
        socket = await connected(sio)
        await join(socket, "/custom,")
        await socket.send("41/custom,", "41/custom,")
        await ended(socket)

    async def test_and_never_connect_again(self, sio: Endpoint) -> None:
        socket = await connected(sio)
        started = time.monotonic()
        await socket.send("41")
        await ended(socket)
        assert CONNECT_TIMEOUT - 0.1 < time.monotonic() - started < CONNECT_TIMEOUT + SLACK

    async def test_with_a_payload(self, sio: Endpoint) -> None:
        socket = await connected(sio)
        await socket.send('41{"a":1}')
        await ended(socket)


class TestEvents:
    @pytest.mark.parametrize(
        "args",
        ["", ',1,"2",{"3":[true]}', ",null", ',"Autenticação 🎉"', ",[],{}", ',-1.5,"\\""'],
    )
    async def test_come_back(self, sio: Endpoint, args: str) -> None:
        socket = await connected(sio)
        await socket.send(f'42["message"{args}]')
        assert await socket.heard() == f'42["message-back"{args}]'

    async def test_with_spaces(self, sio: Endpoint) -> None:
        socket = await connected(sio)
        await socket.send('42[ "message" , {"a" : 1} ]')
        assert await socket.heard() == '42["message-back",{"a":1}]'

    @pytest.mark.parametrize("ack", ["0", "1", "456", "9007199254740991"])
    async def test_with_an_acknowledgement(self, sio: Endpoint, ack: str) -> None:
        socket = await connected(sio)
        await socket.send(f'42{ack}["message-with-ack",1,"2",{{"3":[false]}}]')
        assert await socket.heard() == f'43{ack}[1,"2",{{"3":[false]}}]'

    async def test_with_an_empty_acknowledgement(self, sio: Endpoint) -> None:
        socket = await connected(sio)
        await socket.send('421["message-with-ack"]')
        assert await socket.heard() == "431[]"

    async def test_in_a_custom_namespace(self, sio: Endpoint) -> None:
        socket = await dial(sio)
        await join(socket, "/custom,")
        await socket.send('42/custom,12["message-with-ack","a"]', '42/custom,["message","b"]')
        assert await socket.heard() == '43/custom,12["a"]'
        assert await socket.heard() == '42/custom,["message-back","b"]'

    async def test_in_order(self, sio: Endpoint) -> None:
        socket = await connected(sio)
        numbers = range(200)
        await socket.send(*(f'42{number}["message-with-ack",{number}]' for number in numbers))
        for number in numbers:
            assert await socket.heard() == f"43{number}[{number}]"

    async def test_by_polling(self, sio: Endpoint) -> None:
        sid = await sio.open()
        await sio.post(sid, "40")
        await sio.get(sid)
        await sio.post(sid, '42["message",1]\x1e427["message-with-ack",2]')
        assert (await sio.get(sid)).body == '42["message-back",1]\x1e437[2]'

    async def test_during_an_upgrade(self, sio: Endpoint) -> None:
        sid = await sio.open()
        await sio.post(sid, "40")
        await sio.get(sid)
        socket = await sio.dial(sid)
        await socket.send("2probe")
        assert await socket.frame() == "3probe"
        await sio.post(sid, '42["message",1]')
        await socket.send("5", '42["message",2]')
        assert await socket.heard() == '42["message-back",1]'
        assert await socket.heard() == '42["message-back",2]'

    async def test_unknown_acknowledgements_are_ignored(self, sio: Endpoint) -> None:
        socket = await connected(sio)
        await socket.send("431[]", '432["a"]', "43[]")
        await works(socket)

    @pytest.mark.parametrize("name", ["connect", "connect_error", "disconnect", "disconnecting"])
    async def test_reserved_names_do_nothing(self, sio: Endpoint, name: str) -> None:
        socket = await connected(sio)
        await socket.send(f'42["{name}",{{"token":"mine"}}]')
        await works(socket)

    @pytest.mark.parametrize(
        "packet",
        [
            "4abc",
            "4",
            "42",
            "42{}",
            "42[]",
            "42null",
            "42123",
            '42"message"',
            "42[null]",
            "42[{}]",
            "42[[]]",
            "42[true]",
            '42["message"',
            "42['message']",
            '42["message"]]',
            '42["message",NaN]',
            '42["message",Infinity]',
            '42abc["message-with-ack",1,"2",{"3":[false]}]',
            '42-1["message"]',
            '421.5["message"]',
            '421-["message"]',
            '42٣["message"]',
            '4212345678901234567890["message"]',
            '42["message"' + ",[" * 50_000 + "]" * 50_001,
            "43",
            "431",
            "43{}",
            "431{}",
            '44{"message":"no"}',
            "47[]",
            '4٢["message"]',
        ],
        ids=lambda packet: packet[:24],
    )
    async def test_invalid_packets_end_the_connection(self, sio: Endpoint, packet: str) -> None:
        socket = await connected(sio)
        await socket.send(packet)
        await ended(socket)

    async def test_an_invalid_packet_ends_a_polling_connection(self, sio: Endpoint) -> None:
        sid = await sio.open()
        await sio.post(sid, "40")
        assert (await sio.post(sid, "42{}")).status == 400
        assert (await sio.get(sid)).status == 400


class TestBinary:
    async def test_event(self, sio: Endpoint) -> None:
        socket = await connected(sio)
        await socket.send(f'452-["message",{PLACEHOLDERS}]', b"\1\2\3", b"\4\5\6")
        assert await socket.heard() == f'452-["message-back",{PLACEHOLDERS}]'
        assert [await socket.heard(), await socket.heard()] == [b"\1\2\3", b"\4\5\6"]

    async def test_event_with_an_acknowledgement(self, sio: Endpoint) -> None:
        socket = await connected(sio)
        await socket.send(f'452-789["message-with-ack",{PLACEHOLDERS}]', b"\1\2\3", b"\4\5\6")
        assert await socket.heard() == f"462-789[{PLACEHOLDERS}]"
        assert [await socket.heard(), await socket.heard()] == [b"\1\2\3", b"\4\5\6"]

    async def test_in_a_custom_namespace(self, sio: Endpoint) -> None:
        socket = await dial(sio)
        await join(socket, "/custom,")
        await socket.send(f'452-/custom,7["message-with-ack",{PLACEHOLDERS}]', b"", b"b")
        assert await socket.heard() == f"462-/custom,7[{PLACEHOLDERS}]"
        assert [await socket.heard(), await socket.heard()] == [b"", b"b"]

    async def test_in_depth_and_out_of_order(self, sio: Endpoint) -> None:
        socket = await connected(sio)
        second, first = '{"_placeholder":true,"num":1}', '{"_placeholder":true,"num":0}'
        await socket.send(f'452-["message",{{"a":[{second}]}},1,{first}]', b"first", b"second")
        assert await socket.heard() == f'452-["message-back",{{"a":[{first}]}},1,{second}]'
        assert [await socket.heard(), await socket.heard()] == [b"second", b"first"]

    async def test_between_others(self, sio: Endpoint) -> None:
        socket = await connected(sio)
        header = '451-["message",{"_placeholder":true,"num":0}]'
        await socket.send('42["message",1]', header, b"\1", '42["message",2]')
        expected = [
            '42["message-back",1]',
            '451-["message-back",{"_placeholder":true,"num":0}]',
            b"\1",
            '42["message-back",2]',
        ]
        assert [await socket.heard() for _ in expected] == expected

    async def test_by_polling(self, sio: Endpoint) -> None:
        sid = await sio.open()
        await sio.post(sid, "40")
        await sio.get(sid)
        assert (await sio.post(sid, f'452-["message",{PLACEHOLDERS}]\x1ebAQID')).body == "ok"
        assert (await sio.post(sid, "bBAUG")).body == "ok"
        echoed = (await sio.get(sid)).body.split("\x1e")
        assert echoed == [f'452-["message-back",{PLACEHOLDERS}]', "bAQID", "bBAUG"]

    async def test_acknowledgement_of_the_client(self, sio: Endpoint) -> None:
        socket = await connected(sio)
        await socket.send('461-5[{"_placeholder":true,"num":0}]', b"\1")
        await works(socket)

    async def test_ping_between_the_parts(self, quick: Endpoint) -> None:
        """The heartbeat is Engine.IO's and may come between."""
        socket = await connected(quick)
        await socket.send('451-["message",{"_placeholder":true,"num":0}]')
        assert await socket.frame() == "2"
        await socket.send("3", b"\1")
        assert await socket.heard() == '451-["message-back",{"_placeholder":true,"num":0}]'
        assert await socket.heard() == b"\1"

    @pytest.mark.parametrize(
        "packets",
        [
            [b"\1"],
            [f'452-["message",{PLACEHOLDERS}]', '42["message"]'],
            [f'452-["message",{PLACEHOLDERS}]', b"\1", "41"],
            [f'452-["message",{PLACEHOLDERS}]', b"\1", b"\2", b"\3"],
            ['451-["message",{"_placeholder":true,"num":1}]', b"\1"],
            ['451-["message",{"_placeholder":true,"num":-1}]', b"\1"],
            ['451-["message",{"_placeholder":true,"num":"0"}]', b"\1"],
            ['451-["message",{"_placeholder":true}]', b"\1"],
            ['45["message"]'],
            ['45-["message"]'],
            ['450-["message"]'],
            ['45-1-["message"]'],
            ['4511-["message"]'],
            ["451-{}", b"\1"],
            ["451-[]", b"\1"],
            ["451-", b"\1"],
            ['461-["no list"', b"\1"],
        ],
        ids=lambda packets: str(packets[0])[:32],
    )
    async def test_invalid(self, sio: Endpoint, packets: list[str | bytes]) -> None:
        socket = await connected(sio)
        await socket.send(*packets)
        frames: list[Any] = []
        while (frame := await socket.heard()) is not None:
            frames.append(frame)
        whole = packets[-1] == b"\3"  # only there something was in order before
        assert len(frames) == (3 if whole else 0)


class TestEngine:
    """What the Socket.IO endpoint has of Engine.IO; ``test_engineio`` has the rest."""

    async def test_handshake(self, quick: Endpoint) -> None:
        _, said = await quick.dial_open()
        del said["sid"]
        expected = {
            "upgrades": [],
            "pingInterval": 300,
            "pingTimeout": 200,
            "maxPayload": 1_000_000,
        }
        assert said == expected

    async def test_heartbeat_before_connect(self, quick: Endpoint) -> None:
        sid = await quick.open()
        for _ in range(3):
            assert (await quick.get(sid)).body == "2"
            assert (await quick.post(sid, "3")).body == "ok"

    async def test_silence(self, quick: Endpoint) -> None:
        socket = await connected(quick)
        await socket.closed()
