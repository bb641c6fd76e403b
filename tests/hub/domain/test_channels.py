from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given

from hub.domain import channels
from hub.domain.channels import Channel, Kind, parse_channel
from tests.hub.domain import samples


@pytest.mark.parametrize(
    ("name", "kind", "subject"),
    [
        ("all", Kind.ALL, ""),
        ("job:550e8400-e29b-41d4-a716-446655440000", Kind.JOB, None),
        ("user:u1", Kind.USER, "u1"),
        ("user:a:b", Kind.USER, "a:b"),
        ("topic:team.updated", Kind.TOPIC, "team.updated"),
        ("topic:all", Kind.TOPIC, "all"),
        ("job:" + "x" * 128, Kind.JOB, "x" * 128),
    ],
)
def test_channel_names(name: str, kind: Kind, subject: str | None) -> None:
    channel = parse_channel(name)
    assert channel == Channel(kind, name.partition(":")[2] if subject is None else subject)
    assert str(channel) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ":",
        "job",
        "job:",
        ":x",
        "all:",
        "all:x",
        "All",
        "JOB:1",
        "team:1",
        "job: 1",
        "job:1 ",
        "job:1\n",
        " job:1",
        "user:-a",
        "topic:é",
        "job:" + "x" * 129,
        "all\n",
    ],
)
def test_names_of_no_channel(name: str) -> None:
    assert parse_channel(name) is None


@given(samples.user_ids)
def test_a_channel_is_parsed_back_from_its_name(subject: str) -> None:
    for make, kind in (
        (channels.job_channel, Kind.JOB),
        (channels.user_channel, Kind.USER),
        (channels.topic_channel, Kind.TOPIC),
    ):
        assert parse_channel(make(subject)) == Channel(kind, subject)


@given(samples.user_ids)
def test_the_partition_is_what_other_languages_compute(subject: str) -> None:
    name = channels.job_channel(subject)
    assert channels.partition_of(name, 16) == crc32(name.encode()) % 16


def test_known_partitions() -> None:
    """Fixed: entries that are in a journal must not belong elsewhere after an upgrade."""
    names = ["all", "job:j1", "user:u1", "topic:news"]
    assert [channels.partition_of(name, 16) for name in names] == [13, 10, 8, 8]
    assert channels.partition_of("123456789", 1 << 32) == 0xCBF43926  # CRC-32's check value
