"""The code of the guides, and a reader who runs their JavaScript."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from inspect import isawaitable
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.jsclient import JsClient, puppet
from tests.support.process import ROOT

_JS = ROOT / "tests" / "e2e" / "js"
_LIMIT = 30
SHOWN_URL = "http://127.0.0.1:8800"
"""Where the guides have a node."""

_FENCE = re.compile(r"\s*(`{3,}|~{3,})\s*([\w+-]*)")
_EMPTY = re.compile(r"\((\{[^(){}]*\}|\w+)\) => \{\}")
_QUOTED = re.compile(r'"([\w:-]+)"')


class Block(NamedTuple):
    """One piece of code. ``heading``: of its section, ``language``: nothing where none is named."""

    heading: str
    language: str
    code: str


def every_block(page: Path) -> Iterator[Block]:
    """The blocks of a page."""
    heading, mark, language, code = "", "", "", ""
    for text in page.read_text().splitlines(keepends=True):
        fence = _FENCE.match(text)
        if mark and fence and fence[1].startswith(mark) and not fence[2]:
            yield Block(heading, language, code)
            mark = ""
        elif mark:
            code += text
        elif fence:
            mark, language, code = fence[1], fence[2], ""
        elif text.startswith("## "):
            heading = text.removeprefix("## ").strip()
    assert not mark, f"{page}: a block has no end"


def blocks(page: str, language: str, heading: str | None = None) -> list[str]:
    """A page's code in a language. ``page``: its path in the repository. ``heading``: only that of
    one section; what stands before the first one is in none."""
    return [
        block.code
        for block in every_block(ROOT / page)
        if block.language == language and heading in (None, block.heading)
    ]


def commands(block: str) -> list[str]:
    """What a block of the console has one type, a line each."""
    return [each.removeprefix("$ ") for each in block.splitlines() if each.startswith("$ ")]


def command(block: str) -> tuple[str, str]:
    """What a block of the console has one type, on several lines, and the JSON that it shows as the
    answer."""
    typed, _, answer = block.removeprefix("$ ").rpartition("\n{")
    return typed, "{" + answer.strip()


def filled(code: str) -> str:
    """JavaScript in which each function that the guide leaves empty tells what it is given, by the
    name that stands before it."""
    return "".join(map(_filled, code.splitlines(keepends=True)))


def _filled(text: str) -> str:
    empty = _EMPTY.search(text)
    if empty is None:
        return text
    name = _QUOTED.findall(text, 0, empty.start())[-1]
    body = f'({empty[1]}) => tell("{name}", {empty[1]})'
    return text[: empty.start()] + body + text[empty.end() :]


async def run_python(code: str, **names: Any) -> dict[str, Any]:
    """Runs what may wait at its top, as in ``python -m asyncio``; all names that there are then."""
    running = eval(compile(code, "guide", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    if isawaitable(running):
        await running
    return names


async def shell(typed: str, given: str = "", **env: str) -> str:
    """What a shell says; ``python`` is this one. ``given``: what it can read."""
    return await _said("bash", "-ec", typed, given=given, **env)


async def run_with_redis(folder: Path, url: str, code: str) -> None:
    """Runs JavaScript that has a client of Redis, as a module."""
    script = folder / "guide.mjs"
    script.write_text(f'import {{ redis }} from "{_JS}/redis.mjs";\n{code}\nredis.end();\n')
    await _said("node", str(script), url)


async def _said(*argv: str, given: str = "", **env: str) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = await asyncio.create_subprocess_exec(
        *argv, cwd=ROOT, env=os.environ | {"PATH": path} | env, stdin=PIPE, stdout=PIPE, stderr=PIPE
    )
    async with asyncio.timeout(_LIMIT):
        out, errors = await process.communicate(given.encode())
    assert process.returncode == 0, (argv, errors.decode()[-2000:])
    return out.decode()


class Reader(JsClient):
    """Runs a guide's JavaScript under Node, where ``io`` is the stock client's and ``tell`` is for
    the functions that are the reader's own."""

    async def run(self, code: str) -> None:
        """Runs a piece; it knows what the pieces before declared."""
        assert await self.do("run", code) is None

    async def run_waiting(self, code: str) -> None:
        """Runs a piece that waits at its top; what it declares is its own."""
        await self.run(f"(async () => {{\n{code}\n}})()")

    async def value(self, code: str) -> Any:
        """What an expression gives."""
        return await self.do("value", code)

    def told(self, name: str) -> list[Any]:
        """All that was told by this name."""
        return [given for about, given in self.named("told") if about == name]

    async def hears(self, name: str, count: int = 1) -> Any:
        """Waits until something was told so often by this name; gives the last of it."""
        await self.until(lambda _: len(self.told(name)) >= count)
        assert len(self.told(name)) == count, self.told(name)
        return self.told(name)[-1]


@asynccontextmanager
async def reader(**given: Any) -> AsyncIterator[Reader]:
    """One reader. ``given``: global variables."""
    async with puppet(Reader, _JS / "reader.mjs", given) as made:
        yield made
