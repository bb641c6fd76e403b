"""The commands about the inbox (contract section 4)."""

from typing import Any

from hub.domain.shapes import parse
from hub.gateways.inbox import ListNotifications, list_notifications, mark_notifications
from hub.gateways.sio.answers import Answer, ok
from hub.gateways.sio.connection import Command, Connection
from hub.services.inbox.inbox import Inbox


class InboxCommands:
    """Reading and marking notifications."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def list(self, connection: Connection, raw: Any, answer: Answer) -> None:
        """Answers with a page."""
        wanted = parse(ListNotifications, raw)
        answer(ok(await list_notifications(self._inbox, connection.principal, wanted)))

    async def mark(self, connection: Connection, raw: Any, answer: Answer) -> None:
        """Marks, and answers with what is unread then."""
        answer(ok(await mark_notifications(self._inbox, connection.principal, raw)))

    def table(self) -> dict[str, Command]:
        """The commands by name."""
        return {"notifications:list": self.list, "notifications:mark": self.mark}
