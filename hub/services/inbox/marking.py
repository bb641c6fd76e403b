"""Marking notifications: asked once, answered everywhere."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from msgspec import UNSET, Struct, UnsetType

from hub.broker.journal import Journal
from hub.domain import codes, times
from hub.domain.ids import is_uuid, uuid7
from hub.domain.inbox import NEVER, Announcement, Key, Unread, is_visible, untouched
from hub.domain.notifications import Item, Scope
from hub.domain.publications import MARKED_AT_MOST, Everything, InboxChanged, Place
from hub.domain.readstate import KEEPING, READING, As, State, differs
from hub.services.inbox.applying import apply, marking
from hub.services.inbox.stores import InboxStores
from hub.services.inbox.unread import Reading, Unreads

_MS = timedelta(milliseconds=1)


class Marked(Struct, frozen=True):
    """What a command came to: how many notifications it changed, and what is unread now."""

    changed: int
    unread: Unread

    def wire(self) -> dict[str, object]:
        """``{changed, unread}``"""
        return {"changed": self.changed, "unread": self.unread.wire()}


class Marks:
    """Makes the marks that change something, and no others: repeating a command changes nothing.

    The change is on the journal before it is carried out here: if this node dies then, ingest
    carries it out. Ingest tells the user's other devices in any case.
    """

    def __init__(self, stores: InboxStores, unreads: Unreads, journal: Journal) -> None:
        self._stores = stores
        self._unreads = unreads
        self._journal = journal

    async def mark(
        self, user: str, ids: list[str] | Literal["all"], as_: As, up_to: str | None
    ) -> Marked:
        """Marks those of ``ids`` that are in the user's inbox, or all that is not dismissed, up to
        the notification ``up_to``. Ids of anything else are nothing that could change: what has
        ended, and announcements that are muted, are not in the inbox.

        Raises ``HubError`` INVALID_REQUEST; ``PyMongoError``, ``RedisError``.
        """
        if ids == "all":
            changed, change = await self._all(user, as_, up_to)
        elif up_to is not None:
            raise codes.invalid("upTo", 'goes with ids: "all" only')
        else:
            changed, change = await self._some(user, _checked(ids), as_)
        if change is not None:
            await self._journal.append([change])
            await apply(self._stores, self._unreads, [change])
        return Marked(changed, (await self._unreads.of(user)).unread)

    async def _some(self, user: str, ids: list[str], as_: As) -> tuple[int, InboxChanged | None]:
        now = times.now()
        own = await self._stores.notifications.get(user, ids)
        current = [each for each in own.values() if each.ends_at > now and not each.expired]
        known = [each for each in current if differs(each.state, as_)]
        rest = [each for each in ids if each not in own]
        new = await self._untouched(user, rest, now) if differs(State(), as_) else []
        wanted = {each.id for each in known} | {each.id for each in new}
        if not wanted:
            return 0, None
        at = _later_than(known, as_)
        chosen = [each for each in ids if each in wanted]
        return len(chosen), _change(user, as_, at, ids=chosen)

    async def _untouched(self, user: str, ids: list[str], now: datetime) -> list[Announcement]:
        """Those of ``ids`` that are announcements in the user's inbox, as lists and counts have
        them; ``ids`` has none that the user has touched."""
        found = await self._stores.announcements.get(ids)
        if not found:
            return []
        member = (await self._stores.inboxes.read([user]))[user]
        come = [
            each for each in found.values() if each.came < NEVER or each.id in member.everybody.came
        ]
        current = [each for each in come if each.gone == NEVER and each.ends_at > now]
        return untouched(member, current, ())

    async def _all(self, user: str, as_: As, up_to: str | None) -> tuple[int, InboxChanged | None]:
        reading = await self._unreads.whole(user)
        if up_to is not None:
            (up_to,) = _checked([up_to], "upTo")
        bound = None if up_to is None else await self._place(user, up_to)
        newest = await self._newest(user, "USER")
        announced = await self._newest_announced(user, reading)
        everything = Everything(
            own=_place(newest[0].key if newest else None, bound),
            announced=_place(announced, bound),
            everybody=reading.member.everybody.version,
            up_to=UNSET if up_to is None else up_to,
        )
        change = _change(user, as_, times.now(), everything=everything)
        wanted = marking(change)
        found = await self._stores.notifications.would_change(wanted)
        if (at := _after(found.latest, change.at)) > change.at:
            change = _change(user, as_, at, everything=everything)
        changed = found.count
        if differs(State(), as_) and wanted.announced is not None:
            changed += sum(
                each.key <= wanted.announced and each.ends_at > change.at
                for each in reading.untouched
            )
        return (changed, change) if changed else (0, None)

    async def _newest_announced(self, user: str, reading: Reading) -> Key | None:
        """The newest announcement that the user sees. Announcements and what went to the user
        alone are each bounded by themselves: of one, newer ones may be known than of the other."""
        copies = [
            *await self._newest(user, "TOPIC"),
            *await self._newest(user, "ALL"),
        ]
        keys = [each.key for each in copies] + [each.key for each in reading.untouched[:1]]
        return max(keys, default=None)

    async def _newest(self, user: str, scope: Scope) -> list[Item]:
        return await self._stores.notifications.page(
            user, "ALL", scope=scope, limit=1, now=times.now()
        )

    async def _place(self, user: str, id_: str) -> Key:
        own = await self._stores.notifications.get(user, [id_])
        if id_ in own:
            return own[id_].key
        found = (await self._stores.announcements.get([id_])).get(id_)
        member = (await self._stores.inboxes.read([user]))[user]
        if found is not None and is_visible(member, found):
            return found.key  # muted or ended, it still is a place
        raise codes.invalid("upTo", "is no notification of yours")


def _change(
    user: str,
    as_: As,
    at: datetime,
    *,
    ids: list[str] | None = None,
    everything: Everything | UnsetType = UNSET,
) -> InboxChanged:
    return InboxChanged(
        id=UUID(uuid7()),
        user_id=user,
        state=as_.value,
        at=at,
        ids=ids or [],
        everything=everything,
    )


def _place(newest: Key | None, bound: Key | None) -> Place | UnsetType:
    if newest is None:
        return UNSET
    key = newest if bound is None else min(newest, bound)
    return Place(at=key.at, id=key.id)


def _later_than(known: Iterable[Item], as_: As) -> datetime:
    """Now, or just after what these were marked with last, whichever clock that was by: what the
    user asks having seen that is later."""
    at = times.now()
    for each in known:
        if as_ in READING | KEEPING:
            stamp = each.state.read_stamp if as_ in READING else each.state.dismiss_stamp
            at = _after(stamp, at)
    return at


def _after(stamp: str, at: datetime) -> datetime:
    """``at``, or just after the mark of this stamp if that is later."""
    return max(at, times.from_ms(int(stamp.partition("/")[0])) + _MS) if stamp else at


def _checked(ids: list[str], field: str = "ids") -> list[str]:
    """Each id once, in its canonical form. Raises INVALID_REQUEST for too many, and for what is no
    UUID."""
    if len(ids) > MARKED_AT_MOST:
        raise codes.invalid(field, f"at most {MARKED_AT_MOST}")
    canonical = [each.lower() for each in ids]
    for index, each in enumerate(canonical):
        if not is_uuid(each):
            raise codes.invalid(f"{field}[{index}]" if field == "ids" else field, "must be a UUID")
    return list(dict.fromkeys(canonical))
