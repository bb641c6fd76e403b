"""Keeps child processes running: start, restart what dies, stop.

Used by ``python -m hub dev`` and ``python -m hub serve --processes N``. Beyond one machine's node
this is the work of systemd or Kubernetes.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
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

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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

    With ``announces`` it is ready once it printed a line that begins so, which ``on_announced`` is
    given, at each start; what else it prints on stdout goes to our stderr, because our own stdout
    is kept for such lines.
    """

    def __init__(
        self,
        name: str,
        args: Sequence[str],
        *,
        env: Callable[[], Mapping[str, str]],
        announces: str | None = None,
        on_announced: Callable[[str], None] = lambda _: None,
        pass_fds: Collection[int] = (),
        start_timeout: float = 60.0,
        stop_timeout: float = 10.0,
    ) -> None:
        """``args`` are what follows ``python -m``; ``env`` is asked at each start; times in s."""
        self.name = name
        self._argv = [sys.executable, "-m", *args]
        self._env = env
        self._announces = announces
        self._on_announced = on_announced
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
                    self._on_announced(line.decode().rstrip())
                else:
                    sys.stderr.write(line.decode(errors="replace"))
                    sys.stderr.flush()

    async def _finish_output(self) -> None:
        if self._output is not None:
            self._output.cancel()
            await asyncio.wait([self._output])
            self._output = None


class Supervisor:
    """Runs ``services``. Owns every task it starts.

    Each of them needs those before it, so they start in that order and stop in reverse; unless they
    are ``independent``: then all start, and stop, at the same time.
    """

    def __init__(self, services: Sequence[Service], *, independent: bool = False) -> None:
        """Nothing starts before :meth:`run`."""
        self._services = services
        self._independent = independent

    async def run(
        self,
        *,
        on_started: Callable[[], None] = lambda: None,
        on_stopping: Callable[[], None] = lambda: None,
    ) -> None:
        """Start all, call ``on_started``, keep them running until cancelled, stop all.

        Raises the first ``StartError`` or ``EmbeddedError`` of the start. Later ones are logged and
        tried again. Nothing is left running, however it ends.
        """
        try:
            await self._each(self._services, self._start)
            on_started()
            async with asyncio.TaskGroup() as group:
                for service in self._services:
                    group.create_task(self._keep(service), name=f"keep-{service.name}")
        finally:
            on_stopping()
            await self._each(self._services[::-1], self._stop)

    async def run_until_signal(
        self,
        *,
        on_started: Callable[[], None] = lambda: None,
        on_stopping: Callable[[], None] = lambda: None,
    ) -> None:
        """As :meth:`run`, until SIGINT, SIGTERM or SIGHUP. A second one does not wait any more."""
        with self._until_signal():
            await self.run(on_started=on_started, on_stopping=on_stopping)

    def kill(self) -> None:
        """End every service at once: for whoever does not want to wait for :meth:`run`'s end."""
        for service in reversed(self._services):
            service.kill()

    async def _each(
        self, services: Sequence[Service], do: Callable[[Service], Coroutine[None, None, None]]
    ) -> None:
        if not self._independent:
            for service in services:
                await do(service)
            return
        try:
            async with asyncio.TaskGroup() as group:
                for service in services:
                    group.create_task(do(service), name=f"{do.__name__}-{service.name}")
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _start(self, service: Service) -> None:
        began = time.monotonic()
        await service.start()
        seconds = round(time.monotonic() - began, 2)
        logger.info("started", service=service.name, seconds=seconds, **_about(service))

    async def _stop(self, service: Service) -> None:
        await service.stop()
        logger.info("stopped", service=service.name)

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

    @contextlib.contextmanager
    def _until_signal(self) -> Iterator[None]:
        """Within it a first signal cancels the current task, which ends it; a second one kills."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - called from a coroutine
        asked = False

        def on_signal() -> None:
            nonlocal asked
            if asked:
                self.kill()
            else:
                asked = True
                task.cancel()

        for number in _SIGNALS:
            loop.add_signal_handler(number, on_signal)
        try:
            yield
        except asyncio.CancelledError:
            if not asked:
                raise
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)


def _about(service: Service) -> dict[str, str]:
    return {
        name: str(value)
        for name in ("program", "url")
        if (value := getattr(service, name, None)) is not None
    }
