"""Whether a publication is the one that is looked for."""

from __future__ import annotations

import json

import pytest

from hub.broker.backlog import is_of

ID = "01a21e93-d222-70ed-a478-8506b33f4dfb"
DEEP = f'{{"id":"{ID}","x":{"[" * 20_000}{"]" * 20_000}}}'


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (json.dumps({"id": ID}), True),
        (json.dumps({"id": ID.upper()}), True),
        (json.dumps({"id": "another", "jobId": ID}), False),
        (json.dumps({"jobId": ID}), False),
        (json.dumps({"id": [ID]}), True),
        (f'{{"id": "{ID}', True),
        (DEEP, True),
        ("nonsense", False),
    ],
)
def test_by_its_id_or_where_it_cannot_be_read_by_its_text(raw: str, found: bool) -> None:
    assert is_of(raw.encode(), ID) is found
