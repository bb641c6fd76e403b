"""A batch's part in its users' inboxes: stored before its events, which say what is unread then."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from msgspec import UNSET

from hub.broker.journal import Entry
from hub.domain import notifications
from hub.domain.events import Event
from hub.domain.ids import uuid7
from hub.domain.inbox import Unread
from hub.domain.notifications import Item
from hub.domain.publications import (
    AnnouncementsEnded,
    AnyPublication,
    InboxChanged,
    Notification,
)
from hub.services.inbox import announcing
from hub.services.inbox.applying import apply
from hub.services.inbox.stores import InboxStores
from hub.services.inbox.unread import Unreads


@dataclass(frozen=True, slots=True)
class Accepted:
    """An entry whose publication is well-formed."""

    entry: Entry
    publication: AnyPublication

    @property
    def id(self) -> str:
        """The publication's id, which is its event's id as well."""
        return str(self.publication.id)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a batch came to, by publication id. ``unread``: what its event says. ``places``: the
    unread notification whose place it took, by its dedupe key. ``muted``: its user does not want
    it, so it is no event."""

    unread: Mapping[str, Unread] = field(default_factory=dict)
    places: Mapping[str, Item] = field(default_factory=dict)
    muted: frozenset[str] = frozenset()


NO_INBOXES: Final = Prepared()


class InboxWriter:
    """Writes the inboxes of one batch; once for all attempts to store its events.

    What is stored here may be seen in a list a moment before its event. Not the other way round:
    an event whose count is not what is stored would be wrong for good.
    """

    def __init__(self, stores: InboxStores, unreads: Unreads, retention: timedelta) -> None:
        self._stores = stores
        self._unreads = unreads
        self._retention = retention
        self._new: set[tuple[str, str]] = set()

    async def prepare(self, accepted: Sequence[Accepted], stored: Mapping[str, Event]) -> Prepared:
        """Stores what the batch brings into inboxes and reads what is unread then.

        ``stored``: events of the batch that are known to be stored; then so is what they brought,
        unless their id belongs to something else. Nothing costs a round trip that the batch does
        not have. Raises ``PyMongoError``.
        """
        await self._retract(accepted, stored)
        fresh = [each for each in accepted if each.id not in stored]
        changes = [each for each in fresh if isinstance(each.publication, InboxChanged)]
        created = [
            each for each in fresh if _recipient(each.publication) is not None and not is_over(each)
        ]
        await self._end(fresh)
        if not changes and not created:
            return NO_INBOXES
        muted = await self._muted(created)
        kept = [each for each in created if each.id not in muted]
        items = {each.id: self._item(each) for each in kept}
        self._new |= await self._stores.notifications.put(list(items.values()))
        if changes:
            asked = [each.publication for each in changes]
            await apply(
                self._stores,
                self._unreads,
                [each for each in asked if isinstance(each, InboxChanged)],
                again=True,
            )
        await self._raise_versions(items)
        places = await self._places(items)
        telling = [each for each in fresh if each in changes or each in kept]
        return Prepared(await self._unread(telling, items), places, frozenset(muted))

    async def _end(self, fresh: Sequence[Accepted]) -> None:
        """Takes announcements whose end is told now out of everybody's count."""
        ended = [each for each in fresh if isinstance(each.publication, AnnouncementsEnded)]
        if ended:
            await announcing.end(self._stores, max(each.entry.at for each in ended))

    def _item(self, each: Accepted) -> Item:
        publication = each.publication
        assert isinstance(publication, Notification)  # noqa: S101 - as chosen above
        recipient = publication.users[0]
        return notifications.item(publication, recipient, each.entry.at, self._retention)

    async def _retract(self, accepted: Sequence[Accepted], stored: Mapping[str, Event]) -> None:
        """Takes back what an earlier attempt stored under an id that was used before."""
        wrong = [
            (recipient, each.id)
            for each in accepted
            if (recipient := _recipient(each.publication)) is not None
            and each.id in stored
            and stored[each.id].channel != each.publication.channel
        ]
        if wrong:
            await self._stores.notifications.retract(wrong)
            causes = [(user, uuid7(), 1) for user, _ in wrong]
            await self._stores.inboxes.raise_versions(causes)

    async def _muted(self, created: Sequence[Accepted]) -> set[str]:
        """Those that their users do not want: nothing is stored of them."""
        if not created:
            return set()
        users = {each.id: _recipient(each.publication) or "" for each in created}
        members = await self._stores.inboxes.read(users.values())
        return {
            each.id
            for each in created
            if isinstance(each.publication, Notification)
            and members[users[each.id]].preferences.mutes(
                each.publication.type, None, critical=each.publication.critical
            )
        }

    async def _raise_versions(self, items: Mapping[str, Item]) -> None:
        """Also where all items were stored before: an earlier attempt may have got no further."""
        last = {item.recipient: id_ for id_, item in items.items()}
        await self._stores.inboxes.raise_versions([(user, id_, 1) for user, id_ in last.items()])

    async def _places(self, items: Mapping[str, Item]) -> dict[str, Item]:
        """The notification that each repeat updated."""
        repeats = {id_: item for id_, item in items.items() if item.dedupe_key is not None}
        if not repeats:
            return {}
        keyed = await self._stores.notifications.keyed(list(repeats.values()))
        last = {(item.recipient, item.dedupe_key): id_ for id_, item in repeats.items()}
        found = {}
        for id_, item in repeats.items():
            same = keyed.get((item.recipient, item.dedupe_key or ""), [])
            if same and all(each.item.id != id_ for each in same):
                by = last[item.recipient, item.dedupe_key]
                # Without one: this was processed before, and more came since.
                place = next((each for each in same if each.by == by), same[-1])
                found[id_] = place.item
        return found

    async def _unread(
        self, telling: Sequence[Accepted], items: Mapping[str, Item]
    ) -> dict[str, Unread]:
        """What each event says: what is stored now, less what the later events bring; each at a
        version of its own."""
        users = {id_: item.recipient for id_, item in items.items()}
        for each in telling:
            if isinstance(each.publication, InboxChanged):
                users[each.id] = each.publication.user_id
        told = Counter(users[each.id] for each in telling)
        several = {user: count for user, count in told.items() if count > 1}
        readings = await self._unreads.read(told.keys(), several)
        found: dict[str, Unread] = {}
        later_new: Counter[str] = Counter()
        later: Counter[str] = Counter()
        for each in reversed(telling):
            user = users[each.id]
            now = readings[user].unread
            found[each.id] = Unread(max(0, now.count - later_new[user]), now.version - later[user])
            later[user] += 1
            later_new[user] += (user, each.id) in self._new
        return found


def replaces(each: Accepted) -> bool:
    """Whether it may take the place of another notification: that must not happen again when a
    publication comes twice."""
    publication = each.publication
    return isinstance(publication, Notification) and publication.dedupe_key is not UNSET


def is_over(each: Accepted) -> bool:
    """Whether it is a notification that had expired before it came."""
    publication = each.publication
    return isinstance(publication, Notification) and notifications.is_over(
        publication, each.entry.at
    )


def _recipient(publication: AnyPublication) -> str | None:
    """The user into whose inbox a notification goes here; None when it goes to many."""
    if isinstance(publication, Notification) and publication.users:
        return publication.users[0]
    return None
