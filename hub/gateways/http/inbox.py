"""``/v1/notifications…``, ``/v1/preferences`` and ``/v1/topics/…/subscribers/…``."""

from aiohttp import web
from msgspec import Struct

from hub.gateways.http.request import answer, body, principal, query
from hub.gateways.inbox import (
    ListNotifications,
    list_notifications,
    mark_notifications,
    parse_preferences,
    preferences_fields,
)
from hub.services.identity import Identity
from hub.services.inbox.inbox import Inbox


class _NoQuery(Struct, forbid_unknown_fields=True):
    """For resources that take no parameters."""


class InboxResources:
    """The handlers."""

    def __init__(self, identity: Identity, inbox: Inbox) -> None:
        self._identity = identity
        self._inbox = inbox

    def routes(self) -> list[web.RouteDef]:
        """Where they are found."""
        subscriber = "/v1/topics/{topic}/subscribers/{userId}"
        return [
            web.get("/v1/notifications", self.list),
            web.post("/v1/notifications/mark", self.mark),
            web.get("/v1/notifications/unread-count", self.unread),
            web.get("/v1/preferences", self.preferences),
            web.put("/v1/preferences", self.prefer),
            web.put(subscriber, self.subscribe),
            web.delete(subscriber, self.unsubscribe),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """A page, newest first."""
        who = await principal(request, self._identity)
        wanted = query(request, ListNotifications, repeatable=frozenset())
        return answer(await list_notifications(self._inbox, who, wanted))

    async def mark(self, request: web.Request) -> web.Response:
        """``{changed, unread}``"""
        who = await principal(request, self._identity)
        query(request, _NoQuery, repeatable=frozenset())
        return answer(await mark_notifications(self._inbox, who, await body(request)))

    async def unread(self, request: web.Request) -> web.Response:
        """``{count, version}``"""
        who = await principal(request, self._identity)
        query(request, _NoQuery, repeatable=frozenset())
        await self._inbox.enter(who)
        return answer((await self._inbox.unread(who)).wire())

    async def preferences(self, request: web.Request) -> web.Response:
        """``{mutedTypes, mutedTopics}``"""
        who = await principal(request, self._identity)
        query(request, _NoQuery, repeatable=frozenset())
        return answer(preferences_fields(await self._inbox.preferences(who)))

    async def prefer(self, request: web.Request) -> web.Response:
        """Replaces them, and answers with what they are then."""
        who = await principal(request, self._identity)
        query(request, _NoQuery, repeatable=frozenset())
        wanted = parse_preferences(await body(request))
        await self._inbox.prefer(who, wanted)
        return answer(preferences_fields(wanted))

    async def subscribe(self, request: web.Request) -> web.Response:
        """204, also when the user is subscribed already."""
        who = await principal(request, self._identity)
        query(request, _NoQuery, repeatable=frozenset())
        found = request.match_info
        await self._inbox.subscribe(who, found["topic"], found["userId"])
        return web.Response(status=204)

    async def unsubscribe(self, request: web.Request) -> web.Response:
        """204, also when the user is not."""
        who = await principal(request, self._identity)
        query(request, _NoQuery, repeatable=frozenset())
        found = request.match_info
        await self._inbox.unsubscribe(who, found["topic"], found["userId"])
        return web.Response(status=204)
