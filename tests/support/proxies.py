"""The real HAProxy and nginx with the shipped configurations, in front of addresses of a test."""

from __future__ import annotations

import asyncio
import os
import shutil
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from hub import ports
from tests.support.process import ROOT

SHIPPED = {name: ROOT / "config" / "proxy" / name for name in ("haproxy.cfg", "nginx.conf")}
PROXIES = ("haproxy", "nginx")

_EXAMPLES = ("10.0.0.11:8800", "10.0.0.12:8800")
_LISTENS = {"haproxy": "bind *:80\n", "nginx": "listen 80;\n"}


def program(name: str) -> str:
    """Where the proxy is installed; also where only root looks."""
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/usr/local/sbin")
    assert found is not None, f"{name} is not installed: `make proxies` does it on Debian"
    return found


def adapted(name: str, port: int, nodes: Sequence[int], folder: Path) -> str:
    """The shipped configuration, with our addresses instead of its examples."""
    shipped = SHIPPED["haproxy.cfg" if name == "haproxy" else "nginx.conf"].read_text()
    changes = {example: f"127.0.0.1:{node}" for example, node in zip(_EXAMPLES, nodes, strict=True)}
    listen = _LISTENS[name]
    changes[listen] = listen.replace("*:80" if name == "haproxy" else "80", f"127.0.0.1:{port}")
    if name == "nginx":
        changes["/var/log/nginx/access.log"] = str(folder / "access.log")
    text = shipped
    for example, ours in changes.items():
        assert example in shipped, f"{example!r} is not in the shipped configuration"
        text = text.replace(example, ours)
    return text


def _command(name: str, config: Path) -> list[str]:
    if name == "haproxy":
        return [program(name), "-db", "-f", str(config)]
    own = f"daemon off; pid {config.parent / 'nginx.pid'};"
    return [program(name), "-p", str(config.parent), "-c", str(config), "-e", "stderr", "-g", own]


class Proxy:
    """A proxy in front of these ports. It keeps its own port over restarts."""

    def __init__(self, name: str, nodes: Sequence[int], folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.port = ports.free_port()
        self._name = name
        self._log = folder / "log"
        self._config = folder / "proxy.conf"
        self._config.write_text(adapted(name, self.port, nodes, folder))
        self._process: Process | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Starts it (again); returns once it listens."""
        with self._log.open("ab") as log:
            self._process = process = await asyncio.create_subprocess_exec(
                *_command(self._name, self._config), stdout=log, stderr=log
            )
        await _listening(process, self.port, self._log)

    async def kill(self) -> None:
        """``kill -9``, and waits for the end."""
        assert self._process is not None, "not started"
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM, and waits for the end."""
        if self._process is not None:
            if self._process.returncode is None:
                self._process.terminate()
            await self._process.wait()


@asynccontextmanager
async def proxy(name: str, nodes: Sequence[int], folder: Path) -> AsyncIterator[str]:
    """A running proxy in front of these ports; gives its URL."""
    made = Proxy(name, nodes, folder)
    try:
        await made.start()
        yield made.url
    finally:
        await made.stop()


async def _listening(process: Process, port: int, log: Path) -> None:
    async with asyncio.timeout(10):
        while not await ports.is_listening(port):
            assert process.returncode is None, log.read_text()
            await asyncio.sleep(0.02)
