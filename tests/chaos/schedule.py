"""What is done to whom and when: drawn from a seed, before anything runs."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tests.chaos.cast import CLIENTS, INGESTS, MONGO, NODES, PROXY, REDIS

SETTLED: Final = 3.0
"""Seconds at the start in which nothing is broken."""

CALM: Final = 4.0
"""Seconds at the end, likewise: what is broken is back by then."""

_DOWN: Final = (0.2, 3.0)  # seconds that a killed process stays away
_HUNG: Final = (1.0, 5.0)
_CUT: Final = (0.2, 1.0)  # share of the clients


class Kind(StrEnum):
    """What can be done."""

    KILL = "kill -9"
    HANG = "SIGSTOP"
    RESTART = "restart"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Fault:
    """``at``: seconds after the start. ``amount``: seconds that the target is away for, or hangs;
    of a cut the share of the clients."""

    at: float
    kind: Kind
    target: str
    amount: float

    def __str__(self) -> str:
        match self.kind:
            case Kind.HANG:
                return f"{self.kind} {self.target} for {self.amount:.1f} s"
            case Kind.CUT:
                return f"{self.kind} {self.amount:.0%} of the {self.target}"
            case _:
                return f"{self.kind} {self.target}, started again after {self.amount:.1f} s"


_DECK: Final[Sequence[tuple[Kind, Sequence[str]]]] = (
    (Kind.KILL, NODES),
    (Kind.KILL, INGESTS),
    (Kind.KILL, (REDIS,)),
    (Kind.KILL, (MONGO,)),
    (Kind.KILL, (PROXY,)),
    (Kind.HANG, (REDIS,)),
    (Kind.CUT, (CLIENTS,)),
    (Kind.RESTART, (REDIS,)),
    (Kind.RESTART, (MONGO,)),
)
"""Every kind of fault comes once before any comes again."""

KINDS: Final = len(_DECK)


def schedule(seed: int, seconds: float, every: float) -> list[Fault]:
    """The faults of a run of ``seconds``, in order, about ``every`` so many seconds one. The same
    arguments give the same faults."""
    dice = random.Random(seed)
    faults: list[Fault] = []
    at = SETTLED
    for kind, targets in _deal(dice):
        if at >= seconds - CALM:
            return faults
        fault = Fault(round(at, 2), kind, dice.choice(targets), _amount(dice, kind))
        faults.append(fault)
        at += dice.uniform(0.5, 1.5) * every
    return faults


def _deal(dice: random.Random) -> Iterator[tuple[Kind, Sequence[str]]]:
    while True:
        yield from dice.sample(_DECK, len(_DECK))


def _amount(dice: random.Random, kind: Kind) -> float:
    bounds = {Kind.HANG: _HUNG, Kind.CUT: _CUT}.get(kind, _DOWN)
    return round(dice.uniform(*bounds), 2)
