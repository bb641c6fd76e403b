"""What Socket.IO clients of another process send and get is held against the documents, packet by
packet as they say it (``js/overhear.mjs``). ``python -m tests.support.overheard`` reads that from
its standard input and says what does not fit."""

from __future__ import annotations

import json
import re
import sys
from asyncio import StreamReader
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from yarl import URL

from tests.support import protocol

TO_FILE: Final = Path(__file__).with_name("js") / "to_file.mjs"
"""A script that node imports before another one is overheard into a file."""

_PACKET: Final = re.compile(r"([0234])(?:(/[^,]*),)?(\d*)(.*)", re.DOTALL)
_CONNECT, _EVENT, _CONNECT_ERROR = "024"

_Place = tuple[int | str, str, str]  # line, namespace, number of the question


class Overheard:
    """The lines of one process."""

    def __init__(self) -> None:
        self._asked: dict[_Place, Any] = {}

    def take(self, line: int | str, sent: bool, packet: str) -> None:
        """A packet went over a line."""
        if (parts := _PACKET.fullmatch(packet)) is None:
            return  # of what a document says nothing: a disconnect, something binary
        kind, namespace, number, rest = parts.groups()
        data = json.loads(rest or "null")
        if sent:
            if kind == _CONNECT or (kind == _EVENT and number):
                self._asked[line, namespace, number] = data
            return
        self._came(kind, (line, namespace, number), data)

    def _came(self, kind: str, place: _Place, data: Any) -> None:
        namespace = place[1] or "/"
        if kind == _CONNECT:
            protocol.connected(namespace, self._asked.pop(place, None), data)
        elif kind == _CONNECT_ERROR:
            protocol.refused(namespace, data)
        elif kind == _EVENT:
            protocol.told(namespace, data[0], data[1:])
        elif asked := self._asked.pop(place, None):
            name, payload = [*asked, None][:2]
            protocol.answered(namespace, name, payload, *data)


async def entries(said: StreamReader) -> AsyncIterator[list[Any]]:
    """What a process says, a JSON array per line, until it ends; ``["packet", …]`` is overheard."""
    overheard = Overheard()
    async for line in said:
        if not line.endswith(b"\n"):
            return  # it was killed in the middle of it
        entry = json.loads(line)
        if entry[0] == "packet":
            overheard.take(*entry[1:])
        else:
            yield entry


def read(lines: Iterable[str]) -> None:
    """Takes the packets of a process that has ended."""
    overheard = Overheard()
    for line in lines:
        what, *rest = json.loads(line)
        match what:
            case "http":
                _answered(*rest)
            case "raw":
                protocol.streamed("websocket", json.loads(*rest))
            case _:
                overheard.take(what, *rest)


class Answer(Struct):
    """An HTTP answer that another process got."""

    method: str
    url: URL
    status: int
    content_type: str

    @property
    def ok(self) -> bool:
        """Whether it is no refusal."""
        return self.status < 400


def _answered(method: str, url: str, asked: str | None, status: int, type_: str, said: str) -> None:
    answer = Answer(method, URL(url), status, type_.partition(";")[0].strip())
    protocol.served(answer, json.loads(said))
    protocol.asked(answer, None if asked is None else json.loads(asked))


def main() -> int:
    """The exit status: 1 if something does not fit."""
    read(sys.stdin)
    misfits = dict.fromkeys(protocol.take())
    for each in misfits:
        print(each)
    return bool(misfits)


if __name__ == "__main__":
    sys.exit(main())
