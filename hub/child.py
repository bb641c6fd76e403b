"""One child process: start it so that it cannot outlive us, wait for it, stop it.

Used for the embedded servers and by ``python -m hub dev``. It is polled and not tied to an event
loop, so that a child started by a test session's loop can be stopped from any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO

_POLL = 0.02
_STDERR = 2
_GUARD = Path(__file__).with_name("guard.py")


class Child:
    """A running child process, in its own session (a terminal's Ctrl-C does not reach it).

    On Linux the kernel kills it when the thread that started it ends, so start it from a thread
    that lives as long as the child should: the main one.
    """

    def __init__(
        self,
        name: str,
        argv: list[str],
        *,
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
        pass_fds: Collection[int] = (),
        stdout: int | None = None,
    ) -> None:
        """Start ``argv``; its stderr and stdout are appended to ``log``, by default our stderr.

        ``stdout`` can be ``subprocess.PIPE``; ``env`` replaces the environment. Raises ``OSError``
        when it cannot be started at all.
        """
        self.name = name
        with contextlib.ExitStack() as stack:
            output: IO[bytes] | None = None
            if log is not None:
                log.parent.mkdir(parents=True, exist_ok=True)
                output = stack.enter_context(log.open("ab"))
            self.process: subprocess.Popen[bytes] = subprocess.Popen(
                _guarded(argv),
                stdin=subprocess.DEVNULL,
                stdout=(output or _STDERR) if stdout is None else stdout,
                stderr=output,
                env=dict(env) if env is not None else None,
                pass_fds=tuple(pass_fds),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id; also the id of its process group."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether it has not exited yet."""
        return self.process.poll() is None

    async def wait(self) -> int:
        """Wait for the exit; the exit status, negative for a signal."""
        while (status := self.process.poll()) is None:  # noqa: ASYNC110 - no loop owns it
            await asyncio.sleep(_POLL)
        return status

    async def stop(self, timeout: float) -> int:
        """SIGTERM, then SIGKILL after ``timeout`` seconds; returns the exit status."""
        if self.running:
            self.process.terminate()
            try:
                async with asyncio.timeout(timeout):
                    await self.wait()
            except TimeoutError:
                self.kill()
        return await self.wait()

    def kill(self) -> None:
        """SIGKILL the child and whatever it started, and reap it."""
        if self.process.returncode is None:  # once reaped, its id may be somebody else's
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self.process.wait()


def _guarded(argv: list[str]) -> list[str]:
    if not sys.platform.startswith("linux"):
        return argv
    return [sys.executable, "-I", "-S", str(_GUARD), str(os.getpid()), *argv]
