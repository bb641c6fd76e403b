"""Where messages are spoken: the namespaces of Socket.IO, raw WebSocket, Server-Sent Events, and
the journal that workers write to; what the hub does at each."""

from collections.abc import Sequence
from inspect import getdoc
from typing import Any, Final

from msgspec import Struct

from hub.domain import codes
from hub.gateways.contract import admin_messages, commands, examples, messages
from hub.gateways.contract.commands import Command
from hub.gateways.sio.admin import AdminAuth
from hub.gateways.sio.hub import Auth

ADMITTING: Final = (
    *(codes.UNAUTHENTICATED, codes.TOKEN_EXPIRED, codes.KICKED, codes.BANNED, codes.RATE_LIMITED),
    *(codes.TOO_MANY_CONNECTIONS, codes.INVALID_REQUEST, codes.UNSUPPORTED_VERSION),
    *(codes.INSUFFICIENT_PERMISSIONS, codes.UNAVAILABLE, codes.INTERNAL),
)
"""Why one may not be let in."""

ENDING: Final = tuple(
    each for each in codes.CATALOGUE.values() if each.ws is not None and each is not codes.INTERNAL
)
"""Why a connection may end."""


class Message(Struct, frozen=True, kw_only=True):
    """A message. ``key``: unlike any other in the document; ``name``: of the event, as the protocol
    has it. ``shape``: of its payload, or the name of a schema."""

    key: str
    name: str
    about: str
    shape: type | str
    example: Any
    one_of: tuple[str, ...] = ()


class Operation(Struct, frozen=True, kw_only=True):
    """What the hub does: it ``receive``s one of ``messages``, and answers with one of ``replies``;
    or it ``send``s them. ``refusals``: with which codes it refuses, or ends a connection."""

    key: str
    action: str
    summary: str
    description: str
    messages: tuple[Message, ...]
    replies: tuple[Message, ...] = ()
    refusals: tuple[codes.Code, ...] = ()


class Channel(Struct, frozen=True, kw_only=True):
    """A place. ``server``: its protocol. ``parameters``: of the address, each with a description
    and what it may be; ``query``: what else the address takes."""

    key: str
    address: str
    server: str
    title: str
    description: str
    operations: tuple[Operation, ...]
    parameters: dict[str, tuple[str, tuple[str, ...]]] = {}
    query: dict[str, str] = {}


def _event_message(shape: Any) -> Message:
    type_ = getattr(shape.__struct_config__, "tag", None)
    return Message(
        key=_camel(shape.__name__),
        name="event",
        about=(getdoc(shape) or "").partition("\n")[0],
        shape=shape,
        example=examples.EVENTS[str(type_ or "")],
    )


def _camel(name: str) -> str:
    words = name.replace(":", " ").split()
    joined = "".join(word[:1].upper() + word[1:] for word in words)
    return joined[:1].lower() + joined[1:]


def _word(name: str, shape: type, example: Any, key: str | None = None) -> Message:
    about = (getdoc(shape) or "").replace("\n", " ")
    return Message(key=key or _camel(name), name=name, about=about, shape=shape, example=example)


EVENTS: Final = tuple(map(_event_message, messages.EVENTS))
JOB_EVENTS: Final = tuple(map(_event_message, messages.JOB_EVENTS))
BROADCAST: Final = _event_message(messages.BroadcastEvent)
CLOSING: Final = _word("closing", messages.Closing, examples.CLOSING)
TOKEN_EXPIRING: Final = Message(
    key="tokenExpiring",
    name="token-expiring",
    about=getdoc(messages.TokenExpiring) or "",
    shape=messages.TokenExpiring,
    example=examples.TOKEN_EXPIRING,
)
REFUSAL: Final = Message(
    key="refusal",
    name="acknowledgement",
    about=getdoc(messages.Refusal) or "",
    shape=messages.Refusal,
    example={"ok": False, "error": examples.ERROR},
)
STREAM_RESET: Final = _word("RESET", messages.StreamReset, examples.STREAM_RESET, "streamReset")


def answer_schema(namespace: str, command: Command) -> str:
    """The name of the schema of a command's acknowledgement."""
    name = _camel(f"{namespace} {command.name}")
    return f"{name[:1].upper()}{name[1:]}Answer"


def _command(namespace: str, each: Command) -> Operation:
    key = _camel(f"{namespace} {each.name}")
    asked = Message(
        key=key,
        name=each.name,
        about=each.summary,
        shape=each.payload,
        example=each.example,
        one_of=each.one_of,
    )
    answered = Message(
        key=f"{key}Answer",
        name="acknowledgement",
        about=f"The acknowledgement of `{each.name}`.",
        shape=answer_schema(namespace, each),
        example={"ok": True, "data": each.answer_example},
    )
    return Operation(
        key=key,
        action="receive",
        summary=each.summary,
        description=each.description,
        messages=(asked,),
        replies=(answered, REFUSAL),
        refusals=each.refusals,
    )


def _connect(namespace: str, shape: type, refusals: Sequence[codes.Code]) -> Operation:
    key = _camel(f"{namespace} connect")
    return Operation(
        key=key,
        action="receive",
        summary="Connect to the namespace.",
        description="The `auth` of Socket.IO's CONNECT. In place of `token` there may be an "
        "`Authorization` header. A refused client gets `connect_error`.",
        messages=(
            Message(
                key=key,
                name="CONNECT",
                about=(getdoc(shape) or "").replace("\n", " "),
                shape=shape,
                example=examples.CONNECT if shape is Auth else {"token": "eyJhbGciOiJIUzI1NiJ9…"},
            ),
        ),
        replies=(
            _word("CONNECT", messages.Connected, examples.CONNECTED, "connected"),
            _word("connect_error", messages.ConnectError, examples.CONNECT_ERROR, "connectError"),
        ),
        refusals=tuple(refusals),
    )


