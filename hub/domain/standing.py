"""Bans and revocations: who is not let in although the token is good (contract 2 and 9)."""

import hashlib
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from hub.domain import codes
from hub.domain.principal import Principal


class Ban(Struct, frozen=True, tag_field="kind", tag="BAN", rename="camel"):
    """Nobody lets the user in before ``until`` (Unix seconds), and who is in is sent away."""

    user_id: str
    until: float
    message: str | None = None


class Revocation(Struct, frozen=True, tag_field="kind", tag="REVOKE", rename="camel"):
    """Tokens that are not taken any more: the one of which ``digest`` is, or those of the user
    that were issued up to ``issued``. ``until``: when the last of them has expired."""

    until: float
    user_id: str | None = None
    issued: float = 0
    digest: str | None = None


class Kick(Struct, frozen=True, tag_field="kind", tag="KICK", rename="camel"):
    """Ends the connections of one target."""

    user_id: str | None = None
    sid: str | None = None
    job_id: str | None = None
    message: str | None = None


class Lift(Struct, frozen=True, tag_field="kind", tag="LIFT", rename="camel"):
    """Ends a user's ban."""

    user_id: str


class LookUp(Struct, frozen=True, tag_field="kind", tag="LOOK_UP"):
    """What is kept has to be read again."""


Kept = Ban | Revocation
Order = Ban | Revocation | Kick | Lift | LookUp
"""What the nodes tell each other. The first two are kept for as long as they are in force."""

encode_order = msgspec.json.encode
decode_order = msgspec.json.Decoder(Order).decode


def digest(token_id: str) -> str:
    """Stands for a token's id, which may be any text of any length."""
    return hashlib.sha256(token_id.encode()).hexdigest()


def field_of(order: Kept | Lift) -> str:
    """The name under which an order is kept: a later one of that name replaces it."""
    if isinstance(order, Ban | Lift):
        return f"ban:{order.user_id}"
    return f"token:{order.digest}" if order.digest is not None else f"user:{order.user_id}"


class Standing:
    """What is in force. A dictionary in memory: asking costs no round trip."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[tuple[str, Kept]]:
        return iter(list(self._kept.items()))

    def take(self, order: Kept | Lift) -> None:
        """Notes an order."""
        if isinstance(order, Lift):
            self._kept.pop(field_of(order), None)
        else:
            self._kept[field_of(order)] = order

    def replace(self, kept: dict[str, Kept]) -> None:
        """What is kept is this, and nothing else."""
        self._kept = kept

    def forget(self, field: str) -> None:
        """It is not in force any more."""
        self._kept.pop(field, None)

    def refusal(self, who: Principal, now: float) -> codes.HubError | None:
        """Why ``who`` may not come in at ``now`` (Unix seconds), or stay; None for nearly
        everybody."""
        if not self._kept:
            return None
        ban = self._kept.get(f"ban:{who.user_id}")
        if isinstance(ban, Ban) and ban.until > now:
            return codes.HubError(codes.BANNED, ban.message, retry_after=round(ban.until - now, 1))
        cut = self._kept.get(f"user:{who.user_id}")
        if isinstance(cut, Revocation) and who.issued_at <= cut.issued:
            return codes.HubError(codes.UNAUTHENTICATED, "the token was revoked")
        if who.token_id is not None and f"token:{digest(who.token_id)}" in self._kept:
            return codes.HubError(codes.UNAUTHENTICATED, "the token was revoked")
        return None
