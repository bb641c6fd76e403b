"""What the kernel charged a process tree, and which core a process may use.

All figures come from ``/proc``, so the measured process runs no code of ours.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process tree has used so far."""

    cpu_seconds: float  # user and system time of all its processes, dead threads included
    rss_bytes: int  # resident memory now

    def since(self, earlier: Usage) -> Usage:
        """The difference to an earlier reading of the same tree."""
        return Usage(self.cpu_seconds - earlier.cpu_seconds, self.rss_bytes - earlier.rss_bytes)


def _stat(pid: int) -> list[str]:
    """The fields of ``/proc/PID/stat`` after the name (which may hold spaces): state, parent, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def tree(pid: int) -> list[int]:
    """``pid`` and all its living descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found = [pid]
    for parent in found:  # grows while it is walked
        found.extend(children.get(parent, ()))
    return found


def usage(pid: int) -> Usage:
    """What ``pid`` and its descendants have used; raises ``FileNotFoundError`` if it is gone."""
    cpu, rss = 0.0, 0
    for one in tree(pid):
        fields = _stat(one)
        cpu += (int(fields[11]) + int(fields[12])) / _TICK
        rss += int(fields[21]) * _PAGE
    return Usage(cpu, rss)


def cpu_time(pid: int) -> float:
    """Seconds of CPU that the threads of one process have used so far, to the nanosecond; of
    threads that live."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def cores() -> tuple[int, int]:
    """The core for the measured server and the one for everything else.

    The same core twice on a machine that has only one: figures then include the contention.
    """
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def pinned(core: int) -> Callable[[], None]:
    """What to run in a child before its program starts, so that it and its threads stay there."""

    def pin() -> None:
        os.sched_setaffinity(0, {core})

    return pin


@dataclass(frozen=True, slots=True)
class Steal:
    """How much of the machine's time its host gave to others since this was made."""

    stolen: int
    total: int

    @classmethod
    def start(cls) -> Steal:
        """Begin to watch."""
        fields = [int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return cls(fields[7], sum(fields))

    def share(self) -> float:
        """0..1; above a few percent the run says little about the programs in it."""
        now = Steal.start()
        return (now.stolen - self.stolen) / max(1, now.total - self.total)
