from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hub.domain import notifications, times
from tests.hub.domain import samples
from tests.hub.domain.samples import T0

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("given", "shown"), [(None, None), (T0 + DAY, T0 + DAY), (T0 + 3 * DAY, T0 + 2 * DAY)]
)
def test_an_item_shows_when_it_ends_if_it_was_to_expire(given: Any, shown: Any) -> None:
    more = {} if given is None else {"expires_at": given}
    sent = samples.notification(1, "u1", **more)
    item = notifications.item(sent, "u1", T0, 2 * DAY)
    assert item.wire().get("expiresAt") == times.wire_or_none(shown)
    assert item.content.get("expiresAt") == times.wire_or_none(given)  # what is stored is as it was
