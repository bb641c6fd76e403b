"""Engine.IO protocol 4, both transports. Tests with ``eio`` run with a brisk and with a patient
heartbeat: a session that an error must end does not live on until a ping timeout."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.conformance.conftest import PATIENT, serving
from tests.conformance.raw import Answer, Endpoint, endpoint, polling

pytestmark = pytest.mark.timeout(15)

MAX_PAYLOAD = 1_000_000
BAD_TEXT = ["abc", "", "7", "9hello", "0", "2", "5", "6", "bA", "b$$$$"]
SLACK = 1.0
"""Seconds that a busy machine may be late."""


def refused(answer: Answer, code: int) -> None:
    """A 400 that says why, as the reference server says it."""
    assert answer.status == 400
    assert json.loads(answer.body)["code"] == code


def check_handshake(said: Any, upgrades: list[str], ping: tuple[int, int]) -> None:
    assert sorted(said) == ["maxPayload", "pingInterval", "pingTimeout", "sid", "upgrades"]
    assert isinstance(said["sid"], str)
    assert said["upgrades"] == upgrades
    assert (said["pingInterval"], said["pingTimeout"]) == ping
    assert said["maxPayload"] == MAX_PAYLOAD


class TestHandshake:
    async def test_polling_opens_a_session(self, brisk: Endpoint) -> None:
        answer = await brisk.request("GET", polling())
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; charset=UTF-8"
        assert answer.body.startswith("0")
        check_handshake(json.loads(answer.body[1:]), ["websocket"], (300, 200))

    async def test_websocket_opens_a_session(self, brisk: Endpoint) -> None:
        _, said = await brisk.dial_open()
        check_handshake(said, [], (300, 200))

    async def test_every_session_has_its_own_id(self, patient: Endpoint) -> None:
        assert len({await patient.open() for _ in range(5)}) == 5

    @pytest.mark.parametrize("version", [None, "", "abc", "3", "5", "44"])
    async def test_another_version(self, patient: Endpoint, version: str | None) -> None:
        query = {"transport": "polling"} | ({} if version is None else {"EIO": version})
        refused(await patient.request("GET", query), 5)
        query["transport"] = "websocket"
        refused(await patient.request("GET", query, headers={"Upgrade": "websocket"}), 5)

    @pytest.mark.parametrize("transport", [None, "", "abc", "constructor", "Polling"])
    async def test_another_transport(self, patient: Endpoint, transport: str | None) -> None:
        query = {"EIO": "4"} | ({} if transport is None else {"transport": transport})
        refused(await patient.request("GET", query), 0)
        refused(await patient.request("GET", query, headers={"Upgrade": "websocket"}), 0)

    async def test_parameters_stay_mandatory_with_a_session(self, patient: Endpoint) -> None:
        sid = await patient.open()
        refused(await patient.request("GET", {"sid": sid, "EIO": "4"}), 0)
        refused(await patient.request("GET", {"sid": sid, "transport": "polling"}), 5)
        assert (await patient.post(sid, "4still here")).body == "ok"

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
    async def test_another_method(self, patient: Endpoint, method: str) -> None:
        refused(await patient.request(method, polling()), 2)

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
    async def test_another_method_with_a_session(self, patient: Endpoint, method: str) -> None:
        sid = await patient.open()
        refused(await patient.request(method, polling(sid)), 2)
        assert (await patient.post(sid, "4still here")).body == "ok"

    async def test_an_unknown_session(self, patient: Endpoint) -> None:
        refused(await patient.get("nobody"), 1)
        refused(await patient.post("nobody", "4hello"), 1)
        assert await patient.refusal("nobody") == 400

    @pytest.mark.parametrize("query", [{"EIO": ""}, {"EIO": "abc"}, {"transport": "abc"}])
    async def test_websocket_refused(self, patient: Endpoint, query: dict[str, str]) -> None:
        assert await patient.refusal(**query) == 400

    async def test_websocket_without_an_upgrade(self, patient: Endpoint) -> None:
        query = {"EIO": "4", "transport": "websocket"}
        refused(await patient.request("GET", query), 3)
        headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
        refused(await patient.request("GET", query, headers=headers), 3)

    async def test_other_origins_may_ask_first(self, patient: Endpoint) -> None:
        origin = {"Origin": "http://elsewhere.test"}
        preflight = await patient.request("OPTIONS", polling(), headers=origin)
        assert preflight.status in (200, 204)
        assert preflight.headers["Access-Control-Allow-Origin"] == origin["Origin"]
        assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
        answer = await patient.request("GET", polling(), headers=origin)
        assert answer.headers["Access-Control-Allow-Origin"] == origin["Origin"]


class TestMessagesByPolling:
    @pytest.mark.parametrize(
        "payload",
        [
            "4hello",
            "4",
            "4test1\x1e4test2\x1e4test3",
            "4hello\x1ebAQIDBA==",
            "bAQIDBA==",
            "4Autenticação 🎉",
            '4{"a":"1\\u001e2"}',
        ],
        ids=["text", "empty", "several", "text+binary", "binary", "unicode", "escaped"],
    )
    async def test_come_back(self, eio: Endpoint, payload: str) -> None:
        sid = await eio.open()
        posted = await eio.post(sid, payload)
        assert (posted.status, posted.body) == (200, "ok")
        assert posted.headers["Content-Type"].startswith("text/plain")
        polled = await eio.get(sid)
        assert (polled.status, polled.body) == (200, payload)
        assert polled.headers["Content-Type"] == "text/plain; charset=UTF-8"

    async def test_any_number_of_packets(self, patient: Endpoint) -> None:
        sid = await patient.open()
        sent = [f"4{number}" for number in range(200)]
        assert (await patient.post(sid, "\x1e".join(sent))).body == "ok"
        got: list[str] = []
        while len(got) < len(sent):
            got += (await patient.get(sid)).body.split("\x1e")
        assert got == sent

    async def test_a_waiting_poll_is_answered(self, patient: Endpoint) -> None:
        sid = await patient.open()
        waiting = asyncio.create_task(patient.get(sid))
        assert (await patient.post(sid, "4hello")).body == "ok"
        assert (await waiting).body == "4hello"

    async def test_a_body_of_unknown_length(self, patient: Endpoint) -> None:
        async def body() -> AsyncIterator[bytes]:
            yield b"4hel"
            yield b"lo"

        sid = await patient.open()
        assert (await patient.post(sid, body())).body == "ok"
        assert (await patient.get(sid)).body == "4hello"

    @pytest.mark.parametrize("payload", [*BAD_TEXT, "4fine\x1eabc", "4fine\x1e", b"4\xff\xfe"])
    async def test_a_bad_payload_ends_the_session(
        self, eio: Endpoint, payload: str | bytes
    ) -> None:
        sid = await eio.open()
        refused(await eio.post(sid, payload), 3)
        refused(await eio.get(sid), 1)
        refused(await eio.post(sid, "4hello"), 1)

    async def test_a_bad_payload_ends_the_waiting_poll(self, patient: Endpoint) -> None:
        sid = await patient.open()
        waiting = asyncio.create_task(patient.get(sid))
        await poll_waits(patient, sid)
        refused(await patient.post(sid, "abc"), 3)
        assert (await waiting).body == "1"

    async def test_two_polls_at_a_time_end_the_session(self, eio: Endpoint) -> None:
        sid = await eio.open()
        answers = await asyncio.gather(eio.get(sid), eio.get(sid))
        assert sorted(answer.status for answer in answers) == [200, 400]
        assert [answer.body for answer in answers if answer.status == 200] == ["1"]
        refused(await eio.get(sid), 1)

    async def test_two_posts_at_a_time_end_the_session(self, patient: Endpoint) -> None:
        reached, go_on = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"4first"
            reached.set()
            await go_on.wait()
            yield b"!"

        sid = await patient.open()
        first = asyncio.create_task(patient.post(sid, slow()))
        await reached.wait()
        while (second := await patient.post(sid, "4second")).status == 200:
            pass  # the server had not yet read the first one's head
        refused(second, 3)
        refused(await patient.get(sid), 1)
        go_on.set()
        await asyncio.wait([first])

    async def test_the_largest_payload(self, patient: Endpoint) -> None:
        sid = await patient.open()
        payload = "4" + "x" * (MAX_PAYLOAD - 1)
        assert (await patient.post(sid, payload)).body == "ok"
        assert (await patient.get(sid)).body == payload

    async def test_a_payload_beyond_it(self, eio: Endpoint) -> None:
        sid = await eio.open()
        assert (await eio.post(sid, "4" + "x" * MAX_PAYLOAD)).status == 413
        refused(await eio.get(sid), 1)


class TestMessagesByWebSocket:
    @pytest.mark.parametrize("text", ["4hello", "4", "4Autenticação 🎉", "4a\x1eb"])
    async def test_text_comes_back(self, eio: Endpoint, text: str) -> None:
        socket, _ = await eio.dial_open()
        await socket.send(text)
        assert await socket.heard() == text

    @pytest.mark.parametrize("size", [0, 4, 125, 126, 65_535, 65_536])
    async def test_binary_comes_back(self, patient: Endpoint, size: int) -> None:
        socket, _ = await patient.dial_open()
        sent = bytes(index % 251 for index in range(size))
        await socket.send(sent)
        assert await socket.heard() == sent

    async def test_order(self, eio: Endpoint) -> None:
        socket, _ = await eio.dial_open()
        sent: list[str | bytes] = [
            f"4{number}" if number % 3 else bytes([number]) for number in range(100)
        ]
        await socket.send(*sent)
        assert [await socket.heard() for _ in sent] == sent

    @pytest.mark.parametrize("text", BAD_TEXT)
    async def test_a_bad_packet_ends_the_session(self, eio: Endpoint, text: str) -> None:
        socket, said = await eio.dial_open()
        await socket.send(text)
        assert await socket.heard() is None
        refused(await eio.get(said["sid"]), 1)

    async def test_what_came_before_a_bad_packet_is_answered(self, patient: Endpoint) -> None:
        socket, _ = await patient.dial_open()
        await socket.send("4fine", "abc", "4never")
        assert [await socket.heard(), await socket.heard()] == ["4fine", None]
        assert socket.close_code == 1000

    async def test_the_largest_message(self, patient: Endpoint) -> None:
        socket, _ = await patient.dial_open()
        largest = "4" + "x" * (MAX_PAYLOAD - 1)
        await socket.send(largest)
        assert await socket.heard() == largest

    async def test_a_message_beyond_it(self, patient: Endpoint) -> None:
        socket, said = await patient.dial_open()
        await socket.send("4" + "x" * MAX_PAYLOAD)
        assert await socket.closed() == 1009
        refused(await patient.get(said["sid"]), 1)


class TestHeartbeat:
    async def test_polling(self, brisk: Endpoint) -> None:
        sid = await brisk.open()
        started = time.monotonic()
        for _ in range(3):
            polled = await brisk.get(sid)
            assert (polled.status, polled.body) == (200, "2")
            assert (await brisk.post(sid, "3")).body == "ok"
        assert 0.85 < time.monotonic() - started < 0.9 + SLACK

    async def test_websocket(self, brisk: Endpoint) -> None:
        socket, _ = await brisk.dial_open()
        started = time.monotonic()
        for _ in range(3):
            assert await socket.frame() == "2"
            await socket.send("3")
        assert 0.85 < time.monotonic() - started < 0.9 + SLACK

    async def test_one_ping_at_a_time(self, brisk: Endpoint) -> None:
        """Messages are no pongs: who only talks is not known to listen."""
        socket, _ = await brisk.dial_open()
        assert await socket.frame() == "2"
        await socket.send("4hello")
        assert await socket.frame() == "4hello"
        assert await socket.frame() is None

    async def test_silence_ends_a_polling_session(self, brisk: Endpoint) -> None:
        sid = await brisk.open()
        await asyncio.sleep(0.6)  # the ping goes out after 0.3, and is waited for 0.2
        refused(await brisk.get(sid), 1)
        refused(await brisk.post(sid, "3"), 1)

    async def test_silence_ends_a_waiting_poll(self, brisk: Endpoint) -> None:
        sid = await brisk.open()
        assert (await brisk.get(sid)).body == "2"
        started = time.monotonic()
        assert (await brisk.get(sid)).body == "1"
        assert time.monotonic() - started < 0.2 + SLACK
        refused(await brisk.get(sid), 1)

    async def test_silence_ends_a_websocket(self, brisk: Endpoint) -> None:
        socket, said = await brisk.dial_open()
        started = time.monotonic()
        await socket.closed()
        assert 0.45 < time.monotonic() - started < 0.5 + SLACK
        refused(await brisk.get(said["sid"]), 1)


class TestClose:
    async def test_by_a_polling_client(self, eio: Endpoint) -> None:
        sid = await eio.open()
        waiting = asyncio.create_task(eio.get(sid))
        await poll_waits(eio, sid)
        closed = await eio.post(sid, "1")
        assert (closed.status, closed.body) == (200, "ok")
        polled = await waiting
        assert (polled.status, polled.body) == (200, "6")
        refused(await eio.get(sid), 1)

    async def test_nothing_after_it_counts(self, patient: Endpoint) -> None:
        sid = await patient.open()
        assert (await patient.post(sid, "4before\x1e1\x1e4after")).body == "ok"
        refused(await patient.get(sid), 1)

    async def test_by_a_packet_on_a_websocket(self, eio: Endpoint) -> None:
        socket, said = await eio.dial_open()
        await socket.send("1")
        assert await socket.closed() == 1000
        refused(await eio.get(said["sid"]), 1)

    async def test_by_closing_the_websocket(self, patient: Endpoint) -> None:
        socket, said = await patient.dial_open()
        await socket.close()
        refused(await patient.get(said["sid"]), 1)

    async def test_by_the_server(self) -> None:
        async with AsyncExitStack() as client:
            async with serving("eio", *PATIENT) as url:
                eio = await client.enter_async_context(endpoint(url, "engine.io"))
                sid = await eio.open()
                waiting = asyncio.create_task(eio.get(sid))
                await poll_waits(eio, sid)
                socket, _ = await eio.dial_open()
            assert (await waiting).body == "1"
            assert await socket.closed() == 1000


class TestUpgrade:
    async def test_from_polling_to_websocket(self, eio: Endpoint) -> None:
        sid = await eio.open()
        socket = await eio.dial(sid)
        await socket.send("2probe")
        assert await socket.frame() == "3probe"
        polled = await eio.get(sid)  # a poll that comes now is not left waiting
        assert (polled.status, polled.body) == (200, "6")
        await socket.send("5", "4hello")
        assert await socket.heard() == "4hello"

    async def test_a_waiting_poll_is_let_go(self, patient: Endpoint) -> None:
        sid = await patient.open()
        waiting = asyncio.create_task(patient.get(sid))
        await poll_waits(patient, sid)
        socket = await patient.dial(sid)
        assert not waiting.done()
        await socket.send("2probe")
        assert (await waiting).body == "6"

    async def test_nothing_is_lost_or_overtakes(self, patient: Endpoint) -> None:
        sid = await patient.open()
        await patient.post(sid, "4one")
        socket = await patient.dial(sid)
        await patient.post(sid, "4two")
        assert (await patient.get(sid)).body == "4one\x1e4two"
        await patient.post(sid, "4three")
        await socket.send("2probe")
        assert await socket.frame() == "3probe"
        assert (await patient.post(sid, "4four")).body == "ok"
        await socket.send("5", "4five")
        assert [await socket.heard() for _ in range(3)] == ["4three", "4four", "4five"]

    async def test_http_is_over_after_it(self, eio: Endpoint) -> None:
        sid = await eio.open()
        socket = await eio.upgraded(sid)
        await socket.send("4hello")
        assert await socket.heard() == "4hello"
        refused(await eio.get(sid), 3)
        refused(await eio.post(sid, "4hello"), 3)
        await socket.send("4hello again")
        assert await socket.heard() == "4hello again"

    async def test_in_one_go(self, patient: Endpoint) -> None:
        sid = await patient.open()
        socket = await patient.dial(sid)
        await socket.send("2probe", "5", "4hello")
        assert [await socket.heard(), await socket.heard()] == ["3probe", "4hello"]
        refused(await patient.get(sid), 3)

    async def test_another_websocket_after_it(self, eio: Endpoint) -> None:
        sid = await eio.open()
        socket = await eio.upgraded(sid)
        await socket.send("4hello")
        assert await socket.heard() == "4hello"
        assert await eio.refusal(sid) == 400
        await socket.send("4hello again")
        assert await socket.heard() == "4hello again"

    async def test_another_websocket_during_it(self, patient: Endpoint) -> None:
        sid = await patient.open()
        socket = await patient.dial(sid)
        assert await patient.refusal(sid) == 400
        await socket.send("2probe")
        assert await socket.frame() == "3probe"
        assert await patient.refusal(sid) == 400
        await socket.send("5", "4hello")
        assert await socket.heard() == "4hello"

    async def test_a_session_by_websocket_has_no_other(self, patient: Endpoint) -> None:
        socket, said = await patient.dial_open()
        refused(await patient.get(said["sid"]), 3)
        refused(await patient.post(said["sid"], "4hello"), 3)
        assert await patient.refusal(said["sid"]) == 400
        await socket.send("4hello")
        assert await socket.heard() == "4hello"

    @pytest.mark.parametrize("probe", ["2prob", "2", "5", "4hello", "abc", b"2probe"])
    async def test_a_wrong_probe(self, patient: Endpoint, probe: str | bytes) -> None:
        sid = await patient.open()
        socket = await patient.dial(sid)
        await socket.send(probe)
        assert await socket.closed() == 1000
        await polls_on(patient, sid)

    @pytest.mark.parametrize("packet", ["4hello", "2probe", "55", b"5", None])
    async def test_an_upgrade_given_up(self, patient: Endpoint, packet: str | bytes | None) -> None:
        sid = await patient.open()
        socket = await patient.dial(sid)
        await socket.send("2probe")
        assert await socket.frame() == "3probe"
        await patient.post(sid, "4kept")
        if packet is None:
            await socket.close()
        else:
            await socket.send(packet)
            assert await socket.closed() == 1000
        while (polled := (await patient.get(sid)).body) == "6":
            pass  # the server has not seen the end of the WebSocket yet
        assert polled == "4kept"
        await polls_on(patient, sid)
        again = await patient.upgraded(sid)
        await again.send("4hello")
        assert await again.heard() == "4hello"

    async def test_the_heartbeat_goes_on(self, brisk: Endpoint) -> None:
        sid = await brisk.open()
        socket = await brisk.upgraded(sid)
        for _ in range(3):
            assert await socket.frame() == "2"
            await socket.send("3")


async def poll_waits(eio: Endpoint, sid: str) -> None:
    """Returns once the server has taken the poll that was just sent on another connection.

    The server takes requests in the order in which they come, so a later one that was answered
    tells; the sleep lets the earlier one leave first, which nothing here can see.
    """
    await asyncio.sleep(0.02)
    assert (await eio.request("OPTIONS", polling(sid))).status < 300


async def polls_on(eio: Endpoint, sid: str) -> None:
    """Checks that the session goes on by polling."""
    assert (await eio.post(sid, "4hello")).body == "ok"
    assert (await eio.get(sid)).body == "4hello"