MAIN: Final = Channel(
    key="main",
    address="/",
    server="socketio",
    title="Socket.IO, namespace /",
    description="Everything that a user sees. Each event of the hub has one more, last argument: "
    "an opaque string, the offset of Socket.IO's connection state recovery. Events of other names "
    "come from existing code that emits with a manager of python-socketio.",
    operations=(
        _connect("", Auth, ADMITTING),
        Operation(
            key="tell",
            action="send",
            summary="Events of the channels that the connection follows.",
            description="In the order of each channel's `offset`, each once. What is stored comes "
            "after it was stored.",
            messages=EVENTS,
        ),
        Operation(
            key="inform",
            action="send",
            summary="The hub's own words.",
            description="`hello` comes first on every connect, `closing` last; a `reset` in place "
            "of what cannot be delivered.",
            messages=(
                _word("hello", messages.Hello, examples.HELLO),
                _word("reset", messages.Reset, examples.RESET),
                TOKEN_EXPIRING,
                CLOSING,
            ),
            refusals=ENDING,
        ),
        *(_command("", each) for each in commands.MAIN),
    ),
)

ADMIN: Final = Channel(
    key="admin",
    address="/admin",
    server="socketio",
    title="Socket.IO, namespace /admin",
    description="What administrators see and do, on the whole cluster. Role `admin`. Every command "
    "is in the audit log.",
    operations=(
        _connect("admin", AdminAuth, ADMITTING),
        Operation(
            key="report",
            action="send",
            summary="The figures every two seconds, and what is tailed.",
            description="Left out where the connection does not keep up: the next one says more.",
            messages=(
                _word("stats", admin_messages.StatsFigures, examples.STATS, "stats"),
                _word("tail", admin_messages.TailStep, examples.TAIL, "tail"),
                TOKEN_EXPIRING,
                CLOSING,
            ),
            refusals=ENDING,
        ),
        *(_command("admin", each) for each in commands.ADMIN),
    ),
)

_KINDS: Final = ("generation-jobs", "team-executions", "jobs")
_PLACE: Final = {
    "kind": ("What kind of job; `jobs` serves all.", _KINDS),
    "jobId": ("The job.", ()),
}
_QUERY: Final = {
    "v": "The version of the contract; the header `Hub-Version` says the same.",
    "epoch": "With `offset`: of the last event that the client has.",
    "offset": "The place of that event in the job's log.",
    "ticket": "A one-time ticket of `POST /v1/tickets`, in place of a token.",
}
_AT_THE_DOOR: Final = (
    *(*ADMITTING, codes.JOB_NOT_FOUND),
    codes.DRAINING,
)

WEBSOCKET: Final = Channel(
    key="websocket",
    address="/v1/{kind}/{jobId}/progress",
    server="websocket",
    title="Raw WebSocket",
    description="One envelope per text message; nothing is expected from the client. Before the "
    "upgrade a refusal is a plain HTTP problem. Closes with 1000 after the job's last event.",
    parameters=_PLACE,
    query=_QUERY,
    operations=(
        Operation(
            key="streamOverWebSocket",
            action="send",
            summary="The job's events.",
            description="First what was missed, then what comes. The close codes are those of the "
            "catalogue.",
            messages=(*JOB_EVENTS, BROADCAST, STREAM_RESET),
            refusals=tuple(dict.fromkeys((*_AT_THE_DOOR, *ENDING))),
        ),
    ),
)

SSE: Final = Channel(
    key="sse",
    address="/v1/{kind}/{jobId}/progress",
    server="sse",
    title="Server-Sent Events",
    description="`id: <epoch>:<offset>`, `event: <type>`, `data: <envelope>`. `Last-Event-ID` "
    "replays. After the job's end `event: end`; who comes back with everything gets 204.",
    parameters=_PLACE,
    query=_QUERY,
    operations=(
        Operation(
            key="streamOverSse",
            action="send",
            summary="The job's events.",
            description="First what was missed, then what comes.",
            messages=(
                *(*JOB_EVENTS, BROADCAST, STREAM_RESET, CLOSING),
                _word("end", messages.StreamEnd, examples.END),
            ),
            refusals=tuple(dict.fromkeys((*_AT_THE_DOOR, *ENDING))),
        ),
    ),
)

JOURNAL: Final = Channel(
    key="journal",
    address="hub:{partition}:journal",
    server="redis",
    title="The journal in Redis",
    description="`XADD hub:{pNN}:journal * p <publication JSON>`: the braces are part of the key, "
    "`NN` is crc32(channel) mod `HUB_PARTITIONS` (16) in two digits, the channel the publication's "
    "first one. What can never be processed goes to `hub:{pNN}:dead` with its reason.",
    parameters={"partition": ("`{pNN}`, with its braces.", ())},
    operations=(
        Operation(
            key="publish",
            action="receive",
            summary="Publications of workers.",
            description="Accepted once Redis holds it; the same `id` twice has effect once. "
            "`POST /v1/publish` takes the same.",
            messages=(
                Message(
                    key="publication",
                    name="publication",
                    about="What a worker reports, at most 64 KiB.",
                    shape="Publication",
                    example=examples.PUBLICATION,
                ),
            ),
            refusals=(
                *(codes.INVALID_REQUEST, codes.PAYLOAD_TOO_LARGE),
                *(codes.CONFLICT, codes.JOB_NOT_FOUND),
            ),
        ),
    ),
)

CHANNELS: Final = (MAIN, ADMIN, WEBSOCKET, SSE, JOURNAL)
