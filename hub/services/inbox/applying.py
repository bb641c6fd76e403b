"""Carrying out what users ask of their inboxes: by the node that was asked, at once, and again by
ingest, in case that node died half-way. Once or often, it comes to the same."""

from collections.abc import Sequence

from msgspec import UNSET

from hub.domain import notifications
from hub.domain.inbox import Key
from hub.domain.notifications import Item
from hub.domain.publications import Everything, InboxChanged, Place
from hub.domain.readstate import As, Mark
from hub.services.inbox.stores import InboxStores
from hub.services.inbox.unread import Unreads
from hub.stores.markings import Marking


async def apply(stores: InboxStores, unreads: Unreads, changes: Sequence[InboxChanged]) -> None:
    """Applies ``changes``, in a number of round trips that does not depend on how many they are.

    An announcement gets its copy when it is first marked. The versions of the users' counts rise
    last, once for each change however often it is applied. Raises ``PyMongoError``.
    """
    over = [each for each in changes if each.state == "EXPIRED"]
    if over:
        users = {each.user_id for each in over}
        await stores.notifications.expire(users, max(each.at for each in over))
    marks = [each for each in changes if each.state in As.__members__]
    await stores.notifications.put(await _copies(stores, unreads, marks))
    await stores.notifications.mark([marking(each) for each in marks])
    await stores.inboxes.raise_versions([(each.user_id, str(each.id), 1) for each in changes])


def marking(change: InboxChanged) -> Marking:
    """The change as the store carries it out."""
    mark = Mark(As(change.state), change.at, str(change.id))
    if change.everything is UNSET:
        return Marking(change.user_id, mark, ids=change.ids)
    everything = change.everything
    return Marking(change.user_id, mark, own=_key(everything.own), announced=_bound(everything))


async def _copies(
    stores: InboxStores, unreads: Unreads, changes: Sequence[InboxChanged]
) -> list[Item]:
    """The announcements that are marked, as their users' own."""
    named = [(each.user_id, id_) for each in changes for id_ in each.ids]
    everything = [each for each in changes if _bound(each.everything) is not None]
    readings = await unreads.read_whole({each.user_id for each in everything}) if everything else {}
    for each in everything:
        bound = _bound(each.everything)
        reached = readings[each.user_id].untouched
        named += [(each.user_id, one.id) for one in reached if bound and one.key <= bound]
    found = await stores.announcements.get({id_ for _, id_ in named})
    return [notifications.copy(found[id_], user) for user, id_ in named if id_ in found]


def _bound(everything: Everything | object) -> Key | None:
    return _key(everything.announced) if isinstance(everything, Everything) else None


def _key(place: Place | object) -> Key | None:
    return Key(place.at, place.id) if isinstance(place, Place) else None
