"""``/v1/generation-jobs/{jobId}/…``, ``/v1/team-executions/…`` and ``/v1/jobs/…``."""

import base64
import binascii
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from hub.domain import codes, times
from hub.domain.publications import JOB_EVENT_DATA
from hub.gateways.doors import Doors
from hub.gateways.http.problems import Handler
from hub.gateways.http.request import answer, principal, query
from hub.services.identity import Identity
from hub.services.jobs import Jobs

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


class JobResources:
    """The handlers, for any kind of job."""

    def __init__(self, identity: Identity, jobs: Jobs, doors: Doors) -> None:
        self._identity = identity
        self._jobs = jobs
        self._doors = doors

    def routes(self) -> list[web.RouteDef]:
        """One set of routes per kind."""
        found = []
        for name, kind in KINDS.items():
            found.append(web.get(f"/v1/{name}/{{jobId}}/progress", self._progress(kind)))
            found.append(web.get(f"/v1/{name}/{{jobId}}/events", self._events(kind)))
        return found

    def _progress(self, kind: str | None) -> Handler:
        async def progress(request: web.Request) -> web.StreamResponse:
            live = await self._doors.serve(request, kind)
            if live is not None:
                return live
            who = await principal(request, self._identity)
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
            who = await principal(request, self._identity)
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
                after=_after(wanted.cursor),
                since=since,
                types=wanted.type,
                limit=wanted.limit,
            )
            return answer(
                {
                    "jobId": request.match_info["jobId"],
                    "events": [msgspec.Raw(event.encode()) for event in page.events],
                    "hasMore": page.next_after is not None,
                    "nextCursor": None if page.next_after is None else _cursor(page.next_after),
                }
            )

        return events


def has_current(header: str, mark: str) -> bool:
    """Whether an If-None-Match header names the mark (RFC 9110, section 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return "*" in tags or f'"{mark}"' in tags


def _cursor(after: int) -> str:
    return base64.urlsafe_b64encode(b"o%d" % after).decode().rstrip("=")


def _after(cursor: str | None) -> int:
    if cursor is None:
        return 0
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        after = int(text.removeprefix("o"))
    except (binascii.Error, ValueError):
        raise codes.invalid("cursor", "is no cursor that this resource gave") from None
    if _cursor(after) != cursor or not 0 <= after < 1 << 53:
        raise codes.invalid("cursor", "is no cursor that this resource gave")
    return after
