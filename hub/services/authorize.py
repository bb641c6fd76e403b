"""Who may read a project: the seam behind every door, and its two implementations (rule
RN10.05.1; contract section 2)."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Collection, Iterable
from contextvars import Context
from typing import Final, Protocol

import aiohttp
import msgspec
from msgspec import Struct

from config.logs import get_logger
from config.settings import Settings
from config.trouble import Trouble
from hub.domain import codes
from hub.domain.principal import Principal
from hub.services.patience import unavailable

REMEMBERED: Final = 20_000
"""Answers that are kept; the one that was not asked for longest goes first."""

_ANSWER_AT_MOST: Final = 4096
_CONNECTIONS: Final = 32
_FAILURES: Final = (aiohttp.ClientError, OSError, TimeoutError, msgspec.MsgspecError, ValueError)
_log = get_logger(__name__)


class Authorizer(Protocol):
    """Says what a principal may read. It never says yes where it does not know."""

    async def readable(self, who: Principal, projects: Collection[str]) -> frozenset[str]:
        """Those of ``projects`` that ``who`` may read now. Raises ``HubError`` UNAVAILABLE when
        that cannot be found out; nothing is to be shown then."""

    async def close(self) -> None:
        """Lets go of what it holds; questions under way are given up."""


class Claims:
    """What the token says."""

    async def readable(self, who: Principal, projects: Collection[str]) -> frozenset[str]:
        return frozenset(filter(who.may_read_project, projects))

    async def close(self) -> None:
        """It holds nothing."""


class _Question(Struct, frozen=True, rename="camel"):
    """What the backend is asked."""

    user_id: str
    roles: tuple[str, ...]
    project_id: str
    action: str = "READ"


class _Answer(Struct, frozen=True):
    """What it says."""

    allowed: bool


_encode = msgspec.json.encode
_decode = msgspec.json.Decoder(_Answer).decode


class Callback:
    """What the user's own backend says: a POST of ``{userId, roles, projectId, action}``, answered
    200 ``{"allowed": true | false}``, or 403 for no. Anything else is no answer.

    An answer counts for ``ttl`` seconds; no answer is not kept. Whoever asks the same meanwhile
    waits for the same answer, at most ``timeout`` seconds.
    """

    def __init__(
        self, url: str, *, timeout: float, ttl: float, remembered: int = REMEMBERED
    ) -> None:
        self._url = url
        self._ttl = ttl
        self._remembered = remembered
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=timeout),
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._known: OrderedDict[_Question, tuple[bool, float]] = OrderedDict()
        self._asking: dict[_Question, asyncio.Task[bool]] = {}
        self._trouble = Trouble(_log, "authorize.unanswered", "authorize.answered")

    async def readable(self, who: Principal, projects: Collection[str]) -> frozenset[str]:
        wanted = frozenset(projects)
        roles = tuple(sorted(who.roles))
        answers = await _all(
            self._allowed(_Question(who.user_id, roles, project)) for project in wanted
        )
        return frozenset(project for project, yes in zip(wanted, answers, strict=True) if yes)

    async def close(self) -> None:
        for task in (asking := list(self._asking.values())):
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await self._session.close()

    def _allowed(self, question: _Question) -> "asyncio.Future[bool]":
        known = self._known.get(question)
        if known is not None and time.monotonic() < known[1]:
            self._known.move_to_end(question)
            answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            answer.set_result(known[0])
            return answer
        task = self._asking.get(question)
        if task is None:
            task = self._asking[question] = asyncio.create_task(
                self._ask(question), context=Context()
            )  # for all who ask, so its lines are about none of them
            task.add_done_callback(lambda done: self._answered(question, done))
        return asyncio.shield(task)  # of those who wait, one may go

    def _answered(self, question: _Question, task: asyncio.Task[bool]) -> None:
        del self._asking[question]
        if task.cancelled() or task.exception() is not None:
            return
        self._known[question] = task.result(), time.monotonic() + self._ttl
        self._known.move_to_end(question)
        while len(self._known) > self._remembered:
            self._known.popitem(last=False)

    async def _ask(self, question: _Question) -> bool:
        try:
            allowed = await self._post(question)
        except _FAILURES as error:
            self._trouble.failed(error)
            raise unavailable() from error
        self._trouble.worked()
        return allowed

    async def _post(self, question: _Question) -> bool:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        async with self._session.post(
            self._url, data=_encode(question), headers=headers, allow_redirects=False
        ) as response:
            if response.status == codes.INSUFFICIENT_PERMISSIONS.http:
                return False
            if response.status != 200:
                raise ValueError(f"status {response.status}")
            content = await response.content.read(_ANSWER_AT_MOST)
            while not response.content.at_eof():
                if len(content) >= _ANSWER_AT_MOST:
                    raise ValueError("too long an answer")
                content += await response.content.read(_ANSWER_AT_MOST - len(content))
            return _decode(content).allowed


async def _all(answers: Iterable["asyncio.Future[bool]"]) -> list[bool]:
    """All of them; the first refusal, once every one is there, so that none goes unheard."""
    found = await asyncio.gather(*answers, return_exceptions=True)
    allowed = []
    for each in found:
        if isinstance(each, BaseException):
            raise each
        allowed.append(each)
    return allowed


def open_authorizer(settings: Settings) -> Authorizer:
    """The one that the settings ask for; to be closed. Needs a running loop."""
    if settings.authorize_url is None:
        return Claims()
    return Callback(
        settings.authorize_url,
        timeout=settings.authorize_timeout,
        ttl=settings.authorize_ttl,
    )
