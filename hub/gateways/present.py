"""A connection of any door, as whoever is not its door sees it."""

from collections.abc import Collection
from typing import Protocol

from hub.delivery.message import Notice
from hub.domain import codes
from hub.domain.principal import Principal


class Present(Protocol):
    """A connection as administrators see it."""

    began: float
    ended_by: str

    @property
    def principal(self) -> Principal:
        """Whose it is."""

    @property
    def door(self) -> str:
        """``SOCKETIO``, ``WEBSOCKET`` or ``SSE``."""

    @property
    def sid(self) -> str:
        """Its name, unlike any other."""

    @property
    def address(self) -> str:
        """Where it comes from."""

    @property
    def follows_now(self) -> Collection[str]:
        """The channels that it follows."""

    @property
    def outbox_bytes(self) -> int:
        """What waits for the client to read it."""

    @property
    def line(self) -> object:
        """What carries its frames."""

    def tell(self, notice: Notice) -> bool:
        """Sends something that no log has, if there is room for it now; whether it did."""

    def send_away(self, code: codes.Code, message: str | None, retry_after: float | None) -> None:
        """Tells the client why, and ends the connection, soon. Must not raise."""
