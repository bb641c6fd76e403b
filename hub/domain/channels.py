"""Channels: the named logs that events are appended to and clients follow (contract section 3)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from zlib import crc32

from hub.domain import ids


class Kind(StrEnum):
    """The four kinds of channel, by the word before the colon."""

    JOB = "job"
    USER = "user"
    TOPIC = "topic"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel name taken apart: ``job:42`` is ``Channel(Kind.JOB, "42")``."""

    kind: Kind
    subject: str

    def __str__(self) -> str:
        return self.kind if self.kind is Kind.ALL else f"{self.kind}:{self.subject}"


ALL: Final = "all"
TOPIC: Final = rf"^topic:{ids.NAME}\Z"
"""Pattern of the name of a topic's channel."""

CHANNEL: Final = rf"^({ALL}|({Kind.JOB}|{Kind.USER}|{Kind.TOPIC}):{ids.NAME})\Z"
"""Pattern of the name of any channel: what ``parse_channel`` takes."""


def parse_channel(name: str) -> Channel | None:
    """The channel that ``name`` names, or None if it is no channel name."""
    if name == ALL:
        return Channel(Kind.ALL, "")
    kind, colon, subject = name.partition(":")
    if not colon or kind not in (Kind.JOB, Kind.USER, Kind.TOPIC) or not ids.is_user_id(subject):
        return None
    return Channel(Kind(kind), subject)


def job_channel(job_id: str) -> str:
    """``job:<jobId>``"""
    return f"{Kind.JOB}:{job_id}"


def user_channel(user_id: str) -> str:
    """``user:<userId>``"""
    return f"{Kind.USER}:{user_id}"


def topic_channel(topic: str) -> str:
    """``topic:<name>``"""
    return f"{Kind.TOPIC}:{topic}"


def partition_of(channel: str, partitions: int) -> int:
    """The partition whose journal, log and writer a channel belongs to (contract section 8)."""
    return crc32(channel.encode()) % partitions
