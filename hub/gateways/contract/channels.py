"""Where messages are spoken: the namespaces of Socket.IO, raw WebSocket, Server-Sent Events, and
the journal that workers write to; what the hub does at each."""

from collections.abc import Mapping, Sequence
from inspect import getdoc
from typing import Any, Final

from msgspec import Struct

from hub.broker.keys import EMITTERS
from hub.domain import codes
from hub.gateways.contract import admin_messages, commands, examples, messages
from hub.gateways.contract.commands import Command
from hub.gateways.contract.schemas import Json
from hub.gateways.doors import LiveQuery
from hub.gateways.http.jobs import KINDS
from hub.gateways.http.operation import PATH_PARAMETERS
from hub.gateways.http.publish import TRACED
from hub.gateways.sio.admin import AdminAuth
from hub.gateways.sio.hub import Auth
from hub.gateways.ws import CLOSE_REASON

ADMITTING: Final = (
    codes.UNAUTHENTICATED,
    codes.TOKEN_EXPIRED,
    codes.KICKED,
    codes.BANNED,
    codes.RATE_LIMITED,
    codes.TOO_MANY_CONNECTIONS,
    codes.INVALID_REQUEST,
    codes.UNSUPPORTED_VERSION,
    codes.INSUFFICIENT_PERMISSIONS,
    codes.UNAVAILABLE,
    codes.INTERNAL,
)
"""Why one may not be let in."""

ENDING: Final = tuple(
    each for each in codes.CATALOGUE.values() if each.ws is not None and each is not codes.INTERNAL
)
"""Why a connection may end."""


class Message(Struct, frozen=True, kw_only=True):
    """A message. ``key``: unlike any other in the document; ``name``: of the event, as the protocol
    has it. ``shape``: of its payload, or the name of a schema; ``headers``: what is said beside it,
    by name."""

    key: str
    name: str
    about: str
    shape: type | str
    examples: tuple[Any, ...]
    headers: Mapping[str, Json] = {}


class Operation(Struct, frozen=True, kw_only=True):
    """What the hub does: it ``receive``s one of ``messages``, and answers with one of ``replies``;
    or it ``send``s them. ``refusals``: with which codes it refuses, or ends a connection;
    ``because``: of some of them, when."""

    key: str
    action: str
    summary: str
    description: str
    messages: tuple[Message, ...]
    replies: tuple[Message, ...] = ()
    refusals: tuple[codes.Code, ...] = ()
    because: Mapping[codes.Code, str] = {}


class Channel(Struct, frozen=True, kw_only=True):
    """A place. ``server``: its protocol. ``parameters``: of the address; ``query``: what else the
    address takes. ``refusals``: of what is none of ``operations``; ``more``: what AsyncAPI has no
    field for."""

    key: str
    address: str
    server: str
    title: str
    description: str
    operations: tuple[Operation, ...]
    parameters: Mapping[str, Json] = {}
    query: type[Struct] | None = None
    refusals: tuple[codes.Code, ...] = ()
    more: Json = {}


def _event_message(shape: Any) -> Message:
    type_ = getattr(shape.__struct_config__, "tag", None)
    return Message(
        key=_camel(shape.__name__),
        name="event",
        about=(getdoc(shape) or "").partition("\n")[0],
        shape=shape,
        examples=(examples.EVENTS[str(type_ or "")],),
    )


def _camel(name: str) -> str:
    words = name.replace(":", " ").split()
    joined = "".join(word[:1].upper() + word[1:] for word in words)
    return joined[:1].lower() + joined[1:]


def _word(name: str, shape: type, *shown: Any, key: str | None = None) -> Message:
    about = (getdoc(shape) or "").replace("\n", " ")
    return Message(key=key or _camel(name), name=name, about=about, shape=shape, examples=shown)


EVENTS: Final = tuple(map(_event_message, messages.EVENTS))
JOB_EVENTS: Final = tuple(map(_event_message, messages.JOB_EVENTS))
BROADCAST: Final = _event_message(messages.BroadcastEvent)
CLOSING: Final = _word("closing", messages.Closing, examples.CLOSING)
TOKEN_EXPIRING: Final = _word(
    "token-expiring", messages.TokenExpiring, examples.TOKEN_EXPIRING, key="tokenExpiring"
)
REFUSAL: Final = _word("acknowledgement", messages.Refusal, *examples.REFUSALS, key="refusal")
STREAM_RESET: Final = _word("RESET", messages.StreamReset, examples.STREAM_RESET, key="streamReset")


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
        examples=(each.example,),
    )
    answered = Message(
        key=f"{key}Answer",
        name="acknowledgement",
        about=f"The acknowledgement of `{each.name}`.",
        shape=answer_schema(namespace, each),
        examples=({"ok": True, "data": each.answer_example},),
    )
    return Operation(
        key=key,
        action="receive",
        summary=each.summary,
        description=each.description,
        messages=(asked,),
        replies=(answered, REFUSAL),
        refusals=each.refusals,
        because=each.because,
    )


