"""What a raw WebSocket is closed with."""

import re

import pytest

from hub.domain import codes
from hub.gateways.ws import CLOSE_REASON, close_reason


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((codes.KICKED, None, None), "KICKED"),
        ((codes.KICKED, None, codes.KICKED.message), "KICKED"),
        ((codes.KICKED, None, "go\nhome"), "KICKED: go home"),
        ((codes.DRAINING, 0.83, None), "DRAINING retryAfter=0.83"),
        ((codes.BANNED, 31_536_000, "later"), "BANNED retryAfter=31536000: later"),
    ],
)
def test_the_reason_names_the_code_and_says_what_there_is_to_say(
    given: tuple[codes.Code, float | None, str | None], said: str
) -> None:
    assert close_reason(*given) == said
    assert re.search(CLOSE_REASON["pattern"], said)


def test_a_long_message_is_cut_between_characters() -> None:
    reason = close_reason(codes.KICKED, None, "ã" * 500)
    assert reason.startswith("KICKED: ãã")
    assert 121 <= len(reason.encode()) <= 123
    assert close_reason(codes.KICKED, None, "\ud800").startswith("KICKED: ")
