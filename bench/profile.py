"""Where the time of a delivering process goes: a flame graph by py-spy, taken from outside."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

_RATE = 250  # samples a second
_PATIENCE = 60.0


class ProfileError(Exception):
    """py-spy is not there or did not write anything; the message says what to do."""


class Profiler:
    """Samples a process while a :class:`bench.runs.Meter` runs; ``directory`` gets the SVG files.

    Sampling costs the process some of its time: rows that were profiled are not to be compared.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._count = 0
        self._running: subprocess.Popen[bytes] | None = None
        self._file = directory
        self._title = ""

    def start(self, pid: int, name: str) -> None:
        """Begins to sample. Raises :class:`ProfileError` without py-spy."""
        program = shutil.which("py-spy", path=str(Path(sys.executable).parent))
        program = program or shutil.which("py-spy")
        if program is None:
            raise ProfileError("--profile needs py-spy: pip install py-spy")
        self._directory.mkdir(parents=True, exist_ok=True)
        self._count += 1
        self._file = self._directory / f"{name}-{self._count}.svg"
        options = ["--rate", str(_RATE), "--nonblocking", "--format", "flamegraph"]
        command = [program, "record", *options, "--output", str(self._file), "--pid", str(pid)]
        self._title = " ".join(command)  # as py-spy has it
        self._running = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def stop(self) -> None:
        """Ends sampling and waits until the file is written."""
        running, self._running = self._running, None
        if running is None:
            return
        if running.poll() is None:
            running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=_PATIENCE)
        if not self._file.exists():
            raise ProfileError(f"py-spy wrote nothing: {said.decode(errors='replace')[-400:]}")
        self._file.write_text(self._file.read_text().replace(self._title, self._file.stem))