def _connect(
    namespace: str, shape: type, example: Any, refusals: Sequence[codes.Code]
) -> Operation:
    key = _camel(f"{namespace} connect")
    return Operation(
        key=key,
        action="receive",
        summary="Connect to the namespace.",
        description="The `auth` of Socket.IO's CONNECT. In place of `token` there may be an "
        "`Authorization` header. A refused client gets `connect_error`.",
        messages=(_word("CONNECT", shape, example, key=key),),
        replies=(
            _word("CONNECT", messages.Connected, examples.CONNECTED, key="connected"),
            _word(
                "connect_error", messages.ConnectError, *examples.CONNECT_ERRORS, key="connectError"
            ),
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
        _connect("", Auth, examples.CONNECT, ADMITTING),
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
    refusals=(codes.UNKNOWN_COMMAND,),
)

ADMIN: Final = Channel(
    key="admin",
    address="/admin",
    server="socketio",
    title="Socket.IO, namespace /admin",
    description="What administrators see and do, on the whole cluster. Role `admin`. Every command "
    "is in the audit log.",
    operations=(
        _connect("admin", AdminAuth, examples.ADMIN_CONNECT, ADMITTING),
        Operation(
            key="report",
            action="send",
            summary="The figures every two seconds, and what is tailed.",
            description="Left out where the connection does not keep up: the next one says more.",
            messages=(
                _word("hello", admin_messages.AdminHello, examples.ADMIN_HELLO, key="adminHello"),
                _word("stats", admin_messages.StatsFigures, examples.STATS),
                _word("tail", admin_messages.TailStep, examples.TAIL),
                TOKEN_EXPIRING,
                CLOSING,
            ),
            refusals=ENDING,
        ),
        *(_command("admin", each) for each in commands.ADMIN),
    ),
    refusals=(codes.UNKNOWN_COMMAND,),
)

_JOB_ID, _THE_JOB = PATH_PARAMETERS["jobId"]
_PLACE: Final[dict[str, Json]] = {
    "kind": {"description": "What kind of job; `jobs` serves all.", "enum": list(KINDS)},
    "jobId": {"description": _THE_JOB, "x-schema": {"type": "string", "pattern": _JOB_ID}},
}
_AT_THE_DOOR: Final = (*ADMITTING, codes.JOB_NOT_FOUND, codes.DRAINING)
_STREAM_REFUSALS: Final = tuple(dict.fromkeys((*_AT_THE_DOOR, *ENDING)))

WEBSOCKET: Final = Channel(
    key="websocket",
    address="/v1/{kind}/{jobId}/progress",
    server="websocket",
    title="Raw WebSocket",
    description="One envelope per text message; nothing is expected from the client. Before the "
    "upgrade a refusal is a plain HTTP problem. Closes with 1000 after the job's last event, else "
    "with the close code of a refusal and a reason of the form `x-close-reason`.",
    parameters=_PLACE,
    query=LiveQuery,
    refusals=(codes.METHOD_NOT_ALLOWED,),
    more={"x-close-reason": CLOSE_REASON},
    operations=(
        Operation(
            key="streamOverWebSocket",
            action="send",
            summary="The job's events.",
            description="First what was missed, then what comes. The close codes are those of the "
            "catalogue.",
            messages=(*JOB_EVENTS, BROADCAST, STREAM_RESET),
            refusals=_STREAM_REFUSALS,
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
    query=LiveQuery,
    refusals=(codes.METHOD_NOT_ALLOWED,),
    operations=(
        Operation(
            key="streamOverSse",
            action="send",
            summary="The job's events.",
            description="First what was missed, then what comes.",
            messages=(
                *JOB_EVENTS,
                BROADCAST,
                STREAM_RESET,
                CLOSING,
                _word("end", messages.StreamEnd, examples.END),
            ),
            refusals=_STREAM_REFUSALS,
        ),
    ),
)

_PARTITION: Final[dict[str, Json]] = {"partition": {"description": "`{pNN}`, with its braces."}}

JOURNAL: Final = Channel(
    key="journal",
    address="hub:{partition}:journal",
    server="redis",
    title="The journal in Redis",
    description="`XADD hub:{pNN}:journal * p <publication JSON>`: the braces are part of the key, "
    "`NN` is crc32(channel) mod `HUB_PARTITIONS` (16) in two digits, the channel the publication's "
    "first one. A field `t` beside `p` makes what becomes of it part of a trace.",
    parameters=_PARTITION,
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
                    examples=(examples.PUBLICATION,),
                    headers={"t": {"type": "string", "description": TRACED}},
                ),
            ),
            refusals=(
                codes.INVALID_REQUEST,
                codes.PAYLOAD_TOO_LARGE,
                codes.CONFLICT,
                codes.JOB_NOT_FOUND,
            ),
        ),
    ),
)

DEAD: Final = Channel(
    key="dead",
    address="hub:{partition}:dead",
    server="redis",
    title="Dead letters in Redis",
    description="The stream of what was on the partition's journal and can never be processed. "
    "`dead`, `dead:replay` and `dead:drop` of `/admin` are the way to deal with it.",
    parameters=_PARTITION,
    operations=(
        Operation(
            key="bury",
            action="send",
            summary="Publications that could not be processed.",
            description="Each is an entry with its reason, which begins with a code.",
            messages=(_word("deadLetter", messages.BuriedPublication, examples.BURIED),),
        ),
    ),
)

EMISSIONS: Final = Channel(
    key="emissions",
    address=EMITTERS,
    server="redis",
    title="What existing code emits through python-socketio",
    description="The pub/sub channel of python-socketio's Redis managers. Best effort: told to who "
    "is there, not stored, without an offset. What else comes here is dropped, and counted.",
    operations=(
        Operation(
            key="emit",
            action="receive",
            summary="Events for whoever follows a channel on Socket.IO now.",
            description="They get it under its own name, with its arguments and the client's "
            "offset last. At most `HUB_MAX_MESSAGE` bytes. Nobody is told of one that is not "
            "taken.",
            messages=(_word("emission", messages.Emitted, examples.EMISSION),),
        ),
    ),
)

CHANNELS: Final = (MAIN, ADMIN, WEBSOCKET, SSE, JOURNAL, DEAD, EMISSIONS)
