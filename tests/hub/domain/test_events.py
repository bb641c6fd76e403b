from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given

from hub.domain.events import Event
from tests.hub.domain import samples


def event(**more: Any) -> Event:
    given: dict[str, Any] = {
        "id": str(samples.uuid(1)),
        "channel": "job:j1",
        "epoch": "q7Zk",
        "offset": 17,
        "type": "SCENARIO_COMPLETED",
        "data": {"title": "Gestão"},
        "timestamp": samples.after(330.1239),
    }
    return Event(**(given | more))


def test_the_envelope_is_the_contracts_field_by_field_in_its_order() -> None:
    progress = {"completedScenarios": 5, "percentage": 41.67}
    encoded = event(job_id="j1", progress=progress).encode()
    pairs = json.loads(encoded, object_pairs_hook=list)
    assert [
        (key, value if key not in ("data", "progress") else dict(value)) for key, value in pairs
    ] == [
        ("v", 1),
        ("id", str(samples.uuid(1))),
        ("channel", "job:j1"),
        ("epoch", "q7Zk"),
        ("offset", 17),
        ("type", "SCENARIO_COMPLETED"),
        ("jobId", "j1"),
        ("data", {"title": "Gestão"}),
        ("progress", progress),
        ("timestamp", "2026-01-28T10:15:30.123Z"),
    ]


def test_job_id_and_progress_are_only_where_they_apply() -> None:
    assert list(json.loads(event().encode())) == [
        *("v", "id", "channel", "epoch", "offset", "type", "data", "timestamp")
    ]


@given(samples.json_objects)
def test_data_survives_and_the_envelope_is_one_line(data: dict[str, Any]) -> None:
    """Live batches are separated by line ends, so an envelope must have none."""
    encoded = event(data=data).encode()
    assert b"\n" not in encoded
    assert msgspec.json.decode(encoded)["data"] == data
