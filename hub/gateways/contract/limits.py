"""The limits that no schema can say, in a sentence of both documents."""

from typing import Final

from config.settings import Settings
from hub.domain.publications import MAX_BYTES
from hub.gateways.http.request import BODY_AT_MOST
from hub.gateways.sio.commands import SUBSCRIPTIONS_AT_MOST

_MESSAGE: Final = Settings.model_fields["max_message"].default

LIMITS: Final = (
    f"A message of a client has at most `HUB_MAX_MESSAGE` ({_MESSAGE}) bytes, the body of a "
    f"request {BODY_AT_MOST}, a publication {MAX_BYTES}; a connection follows at most "
    f"{SUBSCRIPTIONS_AT_MOST} channels."
)
