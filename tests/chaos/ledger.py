"""What is right: what was published, compared with what is stored (contract section 8: what was
accepted is kept, and saying it again has no effect). Pure, as ``checker``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from tests.chaos.checker import Event, ranges

_EXAMPLES: Final = 20


@dataclass(frozen=True, slots=True)
class Publication:
    """A publication that a worker made. ``events``: channel and id of each event that it has to
    become, its own first. ``acknowledged``: else it may be stored or not."""

    events: Sequence[tuple[str, str]]
    acknowledged: bool = True


@dataclass(frozen=True, slots=True)
class Head:
    """What the hub says of a channel: the end of its log."""

    epoch: str
    offset: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What is in MongoDB, and ``dead``: how many publications the hub refused. ``epochs``: the
    channels' epochs as they were before anything was broken. ``inbox``: channel and id of each
    item in somebody's list of notifications. ``changes``: channel and id of each event that
    tells of a mark."""

    events: Sequence[Event]
    heads: Mapping[str, Head]
    epochs: Mapping[str, str]
    inbox: Sequence[tuple[str, str]] = ()
    changes: AbstractSet[tuple[str, str]] = frozenset()
    dead: int = 0


@dataclass(slots=True)
class Ledger:
    """What became of the publications. ``missing``: acknowledged, and not stored. ``doubled``:
    events stored more than once. ``unexplained``: stored, though nobody published them.
    ``misordered``: stored in another order than acknowledged. ``broken``: channels whose log has a
    hole, another epoch than before, or a head that is not its end."""

    acknowledged: int = 0
    unacknowledged: int = 0
    stored: int = 0
    missing: int = 0
    doubled: int = 0
    unexplained: int = 0
    misordered: int = 0
    broken: int = 0
    dead: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        """How many promises were broken."""
        return (
            self.missing
            + self.doubled
            + self.unexplained
            + self.misordered
            + self.broken
            + self.dead
        )

    def note(self, example: str) -> None:
        """Keeps an example of what is wrong."""
        if len(self.examples) < _EXAMPLES:
            self.examples.append(example)


def judge_store(publications: Sequence[Publication], stored: Stored) -> Ledger:
    """Compares what was published, in the order of its acknowledgement, with what is stored."""
    ledger = Ledger(dead=stored.dead)
    times_stored = Counter((event.channel, event.id) for event in stored.events)
    for publication in publications:
        if not publication.acknowledged:
            ledger.unacknowledged += 1
            continue
        ledger.acknowledged += 1
        missing = [each for each in publication.events if each not in times_stored]
        ledger.missing += bool(missing)
        ledger.stored += not missing
        for channel, id_ in missing:
            ledger.note(f"{channel}: {id_} was acknowledged and is not stored")
    for (channel, id_), times in times_stored.items():
        if times > 1:
            ledger.doubled += 1
            ledger.note(f"{channel}: {id_} is stored {times} times")
    expected = {each for publication in publications for each in publication.events}
    for channel, id_ in times_stored.keys() - expected - stored.changes:
        ledger.unexplained += 1
        ledger.note(f"{channel}: nobody published {id_}")
    _judge_inbox(ledger, stored)
    _judge_order(ledger, publications, stored.events)
    _judge_logs(ledger, stored)
    return ledger


def _judge_inbox(ledger: Ledger, stored: Stored) -> None:
    """Every event of a user's channel that tells of no mark is a notification in the user's list,
    and no other is."""
    users = {(each.channel, each.id) for each in stored.events if each.channel.startswith("user:")}
    users -= stored.changes
    for channel, id_ in users ^ set(stored.inbox):
        ledger.missing += 1
        place = "log" if (channel, id_) in users else "list"
        ledger.note(f"{channel}: {id_} is only in the {place}")


def _judge_order(
    ledger: Ledger, publications: Sequence[Publication], events: Sequence[Event]
) -> None:
    """A channel has one sender, who publishes one after the other: its log has the same order."""
    offsets = {(event.channel, event.id): event.offset for event in events}
    reached: dict[str, int] = {}
    for publication in publications:
        if not (publication.acknowledged and publication.events):
            continue
        channel, id_ = publication.events[0]  # the others come by way of other journals
        offset = offsets.get((channel, id_))
        if offset is None:
            continue
        before = reached.get(channel, 0)
        if offset < before:
            ledger.misordered += 1
            ledger.note(f"{channel}: {id_} is at {offset}, before {before}")
        reached[channel] = max(before, offset)


def _judge_logs(ledger: Ledger, stored: Stored) -> None:
    logs: dict[str, list[Event]] = {}
    for event in stored.events:
        logs.setdefault(event.channel, []).append(event)
    for channel in logs.keys() | stored.heads.keys() | stored.epochs.keys():
        wrong = _fault_of(
            logs.get(channel, []), stored.heads.get(channel), stored.epochs.get(channel)
        )
        if wrong is not None:
            ledger.broken += 1
            ledger.note(f"{channel}: {wrong}")


def _fault_of(log: Sequence[Event], head: Head | None, epoch_before: str | None) -> str | None:
    """What is wrong with a log; None if nothing is."""
    if head is None:
        return "has no head"
    epochs = {head.epoch, *(event.epoch for event in log)}
    if epoch_before is not None:
        epochs.add(epoch_before)
    if len(epochs) > 1:
        return f"has the epochs {sorted(epochs)}"
    offsets = sorted(event.offset for event in log)
    if offsets != list(range(1, len(offsets) + 1)):
        return f"has holes or repeats: {ranges(offsets)}"
    if head.offset != len(offsets):
        return f"ends at {len(offsets)}, its head says {head.offset}"
    return None
