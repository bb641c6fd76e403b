from __future__ import annotations

import json

import pytest

from hub.delivery.message import Message, Reset
from hub.domain.events import Encoded


def test_a_message_is_encoded_once_for_all_its_subscribers() -> None:
    message = Message("job:j1", "e1", Encoded(3, b'{"offset":3}'))
    assert (message.channel, message.epoch, message.offset) == ("job:j1", "e1", 3)
    assert message.socketio is message.socketio
    packet = message.socketio + b'3"]'
    assert packet.startswith(b"42")
    assert json.loads(packet[2:]) == ["event", {"offset": 3}, "3"]


def test_a_reset_says_where_to_go_on_and_of_a_job_what_it_looks_like() -> None:
    plain = Reset("topic:t", "e1", 9)
    assert json.loads(plain.payload) == {"channel": "topic:t", "epoch": "e1", "offset": 9}
    job = Reset("job:j1", "e1", 9, {"status": "GENERATING"})
    assert json.loads(job.payload)["snapshot"] == {"status": "GENERATING"}
    packet = job.socketio + b'1"]'
    assert json.loads(packet[2:]) == ["reset", json.loads(job.payload), "1"]
    assert job.socketio is job.socketio


@pytest.mark.parametrize("envelope", [b"", b"[]", b"\xff", b'{"type":"X","data":1}'])
def test_of_an_envelope_that_no_ingest_wrote_nothing_is_known(envelope: bytes) -> None:
    message = Message("user:u1", "e", Encoded(1, envelope + b'"SUBSCRIPTIONS"'))
    assert (message.ends_job, message.topic) == (False, "")
    assert message.sse
