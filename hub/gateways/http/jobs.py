"""``/v1/generation-jobs/{jobId}/…``, ``/v1/team-executions/…`` and ``/v1/jobs/…``."""

import base64
import binascii
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from hub.domain import channels, codes, times
from hub.domain.events import Position
from hub.domain.publications import JOB_EVENT_DATA, UpperSnake, UserId
from hub.domain.snapshot import summary
from hub.gateways.doors import Doors
from hub.gateways.http.problems import Handler
from hub.gateways.http.request import answer, principal, query
from hub.services.authenticate import Authenticator
from hub.services.jobs import NO_CURSOR, JobKey, Jobs

KINDS: Final[dict[str, str | None]] = {
    "generation-jobs": "GENERATION_JOB",
    "team-executions": "TEAM_EXECUTION",
    "jobs": None,
}
"""What each path serves; None for every kind of job."""


class NoQuery(Struct, forbid_unknown_fields=True):
    """For resources that take no parameters."""


class HistoryQuery(Struct, forbid_unknown_fields=True):
    """Parameters of the history."""

    since: str | None = None
    type: list[str] = []
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: str | None = None


class JobsQuery(Struct, forbid_unknown_fields=True, rename="camel"):
    """Parameters of the list."""

    project_id: UserId | None = None
    status: UpperSnake | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: str | None = None


class JobResources:
    """The handlers, for any kind of job."""

    def __init__(self, authenticator: Authenticator, jobs: Jobs, doors: Doors) -> None:
        self._authenticator = authenticator
        self._jobs = jobs
        self._doors = doors

    def routes(self) -> list[web.RouteDef]:
        """One set of routes per kind, and the list of all."""
        found = [web.get("/v1/jobs", self._list)]
        for name, kind in KINDS.items():
            found.append(web.get(f"/v1/{name}/{{jobId}}/progress", self._progress(kind)))
            found.append(web.get(f"/v1/{name}/{{jobId}}/events", self._events(kind)))
        return found

    async def _list(self, request: web.Request) -> web.Response:
        who = await principal(request, self._authenticator)
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
            who = await principal(request, self._authenticator)
            query(request, NoQuery, repeatable=frozenset())
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
            who = await principal(request, self._authenticator)
            wanted = query(request, HistoryQuery, repeatable=frozenset({"type"}))
            since = None if wanted.since is None else times.parse_instant(wanted.since)
            if wanted.since is not None and since is None:
                raise codes.invalid("since", "must be an ISO 8601 instant")
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
    return _opaque(f"{end.epoch}:{end.offset}")


def _place(cursor: str) -> Position:
    epoch, _, offset = _text(cursor).partition(":")
    if (
        not (offset.isdigit() and len(offset) < 17)
        or _cursor(Position(epoch, int(offset))) != cursor
    ):
        raise codes.invalid("cursor", NO_CURSOR)
    return Position(epoch, int(offset))


def _job_cursor(key: JobKey) -> str:
    at, channel = key
    return _opaque(f"{times.to_ms(at)}:{channel}")


def _job_key(cursor: str) -> JobKey:
    ms, _, channel = _text(cursor).partition(":")
    if not (ms.isdigit() and len(ms) < 15):
        raise codes.invalid("cursor", NO_CURSOR)
    key = times.from_ms(int(ms)), channel
    named = channels.parse_channel(channel)
    if named is None or named.kind is not channels.Kind.JOB or _job_cursor(key) != cursor:
        raise codes.invalid("cursor", NO_CURSOR)
    return key


def _opaque(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _text(cursor: str) -> str:
    """What a cursor was made of. Raises INVALID_REQUEST where that is no text."""
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        raise codes.invalid("cursor", NO_CURSOR) from None
