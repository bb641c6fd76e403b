"""Every command of both Socket.IO namespaces (contract sections 4 and 9): what it takes, in the
very shape that its handler parses, what it is answered with, and why it may be refused."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from hub.domain import codes
from hub.gateways.contract import admin_messages, examples, messages
from hub.gateways.http.documents import MarkedNotifications, NotificationPage
from hub.gateways.inbox import ListNotifications, MarkNotifications
from hub.gateways.sio import admin_payloads as admin
from hub.gateways.sio.commands import SUBSCRIPTIONS_AT_MOST, Subscribe, Unsubscribe
from hub.gateways.sio.identity import Refresh

EVERY_COMMAND: Final = (
    codes.RATE_LIMITED,
    codes.INVALID_REQUEST,
    codes.UNAVAILABLE,
    codes.INTERNAL,
)
"""What every command may be refused with."""

ANOTHER_TOKEN: Final = (
    *EVERY_COMMAND,
    codes.UNAUTHENTICATED,
    codes.TOKEN_EXPIRED,
    codes.BANNED,
    codes.INSUFFICIENT_PERMISSIONS,
)
"""Likewise, one that brings another token."""


class Command(Struct, frozen=True, kw_only=True):
    """``payload``: what it takes. ``answer``: the ``data`` of its acknowledgement. ``refusals``:
    codes of the acknowledgement that refuses it; ``because``: of some of them, when."""

    name: str
    summary: str
    description: str
    payload: type
    answer: type
    example: dict[str, Any]
    answer_example: dict[str, Any]
    refusals: tuple[codes.Code, ...] = EVERY_COMMAND
    because: Mapping[codes.Code, str] = {}


MAIN: Final = (
    Command(
        name="subscribe",
        summary="Follow a channel.",
        description="With `epoch` and `offset` of the last event that the client has, what it "
        "missed comes in `events`; without, all of a job's events so far, and none of another "
        "channel's. Every `event` after the answer has the next offset.",
        payload=Subscribe,
        answer=messages.Subscribed,
        example={"channel": examples.CHANNEL, "epoch": "q7Zk", "offset": 16},
        answer_example=examples.SUBSCRIBED,
        refusals=(
            *EVERY_COMMAND,
            codes.INSUFFICIENT_PERMISSIONS,
            codes.JOB_NOT_FOUND,
            codes.TOO_MANY_CONNECTIONS,
            codes.CONFLICT,
        ),
        because={
            codes.CONFLICT: f"a connection follows at most {SUBSCRIPTIONS_AT_MOST} channels, those "
            "that its user has anyway included"
        },
    ),
    Command(
        name="unsubscribe",
        summary="Stop following a channel.",
        description="Harmless when the channel is not followed.",
        payload=Unsubscribe,
        answer=messages.Nothing,
        example={"channel": examples.CHANNEL},
        answer_example={},
    ),
    Command(
        name="notifications:list",
        summary="A page of the inbox, newest first.",
        description="`cursor` is the `nextCursor` of the page before.",
        payload=ListNotifications,
        answer=NotificationPage,
        example={"filter": "UNREAD", "limit": 20},
        answer_example=examples.NOTIFICATIONS,
    ),
    Command(
        name="notifications:mark",
        summary="Mark notifications.",
        description='Repeating it changes nothing. `ids: "all"` means everything not dismissed, '
        "with `upTo` only what is not newer than that one.",
        payload=MarkNotifications,
        answer=MarkedNotifications,
        example={"ids": [examples.ID], "as": "READ"},
        answer_example=examples.MARKED,
    ),
    Command(
        name="auth:refresh",
        summary="Go on with another token.",
        description="It has to be the same user's. Channels that it does not allow are left, and "
        "named in `left`. A token that is refused changes nothing.",
        payload=Refresh,
        answer=messages.Refreshed,
        example={"token": "eyJhbGciOiJIUzI1NiJ9…"},
        answer_example={"expiresAt": "2026-01-28T11:15:30.000Z"},
        refusals=ANOTHER_TOKEN,
    ),
)
"""The commands of ``/``."""

ADMIN: Final = (
    Command(
        name="stats",
        summary="The figures of now.",
        description="The same comes by itself every two seconds. `history` adds those of the last "
        "fifteen minutes.",
        payload=admin.StatsPayload,
        answer=admin_messages.StatsFigures,
        example={"history": True},
        answer_example=examples.STATS | {"history": [examples.MOMENT]},
    ),
    Command(
        name="connections",
        summary="Connections of the whole cluster.",
        description="Of a user, of those who follow a job, or all.",
        payload=admin.Connections,
        answer=admin_messages.ConnectionPage,
        example={"userId": "u1"},
        answer_example=examples.CONNECTIONS,
    ),
    Command(
        name="kick",
        summary="End connections, on every node and door.",
        description="With `banSeconds` their users are kept out for so long. Nobody being "
        "connected is no mistake.",
        payload=admin.KickPayload,
        answer=admin_messages.KickedConnections,
        example={"userId": "u1", "message": "maintenance", "banSeconds": 60},
        answer_example={"connections": 2, "users": ["u1"]},
    ),
    Command(
        name="unban",
        summary="Let a user in again.",
        description="Ends a ban before its time.",
        payload=admin.Unban,
        answer=messages.Nothing,
        example={"userId": "u1"},
        answer_example={},
    ),
    Command(
        name="revoke",
        summary="Take back tokens.",
        description="One token by its `jti`, or all of a user that were issued until now. Their "
        "connections end.",
        payload=admin.Revoke,
        answer=messages.Nothing,
        example={"userId": "u2"},
        answer_example={},
    ),
    Command(
        name="broadcast",
        summary="Say something to many.",
        description="With `persist` it is a notification in their inboxes, else one `event` of "
        "type `BROADCAST` to whoever is connected now.",
        payload=admin.Broadcast,
        answer=admin_messages.BroadcastReceipt,
        example={"title": "Maintenance", "body": "at ten", "to": "all", "persist": False},
        answer_example={"id": examples.ID, "connections": 12},
    ),
    Command(
        name="jobs",
        summary="All jobs, the latest begun first.",
        description="`status` picks those of one status.",
        payload=admin.Jobs,
        answer=admin_messages.AdminJobPage,
        example={"status": "GENERATING"},
        answer_example=examples.ADMIN_JOBS,
    ),
    Command(
        name="trace",
        summary="What is known of an event's way.",
        description="Stored, waiting on a journal, or dead; which nodes routed it, to which "
        "sockets it was written, when it was seen and read.",
        payload=admin.TracePayload,
        answer=admin_messages.Trace,
        example={"eventId": examples.ID},
        answer_example=examples.TRACE,
        refusals=(*EVERY_COMMAND, codes.NOT_FOUND),
    ),
    Command(
        name="tail",
        summary="Show what happens to the events of a user or job.",
        description="As `tail` events, until `untail` or the end of the connection. With `sid`, "
        "the frames of one connection are in its node's log instead.",
        payload=admin.TailPayload,
        answer=admin_messages.Tailed,
        example={"userId": "u1"},
        answer_example={"channel": "user:u1"},
        refusals=(*EVERY_COMMAND, codes.CONFLICT),
    ),
    Command(
        name="untail",
        summary="Show that no more.",
        description="Without a payload, of nothing.",
        payload=admin.UntailPayload,
        answer=messages.Nothing,
        example={"userId": "u1"},
        answer_example={},
    ),
    Command(
        name="dead",
        summary="Publications that could not be processed.",
        description="Newest first.",
        payload=admin.DeadPayload,
        answer=admin_messages.DeadLetterPage,
        example={},
        answer_example=examples.DEAD,
    ),
    Command(
        name="dead:replay",
        summary="Put dead letters back on their journals.",
        description="`missing`: those that are not there any more.",
        payload=admin.Letters,
        answer=admin_messages.Replayed,
        example={"ids": ["05:1769595330123-0"]},
        answer_example={"replayed": 1, "missing": []},
    ),
    Command(
        name="dead:drop",
        summary="Throw dead letters away.",
        description="`missing`: those that are not there any more.",
        payload=admin.Letters,
        answer=admin_messages.Dropped,
        example={"ids": ["05:1769595330123-0"]},
        answer_example={"dropped": 1, "missing": []},
    ),
    Command(
        name="audit",
        summary="What administrators did.",
        description="Newest first. Every command of this namespace is in it.",
        payload=admin.AuditPayload,
        answer=admin_messages.AuditPage,
        example={},
        answer_example=examples.AUDIT,
    ),
    Command(
        name="auth:refresh",
        summary="Go on with another token.",
        description="It has to be the same administrator's. A token that is refused changes "
        "nothing.",
        payload=Refresh,
        answer=messages.Refreshed,
        example={"token": "eyJhbGciOiJIUzI1NiJ9…"},
        answer_example={"expiresAt": "2026-01-28T11:15:30.000Z"},
        refusals=ANOTHER_TOKEN,
    ),
)
"""The commands of ``/admin``."""
