"""Who follows a feed live, by kind: each kind of connection has its own way to deliver to many."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Protocol

from hub.delivery.message import Message, Reset


class Subscriber(Protocol):
    """A connection as a feed sees it. The methods never block and never raise: a connection that
    cannot take more deals with it by itself, out of its bounded outbox (invariant 6)."""

    def deliver(self, messages: Sequence[Message]) -> None:
        """Takes the next events of a channel, one or more."""

    def reset(self, notice: Reset) -> None:
        """Learns that its channel goes on from another place."""


FanOut = Callable[[Collection[Any], Sequence[Message]], None]
"""Delivers the same events to all of many subscribers of one kind."""


def one_by_one(subscribers: Collection[Subscriber], messages: Sequence[Message]) -> None:
    """What a kind does that declares no ``fan_out`` of its own."""
    for subscriber in subscribers:
        subscriber.deliver(messages)


class Members:
    """A set of subscribers. A class of them may have a static method ``fan_out`` (a ``FanOut``),
    which saves it a call per subscriber."""

    __slots__ = ("_kinds",)

    def __init__(self) -> None:
        self._kinds: dict[FanOut, dict[Subscriber, None]] = {}  # mostly there is one

    def __bool__(self) -> bool:
        return bool(self._kinds)

    def __len__(self) -> int:
        return sum(map(len, self._kinds.values()))

    def __contains__(self, subscriber: object) -> bool:
        return any(subscriber in members for members in self._kinds.values())

    def __iter__(self) -> Iterator[Subscriber]:
        for members in self._kinds.values():
            yield from members

    def add(self, subscriber: Subscriber) -> None:
        """Adds one; harmless when it is in."""
        kind = getattr(subscriber, "fan_out", one_by_one)
        self._kinds.setdefault(kind, {})[subscriber] = None

    def discard(self, subscriber: Subscriber) -> None:
        """Removes one; harmless when it is not in."""
        kind = getattr(subscriber, "fan_out", one_by_one)
        members = self._kinds.get(kind, {})
        if subscriber in members:
            del members[subscriber]
            if not members:
                del self._kinds[kind]

    def deliver(self, messages: Sequence[Message]) -> None:
        """Delivers to all that are in now; some may leave while it does."""
        for fan_out, members in (*self._kinds.items(),):
            fan_out((*members,), messages)
