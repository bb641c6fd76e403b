"""What the fuzzer sends: mostly nearly right, because what is plainly wrong is refused at once."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from typing import Any, Final, TypeVar

from tests.hub.gateways.websocket.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, masked

Chance = TypeVar("Chance")

JOB: Final = "fuzzed"
_COMMANDS: Final = (
    "subscribe", "unsubscribe", "notifications:list", "notifications:mark", "auth:refresh",
    "connect", "disconnect", "connect_error", "nonsense", "", "__proto__", "stats", "kick",
)  # fmt: skip
_CHANNELS: Final = (
    "all", "user:u1", "user:", f"job:{JOB}", "job:none", "topic:news", "topic:" + "x" * 200, "",
    "job:a/b", "job:*", "job:{$gt:1}", "all:1", "sys:x", "job:\x00", "user:\ud800", "job:é",
)  # fmt: skip
_HEADERS: Final = (
    ("Authorization", "Bearer x.y.z"), ("Authorization", "Bearer " + "e" * 9000),
    ("Cookie", "token=" + "a" * 100), ("Last-Event-ID", "a:b:c:9999999999999999999"),
    ("Accept", "text/event-stream;q=nan, */*;q=inf"), ("If-None-Match", '"' * 50),
    ("Idempotency-Key", "x" * 300), ("Content-Length", "-1"), ("Content-Length", "9" * 20),
    ("Transfer-Encoding", "chunked, chunked"), ("Host", ""), ("Origin", "http://\x7f"),
    ("X-Forwarded-For", "::ffff:1, '"), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "short"), ("Sec-WebSocket-Version", "12"), ("X-\x00", "a"),
)  # fmt: skip
_PATHS: Final = (
    "/socket.io/", "/socket.io/?EIO=4", "/v1/jobs", "/v1/notifications", "/v1/tickets",
    "/v1/publish", "/v1/preferences", f"/v1/jobs/{JOB}/progress", f"/v1/jobs/{JOB}/events",
    "/v1/generation-jobs/%00/progress", "/v1/jobs/%ff%fe/events", "/v1/topics/a%2Fb/subscribers/x",
    "/../../etc/passwd", "/%2e%2e/", "//", "*", "/metrics/../v1/jobs", "/healthz?a=1",
)  # fmt: skip
_QUERIES: Final = (
    "transport=polling&EIO=4", "EIO=3&transport=websocket", "transport=polling&EIO=4&sid=",
    "transport=websocket&EIO=4&sid=%00", "ticket=", "ticket=%ff", "ticket=" + "a" * 65, "token=x",
    "offset=-1", "offset=1e9&epoch=a", "epoch=%F0%28", "limit=1001", "limit=1.0", "cursor=%00.1",
    "cursor=" + "a" * 500, "since=2026-99-99", "type=a&type=%00", "a[b]=1", "&&&==", "%",
    "status=%C3%28", "offset=" + "9" * 400, "cursor=abc.99999999999999999",
)  # fmt: skip


class Malice:
    """The same ``seed`` gives the same packets."""

    def __init__(self, seed: str) -> None:
        self._dice = random.Random(seed)
        self._texts: tuple[Callable[[], bytes], ...] = (
            self._engine_type, self._truncated, self._deep, self._namespace, self._huge_id,
            self._binary, self._no_text, self._noise, self._changed, self._connect,
        )  # fmt: skip

    def pick(self, *chances: Chance) -> Chance:
        """One of them."""
        return self._dice.choice(chances)

    # -- inside of a connection -------------------------------------------------------------------

    def text(self) -> bytes:
        """An Engine.IO packet, most often one that ends the session."""
        return self._dice.choice(self._texts)()

    def command(self) -> bytes:
        """A packet that is one, with a command that is none."""
        number = self.pick("", "0", str(self._dice.randrange(10**9)), "9" * 18)
        name = self._dice.choice(_COMMANDS)
        event: list[Any] = [self.pick(name, name, name, 7, 1.5)]
        event += (self.payload() for _ in range(self.pick(0, 1, 1, 1, 1, 2)))
        return b"42" + number.encode() + json.dumps(event).encode()

    def payload(self) -> Any:
        """What a command may be given."""
        keys = ("channel", "epoch", "offset", "ids", "as", "filter", "limit", "cursor", "token")
        fields = self._dice.sample(keys, self._dice.randrange(4))
        return self.pick({each: self.value() for each in fields}, self.value())

    def value(self) -> Any:
        """Any JSON, of the kinds that somebody did not think of."""
        return self.pick(
            *(None, True, -1, 0, 1.5, 10**30, -(2**63), 2**53, 1e308, "", "x" * 300, "\ud83d"),
            *("\x00", "$where", {"$gt": ""}, {"$ne": None}, [], [[]], ["a"] * 200, {"": {}}),
            *("all", "SEEN", "*", "0197a5d0-0000-7000-8000-000000000001", "1" * 40, "%s%n", "../"),
            *_CHANNELS,
        )

    def body(self) -> bytes:
        """What is POSTed to a polling session."""
        parts = [self.pick(self.text, self.command)() for _ in range(self.pick(1, 1, 2, 20))]
        return self.pick(b"\x1e", b"\x1e", b"", b"\x1e\x1e").join(parts)

    def frames(self) -> bytes:
        """Raw WebSocket frames of a client."""
        text, opcode = self.text(), self._dice.randrange(16)
        return self.pick(
            masked(text, TEXT, reserved=self._dice.randrange(1, 8)),
            masked(text, opcode),
            masked(text, TEXT, size=self._dice.randrange(1 << 40)),
            masked(text, TEXT, fin=False) + masked(text, TEXT),
            masked(text, CONTINUATION),
            masked(b"x" * 126, self.pick(PING, PONG, CLOSE)),
            masked(b"x", PING, fin=False),
            masked(self._dice.randbytes(2), CLOSE),
            masked(b"\x03", CLOSE),
            masked(b"\x03\xe8\xff\xfe", CLOSE),
            masked(text, BINARY),
            bytes((0x81, len(text) & 0x7F)) + text,  # not masked
            struct.pack("!BBQ", 0x81, 0xFF, 1 << 63),
            self._dice.randbytes(self._dice.randrange(1, 200)),
            masked(b"\xff\xfe\xed\xa0\x80", TEXT),
            masked(b"x" * 70_000, TEXT),
        )

    # -- requests ---------------------------------------------------------------------------------

    def request(self) -> bytes:
        """An HTTP request, or what looks like one."""
        dice = self._dice
        method = self.pick("GET", "GET", "POST", "PUT", "DELETE", "OPTIONS", "GE T", "\x16\x03\x01")
        target = dice.choice(_PATHS)
        target += ("&" if "?" in target else "?") + dice.choice(_QUERIES)
        lines = [f"{method} {target} HTTP/{self.pick('1.1', '1.1', '1.0', '9.9')}", "Host: x"]
        lines += (": ".join(dice.choice(_HEADERS)) for _ in range(dice.randrange(4)))
        content = self.pick(b"", self.body(), json.dumps(self.payload()).encode())
        lines.append(f"Content-Length: {len(content)}")
        said = "\r\n".join([*lines, "", ""]).encode(errors="surrogatepass") + content
        return self.pick(said, said, said, said[: dice.randrange(1, len(said))])

    # -- kinds of packets -------------------------------------------------------------------------

    def _engine_type(self) -> bytes:
        return self.pick(b"", b"7", b"9", b"/", b"0{}", b"2probe", b"5", b"6", b"1", b"x" * 100)

    def _truncated(self) -> bytes:
        whole = self.command()
        return whole[: self._dice.randrange(2, len(whole) + 1)]

    def _deep(self) -> bytes:
        depth = self.pick(20, 500, 5000, 30_000)
        opening, closing = self.pick((b"[", b"]"), (b'{"a":', b"}"))
        middle = b"1" if self._dice.random() < 0.5 else b""
        return b'42["subscribe",' + (opening * depth + middle + closing * depth)[:60_000] + b"]"

    def _namespace(self) -> bytes:
        name = self.pick("/x", "/" + "y" * 500, "/admin", "/,", "/\x00", "//", "/a?token=x", "/é")
        return f"{self.pick('40', '41', '42', '43')}{name},{self.pick('', '{}', '[]')}".encode()

    def _huge_id(self) -> bytes:
        return b"42" + b"9" * self.pick(19, 100, 40_000) + b'["subscribe",{}]'

    def _binary(self) -> bytes:
        count = self.pick(b"1", b"0", b"11", b"99999999999", b"-1", b"")
        placeholder = (
            b'{"_placeholder":true,"num":' + self.pick(b"0", b"-1", b"1e9", b"null") + b"}"
        )
        return self.pick(b"45", b"46", b"4") + count + b'-["subscribe",' + placeholder + b"]"

    def _no_text(self) -> bytes:
        half = self.pick(b"\\ud800", b"\\udfff", b"\\u0000")
        return self.pick(
            b"42\xff\xfe",
            b'42["\xed\xa0\x80"]',
            b'421["subscribe",{"channel":"job:' + half + b'"}]',
            b'421["' + half + b'",{}]',
            b'421["subscribe",{"' + half + b'":1}]',
            b'421["notifications:mark",{"ids":["' + half + b'"],"as":"SEEN"}]',
            b'421["subscribe",NaN]',
            b'421["subscribe",Infinity]',
            b"b" + half,
            b"bAAA=A",
        )

    def _noise(self) -> bytes:
        return b"4" + self._dice.randbytes(self._dice.randrange(64))

    def _changed(self) -> bytes:
        said = bytearray(self.command())
        for _ in range(self.pick(1, 1, 3)):
            said[self._dice.randrange(len(said))] = self._dice.randrange(256)
        return bytes(said)

    def _connect(self) -> bytes:
        auth = self.pick(
            {"token": "x"}, {"token": 1}, {"token": None, "channels": {"a": 1}}, {"pid": {}}, [], 7,
            {"channels": {name: {"offset": -1} for name in _CHANNELS}}, {"offset": "a" * 5000},
        )  # fmt: skip
        return b"40" + json.dumps(auth).encode()
