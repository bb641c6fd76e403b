"""``/v1/generation-jobs/{jobId}/…``, ``/v1/team-executions/…`` and ``/v1/jobs/…``."""

from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from hub.domain import codes, ids, times
from hub.domain.events import Position
from hub.domain.publications import JOB_EVENT_DATA, UpperSnake, UserId
from hub.domain.snapshot import summary
from hub.gateways.doors import Doors, LiveQuery
from hub.gateways.given import Epoch, Offset, Spoken
from hub.gateways.http import examples
from hub.gateways.http.documents import JobHistory, JobList, JobSnapshot
from hub.gateways.http.operation import KNOWN, Answer, Header, Operation
from hub.gateways.http.problems import Handler
from hub.gateways.http.request import answer, principal, query
from hub.services.identity import Identity
from hub.services.jobs import JobKey, Jobs

KINDS: Final[dict[str, str | None]] = {
    "generation-jobs": "GENERATION_JOB",
    "team-executions": "TEAM_EXECUTION",
    "jobs": None,
}
"""What each path serves; None for every kind of job."""


_NAMES: Final = {
    "generation-jobs": "GenerationJob",
    "team-executions": "TeamExecution",
    "jobs": "Job",
}
_CURSOR: Final = r"^[A-Za-z0-9_-]{1,32}\.(0|[1-9]\d{0,14})\Z"
_JOBS_CURSOR: Final = rf"^(0|[1-9]\d{{0,13}})\.job:{ids.NAME}\Z"
_REFUSALS: Final = (*KNOWN, codes.INSUFFICIENT_PERMISSIONS, codes.JOB_NOT_FOUND)


class PollQuery(Struct, forbid_unknown_fields=True):
    """Parameters of a poll: those of the live doors, so that one address serves both. A snapshot
    is always the newest."""

    epoch: Epoch | None = None
    offset: Offset | None = None
    v: Spoken | None = None


class HistoryQuery(Struct, forbid_unknown_fields=True):
    """Parameters of the history."""

    since: (
        Annotated[
            str,
            Meta(
                description="Only what came after this instant (RFC 3339, with a zone).",
                extra_json_schema={"format": "date-time"},
            ),
        ]
        | None
    ) = None
    type: list[
        Annotated[
            str,
            Meta(
                description="Only events of this type; may be repeated.",
                extra_json_schema={"enum": sorted(JOB_EVENT_DATA)},
            ),
        ]
    ] = []
    limit: Annotated[int, Meta(ge=1, le=1000, description="Events on a page.")] = 100
    cursor: (
        Annotated[str, Meta(pattern=_CURSOR, description="`nextCursor` of the page before.")] | None
    ) = None


class JobsQuery(Struct, forbid_unknown_fields=True, rename="camel"):
    """Parameters of the list."""

    project_id: UserId | None = None
    status: UpperSnake | None = None
    limit: Annotated[int, Meta(ge=1, le=1000, description="Jobs on a page.")] = 100
    cursor: (
        Annotated[str, Meta(pattern=_JOBS_CURSOR, description="`nextCursor` of the page before.")]
        | None
    ) = None


