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


@asynccontextmanager
async def proxy(name: str, nodes: Sequence[int], folder: Path) -> AsyncIterator[str]:
    """A running proxy in front of these ports; gives its URL."""
    port = ports.free_port()
    folder.mkdir(exist_ok=True)
    config = folder / "proxy.conf"
    config.write_text(adapted(name, port, nodes, folder))
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *_command(name, config), stdout=log, stderr=log
        )
    try:
        await _listening(process, port, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listening(process: Process, port: int, log: Path) -> None:
    async with asyncio.timeout(10):
        while not await ports.is_listening(port):
            assert process.returncode is None, log.read_text()
            await asyncio.sleep(0.02)
