"""The commands of the namespace ``/admin``: one table, as for ``/`` (contract 9 and 10)."""

import asyncio
import re
from contextlib import suppress
from datetime import datetime
from itertools import accumulate
from typing import Any, Final, Protocol

import msgspec

from hub.broker.backlog import Backlog, Letter
from hub.domain import channels, codes, ids, times
from hub.domain.jobs import Job
from hub.domain.publications import MAX_BYTES
from hub.domain.shapes import parse
from hub.gateways.sio.admin import Act, AdminCommand
from hub.gateways.sio.admin_payloads import (
    LETTER,
    Broadcast,
    Connections,
    Jobs,
    KickPayload,
    Letters,
    Paged,
    Revoke,
    StatsPayload,
    TailPayload,
    ToJob,
    ToTopic,
    ToUsers,
    TracePayload,
    Unban,
)
from hub.services.admin.broadcast import Audience, Broadcasts, Words
from hub.services.admin.cluster import Cluster
from hub.services.admin.orders import Kicked, Target
from hub.services.admin.stats import Stats
from hub.services.admin.tails import Tails
from hub.services.admin.trace import Traces, watched_channel
from hub.services.admin.trail import Trail
from hub.services.patience import patiently
from hub.stores.heads import Heads

PAGE: Final = 50
"""Items of one page."""

_SID: Final = re.compile(r"[A-Za-z0-9_-]{16,32}")
_AT_MOST_ONE: Final = "takes at most one of userId and jobId"
_BEGINNING: Final = 4096  # bytes
_LETTERS_AT_MOST: Final = 4 * MAX_BYTES  # on one page: a fourth of what a client's outbox holds


class Banning(Protocol):
    """Keeping people out, on the whole cluster within a second. Raises ``HubError`` UNAVAILABLE."""

    async def ban(self, user_id: str, seconds: float, message: str | None = None) -> None:
        """Ends every connection of the user and lets none in for that long."""

    async def unban(self, user_id: str) -> None:
        """Ends a ban."""

    async def revoke(self, *, user_id: str | None = None, token_id: str | None = None) -> None:
        """Takes back one token, or all tokens of a user that were issued until now."""


