"""Socket.IO packets, read and written."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.delivery.frames import Binary
from hub.gateways.sio import packets
from hub.gateways.sio.packets import BadPacket, Packet

LEAVES = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.binary()
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


def attachments(value: Any) -> int:
    """How many there are in it."""
    if isinstance(value, list):
        return sum(map(attachments, value))
    if isinstance(value, dict):
        return sum(map(attachments, value.values()))
    return isinstance(value, bytes)


@given(
    st.sampled_from([packets.EVENT, packets.ACK]),
    st.sampled_from(["/", "/custom", "/a-b_c"]),
    st.none() | st.integers(0, 10**17),
    st.lists(VALUES, max_size=4),
)
def test_what_is_written_is_read_back(
    kind: int, namespace: str, ack_id: int | None, args: list[Any]
) -> None:
    data = ["name", *args] if kind == packets.EVENT else args
    prefix = b"" if namespace == "/" else namespace.encode() + b","
    head, *parts = packets.encode(kind, prefix, ack_id, data)
    assert len(parts) == attachments(data)
    assert head[:1] == b"4"
    if len(parts) > packets.ATTACHMENTS_AT_MOST:
        with pytest.raises(BadPacket):
            packets.decode(head[1:].decode())
        return
    parsed = packets.decode(head[1:].decode())
    for index, part in enumerate(parts, start=1):
        assert isinstance(part, Binary)
        assert parsed.attach(part) is (index == len(parts))
    assert (parsed.type, parsed.namespace, parsed.ack_id) == (kind, namespace, ack_id)
    assert parsed.data == data


@given(st.text())
def test_any_text_is_a_packet_or_a_bad_one(text: str) -> None:
    with suppress(BadPacket):
        assert isinstance(packets.decode(text), Packet)


@given(st.from_regex(r"[0-6]([0-9]{1,3}-)?(/[a-z?=]*,?)?[0-9]{0,20}[\[{]?.{0,20}", fullmatch=True))
def test_nearly_a_packet(text: str) -> None:
    try:
        parsed = packets.decode(text)
    except BadPacket:
        return
    assert parsed.namespace.startswith("/")
    assert "?" not in parsed.namespace


def test_depth_of_placeholders_is_no_way_to_break_out() -> None:
    depth = 900
    parsed = packets.decode('51-["n",' + "[" * depth + "1" + "]" * depth + "]")
    with suppress(BadPacket):
        assert parsed.attach(b"")
