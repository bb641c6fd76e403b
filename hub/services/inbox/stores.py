"""The stores behind inboxes."""

from msgspec import Struct

from hub.stores.announcements import Announcements
from hub.stores.inboxes import Inboxes
from hub.stores.mongo import Database
from hub.stores.notifications import Notifications
from hub.stores.untold import Untold


class InboxStores(Struct, frozen=True):
    """Where inboxes are kept."""

    notifications: Notifications
    announcements: Announcements
    inboxes: Inboxes
    untold: Untold


def inbox_stores(db: Database) -> InboxStores:
    """Those of a database."""
    return InboxStores(Notifications(db), Announcements(db), Inboxes(db), Untold(db))