class AdminCommands:
    """What administrators ask for, and do."""

    def __init__(
        self,
        cluster: Cluster,
        broadcasts: Broadcasts,
        stats: Stats,
        backlog: Backlog,
        heads: Heads,
        trail: Trail,
        traces: Traces,
        tails: Tails,
    ) -> None:
        self._cluster = cluster
        self._broadcasts = broadcasts
        self._stats = stats
        self._backlog = backlog
        self._heads = heads
        self._trail = trail
        self._traces = traces
        self._tails = tails
        self._bans: Banning | None = None

    def table(self) -> dict[str, AdminCommand]:
        """The commands by name."""
        return {
            "stats": self.stats,
            "connections": self.connections,
            "kick": self.kick,
            "broadcast": self.broadcast,
            "jobs": self.jobs,
            "dead": self.dead,
            "dead:replay": self.replay,
            "dead:drop": self.drop,
            "audit": self.audit,
            "trace": self.trace,
            "tail": self.tail,
            "untail": self.untail,
        }

    def ban_table(self, bans: Banning) -> dict[str, AdminCommand]:
        """Those that need ``bans``."""
        self._bans = bans
        return {"unban": self.unban, "revoke": self.revoke}

    async def stats(self, act: Act, raw: Any) -> dict[str, Any]:
        """The figures of now, and those of the last minutes if they are wanted."""
        del act
        wanted = parse(StatsPayload, raw)
        now = await self._stats.now()
        return {**now, "history": await self._stats.history()} if wanted.history else now

    async def connections(self, act: Act, raw: Any) -> dict[str, Any]:
        """A page of the cluster's connections."""
        wanted = parse(Connections, raw)
        if wanted.cursor is not None and not _SID.fullmatch(wanted.cursor):
            raise _bad_cursor()
        target = _one_target(wanted.user_id, None, wanted.job_id, needed=False)
        act.target = str(target)
        found = await self._cluster.find(target, wanted.cursor or "", PAGE + 1)
        page = found[:PAGE]
        more = page[-1].sid if len(found) > PAGE else None
        return {"items": msgspec.to_builtins(page), "nextCursor": more}

    async def kick(self, act: Act, raw: Any) -> dict[str, Any]:
        """Ends connections, and keeps their users out for a while if that is wanted."""
        wanted = parse(KickPayload, raw)
        target = _one_target(wanted.user_id, wanted.sid, wanted.job_id)
        act.target = str(target)
        act.details = _given({"message": wanted.message, "banSeconds": wanted.ban_seconds})
        if wanted.ban_seconds is None:
            kicked = await self._cluster.kick(target, codes.KICKED, wanted.message)
        else:
            kicked = await self._ban(target, wanted.ban_seconds, wanted.message)
        return {"connections": kicked.connections, "users": kicked.users}

    async def _ban(self, target: Target, seconds: int, message: str | None) -> Kicked:
        """Whoever comes back before the ban is in force is sent away by the ban."""
        kicked = await self._cluster.kick(target, codes.BANNED, message, seconds)
        users = [target.user_id] if target.user_id is not None else kicked.users
        await asyncio.gather(*(self._banning.ban(user, seconds, message) for user in users))
        return Kicked(kicked.connections, users)

    @property
    def _banning(self) -> Banning:
        if self._bans is None:
            raise codes.HubError(codes.UNAVAILABLE, "nobody keeps bans here")
        return self._bans

    async def unban(self, act: Act, raw: Any) -> dict[str, Any]:
        """Lets a user in again."""
        user = parse(Unban, raw).user_id
        act.target = f"user:{user}"
        await self._banning.unban(user)
        return {}

    async def revoke(self, act: Act, raw: Any) -> dict[str, Any]:
        """Takes back tokens that were issued until now."""
        wanted = parse(Revoke, raw)
        if (wanted.user_id is None) == (wanted.jti is None):
            raise codes.invalid("payload", "needs exactly one of userId and jti")
        act.target = f"user:{wanted.user_id}" if wanted.jti is None else f"jti:{wanted.jti}"
        await self._banning.revoke(user_id=wanted.user_id, token_id=wanted.jti)
        return {}

    async def broadcast(self, act: Act, raw: Any) -> dict[str, Any]:
        """Says something to many."""
        wanted = parse(Broadcast, raw)
        to = _audience(wanted.to)
        act.target = str(to)
        act.details = {"title": wanted.title, "persist": wanted.persist}
        words = Words(wanted.title, wanted.body, wanted.severity)
        if wanted.persist:
            return await self._broadcasts.persist(words, to)
        return await self._broadcasts.live(words, to)

    async def jobs(self, act: Act, raw: Any) -> dict[str, Any]:
        """A page of all jobs, the latest begun first."""
        del act
        wanted = parse(Jobs, raw)
        before = None if wanted.cursor is None else _job_place(wanted.cursor)
        async with patiently():
            found = await self._heads.jobs(None, wanted.status, before=before, limit=PAGE + 1)
        jobs = [each.job for each in found[:PAGE] if each.job is not None]
        more = None
        if len(found) > PAGE:
            more = f"{times.to_ms(jobs[-1].started_at)}:{jobs[-1].id}"
        return {"items": [_job(each) for each in jobs], "nextCursor": more}

    async def dead(self, act: Act, raw: Any) -> dict[str, Any]:
        """A page of dead letters, newest first."""
        del act
        cursor = parse(Paged, raw).cursor
        if cursor is not None and not LETTER.fullmatch(cursor):
            raise _bad_cursor()
        async with patiently():
            found = await self._backlog.letters(cursor, PAGE + 1)
        sizes = accumulate(len(each.raw) if _is_shown(each) else _BEGINNING for each in found)
        fit = sum(size <= _LETTERS_AT_MOST for size in sizes)  # at least the first
        page = found[: min(fit, PAGE)]
        more = page[-1].id if len(found) > len(page) else None
        return {"items": [_letter(each) for each in page], "nextCursor": more}

    async def replay(self, act: Act, raw: Any) -> dict[str, Any]:
        """Puts dead letters back on their journals."""
        wanted = self._letters(act, raw)
        async with patiently():
            done = await self._backlog.replay(wanted)
        return {"replayed": len(done), "missing": [each for each in wanted if each not in done]}

    async def drop(self, act: Act, raw: Any) -> dict[str, Any]:
        """Throws dead letters away."""
        wanted = self._letters(act, raw)
        async with patiently():
            done = await self._backlog.drop(wanted)
        return {"dropped": len(done), "missing": [each for each in wanted if each not in done]}

    async def audit(self, act: Act, raw: Any) -> dict[str, Any]:
        """A page of what administrators did, newest first."""
        del act
        cursor = parse(Paged, raw).cursor
        if cursor is not None and not ids.is_uuid(cursor):
            raise _bad_cursor()
        found = await self._trail.page(cursor, PAGE + 1)
        page = found[:PAGE]
        more = page[-1].id if len(found) > PAGE else None
        return {"items": [each.wire() for each in page], "nextCursor": more}

    async def trace(self, act: Act, raw: Any) -> dict[str, Any]:
        """What is known of an event's way."""
        wanted = parse(TracePayload, raw)
        given = [each for each in (wanted.notification_id, wanted.event_id) if each is not None]
        if len(given) != 1 or not ids.is_uuid(given[0].lower()):
            raise codes.invalid("payload", "needs a UUID as notificationId or eventId")
        act.target = f"event:{given[0].lower()}"
        return await self._traces.find(given[0].lower())

    async def tail(self, act: Act, raw: Any) -> dict[str, Any]:
        """Shows what happens to the events of a user or job, as ``tail`` events."""
        channel = _watched(act, raw)
        admin = act.who
        await self._tails.begin(admin, channel, lambda step: admin.emit("tail", step))
        return {"channel": channel}

    async def untail(self, act: Act, raw: Any) -> dict[str, Any]:
        """Shows them no more; harmless when they were not shown."""
        if raw == {}:
            act.target = "all"
            self._tails.end(act.who)
        else:
            self._tails.end(act.who, _watched(act, raw))
        return {}

    @staticmethod
    def _letters(act: Act, raw: Any) -> list[str]:
        wanted = list(dict.fromkeys(parse(Letters, raw).ids))
        act.target = ",".join(wanted[:5]) + ("…" if len(wanted) > 5 else "")
        act.details = {"ids": wanted}
        return wanted


