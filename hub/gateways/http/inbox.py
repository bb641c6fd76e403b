"""``/v1/notifications…``, ``/v1/preferences`` and ``/v1/topics/…/subscribers/…``."""

from aiohttp import web

from hub.domain import codes
from hub.domain.inbox import TOPICS_AT_MOST
from hub.domain.publications import MARKED_AT_MOST
from hub.gateways.http import examples
from hub.gateways.http.documents import (
    MarkedNotifications,
    NotificationPage,
    PreferencesDocument,
    UnreadCount,
)
from hub.gateways.http.operation import KNOWN, Answer, Operation
from hub.gateways.http.request import NoQuery, answer, body, principal, query
from hub.gateways.inbox import (
    ListNotifications,
    MarkNotifications,
    PutPreferences,
    list_notifications,
    mark_notifications,
    parse_preferences,
    preferences_fields,
)
from hub.services.identity import Identity
from hub.services.inbox.inbox import Inbox


class InboxResources:
    """The handlers."""

    def __init__(self, identity: Identity, inbox: Inbox) -> None:
        self._identity = identity
        self._inbox = inbox

    def operations(self) -> list[Operation]:
        """Where they are found."""
        subscriber = "/v1/topics/{topic}/subscribers/{userId}"
        refusals = (*KNOWN, codes.INSUFFICIENT_PERMISSIONS)
        return [
            Operation(
                method="GET",
                path="/v1/notifications",
                handler=self.list,
                id="listNotifications",
                tag="inbox",
                summary="A page of the caller's inbox, newest first.",
                description="A cursor names a place: what comes meanwhile moves nothing.",
                query=ListNotifications,
                answers={
                    200: Answer(
                        "The page, and what is unread.",
                        shape=NotificationPage,
                        example=examples.NOTIFICATIONS,
                    )
                },
            ),
            Operation(
                method="POST",
                path="/v1/notifications/mark",
                handler=self.mark,
                id="markNotifications",
                tag="inbox",
                summary="Marks notifications of the caller.",
                description=f"`ids`: up to {MARKED_AT_MOST}, or `all` for everything that "
                "is not dismissed; with `upTo` only what is not newer than that one. Unknown ids "
                "change nothing.",
                query=NoQuery,
                body=MarkNotifications,
                body_example={"ids": "all", "as": "READ"},
                answers={
                    200: Answer(
                        "How many changed, and what is unread then.",
                        shape=MarkedNotifications,
                        example=examples.MARKED,
                    )
                },
            ),
            Operation(
                method="GET",
                path="/v1/notifications/unread-count",
                handler=self.unread,
                id="getUnreadCount",
                tag="inbox",
                summary="How many of the caller's notifications are unread.",
                query=NoQuery,
                answers={
                    200: Answer("The exact count.", shape=UnreadCount, example=examples.UNREAD)
                },
            ),
            Operation(
                method="GET",
                path="/v1/preferences",
                handler=self.preferences,
                id="getPreferences",
                tag="inbox",
                summary="What the caller does not want to be notified of.",
                query=NoQuery,
                answers={
                    200: Answer("Them.", shape=PreferencesDocument, example=examples.PREFERENCES)
                },
            ),
            Operation(
                method="PUT",
                path="/v1/preferences",
                handler=self.prefer,
                id="putPreferences",
                tag="inbox",
                summary="Replaces what the caller does not want to be notified of.",
                query=NoQuery,
                body=PutPreferences,
                body_example=examples.PREFERENCES,
                answers={
                    200: Answer(
                        "What it is now.", shape=PreferencesDocument, example=examples.PREFERENCES
                    )
                },
            ),
            Operation(
                method="PUT",
                path=subscriber,
                handler=self.subscribe,
                id="subscribeToTopic",
                tag="inbox",
                summary="Gives a user the topic's announcements from now on.",
                description="Users subscribe themselves, services and administrators anyone. "
                "Harmless when the user is subscribed already.",
                query=NoQuery,
                answers={204: Answer("The user is subscribed.")},
                refusals=(*refusals, codes.CONFLICT),
                because={codes.CONFLICT: f"a user has at most {TOPICS_AT_MOST} topics"},
            ),
            Operation(
                method="DELETE",
                path=subscriber,
                handler=self.unsubscribe,
                id="unsubscribeFromTopic",
                tag="inbox",
                summary="Ends that. Harmless when the user is not subscribed.",
                query=NoQuery,
                answers={204: Answer("The user is not subscribed.")},
                refusals=refusals,
            ),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """A page, newest first."""
        who = await principal(request, self._identity)
        wanted = query(request, ListNotifications, repeatable=frozenset())
        return answer(await list_notifications(self._inbox, who, wanted))

    async def mark(self, request: web.Request) -> web.Response:
        """``{changed, unread}``"""
        who = await principal(request, self._identity)
        query(request, NoQuery, repeatable=frozenset())
        return answer(await mark_notifications(self._inbox, who, await body(request)))

    async def unread(self, request: web.Request) -> web.Response:
        """``{count, version}``"""
        who = await principal(request, self._identity)
        query(request, NoQuery, repeatable=frozenset())
        await self._inbox.enter(who)
        return answer((await self._inbox.unread(who)).wire())

    async def preferences(self, request: web.Request) -> web.Response:
        """``{mutedTypes, mutedTopics}``"""
        who = await principal(request, self._identity)
        query(request, NoQuery, repeatable=frozenset())
        return answer(preferences_fields(await self._inbox.preferences(who)))

    async def prefer(self, request: web.Request) -> web.Response:
        """Replaces them, and answers with what they are then."""
        who = await principal(request, self._identity)
        query(request, NoQuery, repeatable=frozenset())
        wanted = parse_preferences(await body(request))
        await self._inbox.prefer(who, wanted)
        return answer(preferences_fields(wanted))

    async def subscribe(self, request: web.Request) -> web.Response:
        """204, also when the user is subscribed already."""
        who = await principal(request, self._identity)
        query(request, NoQuery, repeatable=frozenset())
        found = request.match_info
        await self._inbox.subscribe(who, found["topic"], found["userId"])
        return web.Response(status=204)

    async def unsubscribe(self, request: web.Request) -> web.Response:
        """204, also when the user is not."""
        who = await principal(request, self._identity)
        query(request, NoQuery, repeatable=frozenset())
        found = request.match_info
        await self._inbox.unsubscribe(who, found["topic"], found["userId"])
        return web.Response(status=204)