class JobResources:
    """The handlers, for any kind of job."""

    def __init__(self, identity: Identity, jobs: Jobs, doors: Doors) -> None:
        self._identity = identity
        self._jobs = jobs
        self._doors = doors

    def operations(self) -> list[Operation]:
        """One set per kind, and the list of all."""
        found = [self._list_operation()]
        for name, kind in KINDS.items():
            found.append(self._progress_operation(name, kind))
            found.append(self._events_operation(name, kind))
        return found

    def _progress_operation(self, name: str, kind: str | None) -> Operation:
        return Operation(
            method="GET",
            path=f"/v1/{name}/{{jobId}}/progress",
            handler=self._progress(kind),
            id=f"get{_NAMES[name]}Progress",
            tag="jobs",
            summary="A job's progress: polled, or followed live by one of two doors.",
            description="With `Upgrade: websocket` a raw WebSocket of one envelope per message, "
            "with `Accept: text/event-stream` an event stream. They go on after `epoch` and "
            "`offset`, and take a one-time `ticket` in place of a token, for browsers that can "
            "send no headers. A job has a limited number of live followers; polling is free.",
            query=LiveQuery,
            headers=(
                Header("If-None-Match", "The `ETag` of the snapshot that the caller has."),
                Header("Last-Event-ID", "`<epoch>:<offset>` of the last event of a stream."),
            ),
            answers={
                101: Answer("The WebSocket is open."),
                200: Answer(
                    "The snapshot, or the event stream.",
                    shape=JobSnapshot,
                    example=examples.SNAPSHOT,
                    media={"text/event-stream": "Events with `id: <epoch>:<offset>`."},
                    headers={
                        "ETag": "Changes whenever the job does.",
                        "Poll-Interval": "Seconds until another poll is worth it.",
                    },
                ),
                204: Answer("The stream has nothing more to say: the job has ended."),
                304: Answer("The job is as the caller knows it."),
            },
            refusals=(*_REFUSALS, codes.TOO_MANY_CONNECTIONS, codes.KICKED, codes.DRAINING),
        )

    def _events_operation(self, name: str, kind: str | None) -> Operation:
        return Operation(
            method="GET",
            path=f"/v1/{name}/{{jobId}}/events",
            handler=self._events(kind),
            id=f"list{_NAMES[name]}Events",
            tag="jobs",
            summary="A job's history, oldest first.",
            description="Pages neither miss nor repeat an event, whatever is written meanwhile.",
            query=HistoryQuery,
            answers={200: Answer("A page of events.", shape=JobHistory, example=examples.HISTORY)},
            refusals=_REFUSALS,
        )

    def _list_operation(self) -> Operation:
        return Operation(
            method="GET",
            path="/v1/jobs",
            handler=self._list,
            id="listJobs",
            tag="jobs",
            summary="The jobs that the caller may read, those started last first.",
            description="Without `projectId`, those of the projects that the token names.",
            query=JobsQuery,
            answers={200: Answer("A page of jobs.", shape=JobList, example=examples.JOBS)},
            refusals=(*KNOWN, codes.INSUFFICIENT_PERMISSIONS),
        )

    async def _list(self, request: web.Request) -> web.Response:
        who = await principal(request, self._identity)
        wanted = query(request, JobsQuery, repeatable=frozenset())
        heads, end = await self._jobs.page(
            who,
            project=wanted.project_id,
            status=wanted.status,
            limit=wanted.limit,
            before=None if wanted.cursor is None else _job_key(wanted.cursor),
        )
        items = [summary(head.job, head.position) for head in heads if head.job is not None]
        return answer({"items": items, "nextCursor": None if end is None else _job_cursor(end)})

    def _progress(self, kind: str | None) -> Handler:
        async def progress(request: web.Request) -> web.StreamResponse:
            live = await self._doors.serve(request, kind)
            if live is not None:
                return live
            who = await principal(request, self._identity)
            query(request, PollQuery, repeatable=frozenset())
            poll = await self._jobs.poll(who, request.match_info["jobId"], kind)
            headers = {
                "ETag": f'W/"{poll.mark}"',
                "Poll-Interval": str(poll.interval),
                "Cache-Control": "private, no-cache",
                "Vary": "Accept, Authorization",
            }
            if has_current(request.headers.get("If-None-Match", ""), poll.mark):
                return web.Response(status=304, headers=headers)
            response = answer(poll.snapshot())
            response.headers.update(headers)
            return response

        return progress

    def _events(self, kind: str | None) -> Handler:
        async def events(request: web.Request) -> web.Response:
            who = await principal(request, self._identity)
            wanted = query(request, HistoryQuery, repeatable=frozenset({"type"}))
            since = None if wanted.since is None else times.parse_instant(wanted.since)
            if wanted.since is not None and since is None:
                raise codes.invalid("since", "must be an instant of RFC 3339, with a zone")
            if unknown := set(wanted.type) - JOB_EVENT_DATA.keys():
                raise codes.invalid("type", f"unknown event type {min(unknown)[:64]!r}")
            page = await self._jobs.history(
                who,
                request.match_info["jobId"],
                kind,
                after=None if wanted.cursor is None else _place(wanted.cursor),
                since=since,
                types=wanted.type,
                limit=wanted.limit,
            )
            return answer(
                {
                    "jobId": request.match_info["jobId"],
                    "events": [msgspec.Raw(event.encode()) for event in page.events],
                    "hasMore": page.end is not None,
                    "nextCursor": None if page.end is None else _cursor(page.end),
                }
            )

        return events


def has_current(header: str, mark: str) -> bool:
    """Whether an If-None-Match header names the mark (RFC 9110, section 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or f'"{mark}"' in tags


def _cursor(end: Position) -> str:
    return f"{end.epoch}.{end.offset}"


def _place(cursor: str) -> Position:
    epoch, _, offset = cursor.rpartition(".")
    return Position(epoch, int(offset))


def _job_cursor(key: JobKey) -> str:
    at, channel = key
    return f"{times.to_ms(at)}.{channel}"


def _job_key(cursor: str) -> JobKey:
    ms, _, channel = cursor.partition(".")
    return times.from_ms(int(ms)), channel
