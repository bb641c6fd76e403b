"""Keeps a list of child processes running: start in order, restart what dies, stop in reverse.

Used by ``python -m hub dev``. In production this is the work of systemd, Kubernetes or honcho.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from config.logs import get_logger
from hub.child import Child
from hub.embedded import EmbeddedError

logger = get_logger(__name__)

FIRST_DELAY = 0.2
LAST_DELAY = 5.0
"""Seconds before a restart; the wait doubles from the first to the last."""

_STEADY = 10.0
"""After this many seconds of life a death is news again and waits ``FIRST_DELAY``."""


class StartError(Exception):
    """A service did not get ready; the message says which and why."""


class Service(Protocol):
    """A process that can be started again after it ended. ``EmbeddedServer`` is one."""

    name: str

    async def start(self) -> None:
        """Return once it is ready; raise ``StartError`` or ``EmbeddedError``, leaving nothing."""

    async def wait(self) -> int:
        """Return the exit status once it ended."""

    async def stop(self) -> None:
        """End it, with a bound on the time it takes; harmless when it does not run."""

    def kill(self) -> None:
        """End it at once."""


class PythonProcess:
    """``python -m MODULE ARGS…`` as a service; its stderr is ours.

    With ``announces`` it is ready once it printed a line that begins so; what else it prints on
    stdout goes to our stderr, because our own stdout is kept for one line.
    """

    def __init__(
        self,
        name: str,
        args: Sequence[str],
        *,
        env: Callable[[], Mapping[str, str]],
        announces: str | None = None,
        pass_fds: Collection[int] = (),
        start_timeout: float = 60.0,
        stop_timeout: float = 10.0,
    ) -> None:
        """``args`` are what follows ``python -m``; ``env`` is asked at each start; times in s."""
        self.name = name
        self._argv = [sys.executable, "-m", *args]
        self._env = env
        self._announces = announces
        self._pass_fds = tuple(pass_fds)
        self._start_timeout = start_timeout
        self._stop_timeout = stop_timeout
        self._child: Child | None = None
        self._output: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it and wait for its announcement, if it makes one; raises ``StartError``."""
        await self._finish_output()
        piped = subprocess.PIPE if self._announces else None
        try:
            self._child = Child(
                self.name, self._argv, env=self._env(), pass_fds=self._pass_fds, stdout=piped
            )
        except OSError as error:
            raise StartError(f"{self.name} did not start: {error}") from error
        if self._announces:
            await self._announced(self._child)

    async def wait(self) -> int:
        """The exit status, once it ended."""
        if self._child is None:
            raise StartError(f"{self.name} was not started")
        return await self._child.wait()

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL after ``stop_timeout`` seconds."""
        if self._child is not None:
            await self._child.stop(self._stop_timeout)
        await self._finish_output()

    def kill(self) -> None:
        """SIGKILL; the output is read to its end by ``stop()`` or the next ``start()``."""
        if self._child is not None:
            self._child.kill()

    async def _announced(self, child: Child) -> None:
        ready = asyncio.Event()
        self._output = asyncio.create_task(self._read(child, ready), name=f"{self.name}-stdout")
        announcement = asyncio.create_task(ready.wait())
        try:
            async with asyncio.timeout(self._start_timeout):
                await asyncio.wait(
                    [announcement, self._output], return_when=asyncio.FIRST_COMPLETED
                )
                if not ready.is_set():
                    raise StartError(f"{self.name} exited with status {await child.wait()}")
        except TimeoutError:
            child.kill()
            raise StartError(f"{self.name} was not ready in {self._start_timeout:.0f} s") from None
        except BaseException:
            child.kill()
            raise
        finally:
            announcement.cancel()

    async def _read(self, child: Child, ready: asyncio.Event) -> None:
        """Look for the announcement, and pass on what else comes until its stdout ends."""
        stream = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), child.process.stdout
        )
        with contextlib.closing(transport):
            while line := await stream.readline():
                if self._announces and line.startswith(self._announces.encode()):
                    ready.set()
                else:
                    sys.stderr.write(line.decode(errors="replace"))
                    sys.stderr.flush()

    async def _finish_output(self) -> None:
        if self._output is not None:
            self._output.cancel()
            await asyncio.wait([self._output])
            self._output = None


class Supervisor:
    """Runs ``services``, each needing those before it. Owns every task it starts."""

    def __init__(self, services: Sequence[Service]) -> None:
        """Nothing starts before :meth:`run`."""
        self._services = services

    async def run(self, *, on_started: Callable[[], None], on_stopping: Callable[[], None]) -> None:
        """Start all, call ``on_started``, keep them running until cancelled, stop all.

        Raises the first ``StartError`` or ``EmbeddedError`` of the start. Later ones are logged and
        tried again. Nothing is left running, however it ends.
        """
        try:
            for service in self._services:
                began = time.monotonic()
                await service.start()
                seconds = round(time.monotonic() - began, 2)
                logger.info("started", service=service.name, seconds=seconds, **_about(service))
            on_started()
            async with asyncio.TaskGroup() as group:
                for service in self._services:
                    group.create_task(self._keep(service), name=f"keep-{service.name}")
        finally:
            on_stopping()
            for service in reversed(self._services):
                await service.stop()
                logger.info("stopped", service=service.name)

    def kill(self) -> None:
        """End every service at once: for whoever does not want to wait for :meth:`run`'s end."""
        for service in reversed(self._services):
            service.kill()

    async def _keep(self, service: Service) -> None:
        delay = FIRST_DELAY
        while True:
            began = time.monotonic()
            status = await service.wait()
            if time.monotonic() - began > _STEADY:
                delay = FIRST_DELAY
            logger.warning("died", service=service.name, status=status, restart_in=delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, LAST_DELAY)
            try:
                await service.start()
            except (StartError, EmbeddedError) as error:
                logger.error("not restarted", service=service.name, reason=str(error))
            else:
                logger.info("restarted", service=service.name, **_about(service))


def _about(service: Service) -> dict[str, str]:
    return {
        name: str(value)
        for name in ("program", "url")
        if (value := getattr(service, name, None)) is not None
    }
