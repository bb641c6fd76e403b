"""``python -m hub dev``: the whole system in one command (contract section 1).

A private Redis and MongoDB, the ingest worker, one node and the demo generator, as child
processes of this one, which only supervises. It binds the port itself and hands the socket to the
node, so a node that died comes back on the same address and connections wait instead of failing.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from config.logs import setup_logging
from config.settings import Settings, load_settings
from hub import devfile, ports
from hub.devfile import DevFile
from hub.embedded import EmbeddedError, MongoServer, RedisServer
from hub.listen import listen, url_of
from hub.supervisor import PythonProcess, Service, StartError, Supervisor

_DEFAULTS = {
    "HUB_LOG_FORMAT": "console",
    "HUB_DRAIN_SECONDS": "3",  # somebody waits for Ctrl-C to end
    "HUB_RATE_CONNECTS": "100000/minute",  # everybody is on this machine
}


class DevError(Exception):
    """The system cannot start; the message is one line for the person who typed the command."""


def run(host: str, port: int, data_dir: Path, *, demo: bool) -> None:
    """Run until SIGINT, SIGTERM or SIGHUP, then stop everything and return.

    Raises :class:`DevError`, ``SettingsError`` (a variable that is set is wrong) or ``OSError``
    (the address cannot be had) before anything was started.
    """
    env = {**_DEFAULTS, **os.environ}
    settings = load_settings(env, require=())
    setup_logging(settings.log_level, settings.log_format)
    data_dir = data_dir.absolute()
    with _locked(data_dir), listen(host, port) as sock:
        dev = _Dev(settings, env, data_dir, sock, url_of(sock, host))
        try:
            asyncio.run(dev.run(demo=demo))
        except (StartError, EmbeddedError) as error:
            raise DevError(str(error)) from error


@contextlib.contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    """Hold ``data_dir`` for this process; the kernel lets go of it when the process ends."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        fd = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DevError(f"data directory {data_dir} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(fd, 32, 0).decode().strip() or "unknown"
        os.close(fd)
        raise DevError(f"data directory {data_dir} is in use by process {holder}") from None
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


class _Dev:
    """One run: which children there are, what they are told, what is written down about them."""

    def __init__(
        self,
        settings: Settings,
        env: Mapping[str, str],
        data_dir: Path,
        sock: socket.socket,
        url: str,
    ) -> None:
        last = devfile.read(data_dir)
        self._settings = settings
        self._env = env
        self._data_dir = data_dir
        self._sock = sock
        self._url = url
        self._secret = _secret(settings, last)
        self._redis = RedisServer(data_dir / "redis", _port_again(last.redis_url if last else None))
        self._mongo = MongoServer(data_dir / "mongo", _port_again(last.mongo_url if last else None))

    async def run(self, *, demo: bool) -> None:
        """Run until a signal; raises ``StartError`` or ``EmbeddedError`` when the start fails."""
        services: list[Service] = []
        if not self._settings.redis_url:
            services.append(self._redis)
        if not self._settings.mongo_url:
            services.append(self._mongo)
        services += [self._ingest(), self._node()]
        if demo:
            services.append(self._demo())
        supervisor = Supervisor(services)
        await supervisor.run_until_signal(on_started=self._announce, on_stopping=self._sock.close)

    def _ingest(self) -> Service:
        return PythonProcess(
            "ingest", ["workers.ingest"], env=self._child_env, announces="ready ingest"
        )

    def _node(self) -> Service:
        fd = self._sock.fileno()
        return PythonProcess(
            "node",
            ["hub", "serve", "--fd", str(fd), "--demo-page"],
            env=self._child_env,
            announces="ready http",
            pass_fds=[fd],
            stop_timeout=self._settings.drain_seconds + 5,
        )

    def _demo(self) -> Service:
        return PythonProcess("demo", ["workers.demo"], env=self._child_env)

    def _facts(self) -> DevFile:
        return DevFile(
            url=self._url,
            redis_url=self._settings.redis_url or self._redis.url,
            mongo_url=self._settings.mongo_url or self._mongo.url,
            jwt_secret=self._secret,
            pid=os.getpid(),
        )

    def _child_env(self) -> Mapping[str, str]:
        facts = self._facts()
        secret = {"HUB_JWT_SECRET": facts.jwt_secret} if facts.jwt_secret else {}
        urls = {"HUB_REDIS_URL": facts.redis_url, "HUB_MONGO_URL": facts.mongo_url}
        return {"HUB_TRACE_SAMPLE": "1", **self._env, **urls, **secret}

    def _announce(self) -> None:
        devfile.write(self._data_dir, self._facts())
        print(f"ready {self._url}", flush=True)


def _secret(settings: Settings, last: DevFile | None) -> str | None:
    """The secret to sign with: the operator's, else the one of the last run, else a new one.

    ``None`` when tokens are checked with somebody else's public key.
    """
    if settings.jwt_secret is not None:
        return settings.jwt_secret.get_secret_value()
    if settings.jwt_jwks_url or settings.jwt_public_key:
        return None
    return (last and last.jwt_secret) or secrets.token_urlsafe(32)


def _port_again(url: str | None) -> int:
    """The port a server had in the last run, so that its URL stays good; 0 if it is not free."""
    port = urlsplit(url).port if url else None
    return port if port and ports.is_free(port) else 0
