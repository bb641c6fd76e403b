"""The stores behind inboxes."""

from msgspec import Struct

from hub.stores.announcements import Announcements
from hub.stores.inboxes import Inboxes
from hub.stores.notifications import Notifications


class InboxStores(Struct, frozen=True):
    """Where inboxes are kept."""

    notifications: Notifications
    announcements: Announcements
    inboxes: Inboxes
