"""Carrying out what users ask of their inboxes: by the node that was asked, at once, and again by
ingest, in case that node died half-way. Once or often, it comes to the same."""

from collections.abc import Sequence

from msgspec import UNSET

from hub.domain import notifications
from hub.domain.ids import uuid7
from hub.domain.inbox import Key
from hub.domain.notifications import Item
from hub.domain.publications import Everything, InboxChanged, Place
from hub.domain.readstate import As, Mark
from hub.services.inbox.stores import InboxStores
from hub.services.inbox.unread import Unreads
from hub.stores.markings import Marking


async def apply(
    stores: InboxStores, unreads: Unreads, changes: Sequence[InboxChanged], *, again: bool = False
) -> None:
    """Applies ``changes``, in a number of round trips that does not depend on how many they are.

    An announcement gets its copy when it is first marked. The versions of the users' counts rise
    last, once for each change however often it is applied; ``again``: this may not be the first
    time, and where it still changes something they rise once more. Raises ``PyMongoError``.
    """
    over = [each for each in changes if each.state == "EXPIRED"]
    if over:
        users = {each.user_id for each in over}
        await stores.notifications.expire(users, max(each.at for each in over))
    marks = [each for each in changes if each.state in As.__members__]
    new = await stores.notifications.put(await _copies(stores, unreads, marks))
    changed = await stores.notifications.mark([marking(each) for each in marks])
    causes = [(each.user_id, str(each.id), 1) for each in changes]
    if again and (new or changed):
        causes += [(user, uuid7(), 1) for user in {each.user_id for each in marks}]
    await stores.inboxes.raise_versions(causes)


def marking(change: InboxChanged) -> Marking:
    """The change as the store carries it out."""
    mark = Mark(As(change.state), change.at, str(change.id))
    if change.everything is UNSET:
        return Marking(change.user_id, mark, ids=change.ids)
    everything = change.everything
    return Marking(
        change.user_id,
        mark,
        own=_key(everything.own),
        announced=_bound(everything),
        everybody=everything.everybody,
    )


async def _copies(
    stores: InboxStores, unreads: Unreads, changes: Sequence[InboxChanged]
) -> list[Item]:
    """The announcements that are marked, as their users' own."""
    named = [(each.user_id, id_) for each in changes for id_ in each.ids]
    users = {each.user_id for each in changes if _bound(each.everything) is not None}
    readings = await unreads.read_whole(users) if users else {}
    for each in changes:
        bound, everything = _bound(each.everything), each.everything
        if bound is not None and everything is not UNSET:
            named += [
                (each.user_id, one.id)
                for one in readings[each.user_id].untouched
                if one.key <= bound and one.came <= everything.everybody
            ]
    found = await stores.announcements.get({id_ for _, id_ in named})
    return [notifications.copy(found[id_], user) for user, id_ in named if id_ in found]


def _bound(everything: Everything | object) -> Key | None:
    return _key(everything.announced) if isinstance(everything, Everything) else None


def _key(place: Place | object) -> Key | None:
    return Key(place.at, place.id) if isinstance(place, Place) else None