def _watched(act: Act, raw: Any) -> str:
    wanted = parse(TailPayload, raw)
    _one_target(wanted.user_id, wanted.sid, wanted.job_id)
    act.target = watched_channel(wanted.user_id, wanted.job_id, wanted.sid)
    return act.target


def _one_target(
    user_id: str | None, sid: str | None, job_id: str | None, *, needed: bool = True
) -> Target:
    given = [each for each in (user_id, sid, job_id) if each is not None]
    if len(given) > 1 or (needed and not given):
        said = "needs exactly one of userId, sid and jobId" if needed else _AT_MOST_ONE
        raise codes.invalid("payload", said)
    channel = None if job_id is None else channels.job_channel(job_id)
    return Target(user_id, sid, channel)


def _audience(to: Any) -> Audience:
    if to == "all":
        return Audience()
    shapes: dict[str, type[ToUsers | ToTopic | ToJob]] = {
        "users": ToUsers,
        "topic": ToTopic,
        "jobId": ToJob,
    }
    names = list(to) if isinstance(to, dict) else []
    if len(names) != 1 or names[0] not in shapes:
        raise codes.invalid("to", 'must be "all", {users: [..]}, {topic} or {jobId}')
    try:
        found = parse(shapes[names[0]], to)
    except codes.HubError as error:
        detail = (error.details or [{"field": "", "message": error.message}])[0]
        raise codes.invalid(f"to.{detail['field']}", detail["message"]) from None
    return Audience(
        users=list(dict.fromkeys(found.users)) if isinstance(found, ToUsers) else None,
        topic=found.topic if isinstance(found, ToTopic) else None,
        job_id=found.job_id if isinstance(found, ToJob) else None,
    )


def _job_place(cursor: str) -> tuple[datetime, str]:
    ms, _, job_id = cursor.partition(":")
    if not (ms.isascii() and ms.isdigit() and len(ms) < 15 and ids.is_user_id(job_id)):
        raise _bad_cursor()
    return times.from_ms(int(ms)), channels.job_channel(job_id)


def _job(job: Job) -> dict[str, Any]:
    return {
        "jobId": job.id,
        "jobKind": job.kind,
        "projectId": job.project_id,
        "ownerId": job.owner_id,
        "status": job.status,
        "progress": job.progress(),
        "startedAt": times.wire(job.started_at),
        "updatedAt": times.wire(job.updated_at),
        "endedAt": times.wire_or_none(job.ended_at),
    }


def _is_shown(letter: Letter) -> bool:
    return len(letter.raw) <= MAX_BYTES


def _letter(letter: Letter) -> dict[str, Any]:
    """``publication``: the beginning of its text, where it is no JSON or too large for one."""
    publication: Any = letter.raw[:_BEGINNING].decode(errors="replace")
    if _is_shown(letter):
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            publication = msgspec.json.decode(letter.raw)
    return {
        "id": letter.id,
        "partition": letter.partition,
        "reason": letter.reason,
        "publication": publication,
        "at": times.wire(letter.entry.at),
    }


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _bad_cursor() -> codes.HubError:
    return codes.invalid("cursor", "is no cursor that this command gave")
