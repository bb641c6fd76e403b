"""The collection ``inboxes``: of each user who has one, where it begins, what it receives, how
often the unread count may have changed, and what it was found to be.

The version of a user's unread count is the number of changes of the user's own inbox, plus
``EVERYBODYS`` times the number of those that concern everybody (an announcement came, or ended).
Both only rise. Whoever changes what is stored for a user raises the version *afterwards*; whoever
counts reads the version *first*. So a count has at least all the changes that its version has. The
first count of a user's own changes is settled here, so that all who ask get the same
(docs/decisions/0017-versions-rise-after-the-change.md). Of what concerns everybody, each version
says which change made it (docs/decisions/0034-announcements-belong-to-a-version.md).
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import asdict
from pymongo import ReturnDocument, UpdateOne, WriteConcern
from pymongo.errors import BulkWriteError, DuplicateKeyError

from hub.domain.events import Position
from hub.domain.inbox import TOPICS_AT_MOST, Everybody, Member, Preferences, Settled
from hub.stores.mongo import Collection, Database, Document, duplicates

_EVERYBODY: Final = ""  # the document that is of no user
_REMEMBERED: Final = 100


class Claim(Struct, frozen=True):
    """That the count of ``member`` is ``settled``, if nothing of the user's own has changed since
    the member was read. ``steps``: changes that are made along with it."""

    member: Member
    settled: Settled
    steps: int = 0


class Inboxes:
    """Reading and changing members."""

    def __init__(self, db: Database) -> None:
        self._inboxes: Collection = db["inboxes"]
        # A count that is lost with a server is counted again: nothing waits for the journal.
        self._counts = self._inboxes.with_options(write_concern=WriteConcern(w=1))

    async def read(self, users: Iterable[str]) -> dict[str, Member]:
        """Each of ``users`` as a member, in one round trip."""
        wanted = set(users)
        query = {"_id": {"$in": [*wanted, _EVERYBODY]}}
        cursor = self._inboxes.find(query, {"causes": 0}, batch_size=len(wanted) + 2)
        found = {document["_id"]: document for document in await cursor.to_list()}
        everybody = _everybody(found.get(_EVERYBODY))
        return {user: _member(user, found.get(user), everybody) for user in wanted}

    async def users(self) -> AsyncIterator[str]:
        """Everybody who has an inbox, in no order."""
        async for document in self._inboxes.find({}, {"_id": 1}):
            if document["_id"] != _EVERYBODY:
                yield document["_id"]

    async def raise_versions(self, causes: Sequence[tuple[str, str, int]]) -> None:
        """Raises versions: for each (user, cause, by how much). The same cause has effect once, as
        far as it is remembered; more is harmless."""
        if not causes:
            return
        writes = [
            UpdateOne(
                {"_id": user, "causes": {"$ne": cause}},
                {
                    "$inc": {"version": by},
                    "$push": {"causes": {"$each": [cause], "$slice": -_REMEMBERED}},
                },
                upsert=True,
            )
            for user, cause, by in causes
        ]
        for last in (False, True):
            try:
                await self._inboxes.bulk_write(writes, ordered=False)
            except BulkWriteError as error:
                # The cause is known, or another one made the document in the same moment: of that
                # the second time tells.
                failed = duplicates(error)
                if last:
                    return
                writes = [writes[each["index"]] for each in failed]
            else:
                return

    async def note(self, *, came: Sequence[str] = (), gone: Sequence[str] = ()) -> Everybody:
        """Raises everybody's version, which announcements came with, or ended with. Says what is
        not dated yet, these included. An announcement that is dated already stays so."""
        change = [
            {"$set": {"version": {"$add": [{"$ifNull": ["$version", 0]}, 1]}}},
            {"$set": {"came": _more("$came", came), "gone": _more("$gone", gone)}},
        ]
        where, after = {"_id": _EVERYBODY}, ReturnDocument.AFTER
        try:
            found = await self._inboxes.find_one_and_update(
                where, change, upsert=True, return_document=after
            )
        except DuplicateKeyError:  # another one made the document in the same moment
            found = await self._inboxes.find_one_and_update(where, change, return_document=after)
        return _everybody(found)

    async def dated(self, noted: Everybody) -> None:
        """The announcements say themselves when they came, and ended."""
        over = {"came": {"id": {"$in": [*noted.came]}}, "gone": {"id": {"$in": [*noted.gone]}}}
        await self._inboxes.update_one({"_id": _EVERYBODY}, {"$pull": over})

    async def settle(self, claims: Sequence[Claim]) -> bool:
        """Settles counts that are new, in one round trip. False when any of them is not: somebody
        else settled one, or something changed meanwhile."""
        writes = [
            UpdateOne(
                {
                    "_id": each.member.user_id,
                    "version": each.member.changes or {"$in": [None, 0]},
                    **_as_it_was(each.member.settled),
                },
                {"$set": {"counted": _settled_fields(each.settled)}}
                | ({"$inc": {"version": each.steps}} if each.steps else {}),
            )
            for each in claims
        ]
        return not writes or (await self._counts.bulk_write(writes)).matched_count == len(writes)

    async def enter(self, users: Sequence[str], end: Position) -> set[str]:
        """Notes where ``all`` ends as users are first seen; later times change nothing. Returns
        those of whom nothing at all was stored before; the versions of the others rise."""
        since = {"since": _position_fields(end)}
        known = set()
        try:  # inserts cost a fraction of as many upserts
            await self._inboxes.insert_many(
                [{"_id": user, **since} for user in users], ordered=False
            )
        except BulkWriteError as error:
            known = {users[each["index"]] for each in duplicates(error)}
            query = {"_id": {"$in": [*known]}, "since": None}
            await self._inboxes.update_many(query, {"$set": since, "$inc": {"version": 1}})
        return set(users) - known

    async def subscribe(self, user: str, topic: str, end: Position) -> bool:
        """Notes that a topic's announcements after ``end`` are for the user; False if they are, or
        if the user has all the topics that one may have."""
        return await self._once(
            {
                "_id": user,
                "topics.topic": {"$ne": topic},
                f"topics.{TOPICS_AT_MOST - 1}": {"$exists": False},
            },
            {
                "$push": {"topics": {"topic": topic, **_position_fields(end)}},
                "$inc": {"version": 1},
            },
        )

    async def unsubscribe(self, user: str, topic: str) -> bool:
        """Ends that; False if there is no such subscription."""
        result = await self._inboxes.update_one(
            {"_id": user, "topics.topic": topic},
            {"$pull": {"topics": {"topic": topic}}, "$inc": {"version": 1}},
        )
        return result.modified_count > 0

    async def prefer(self, user: str, preferences: Preferences) -> bool:
        """Stores what the user does not want; False if it is what is stored."""
        fields = {
            "mutedTypes": sorted(preferences.muted_types),
            "mutedTopics": sorted(preferences.muted_topics),
        }
        same = [{key: value} for key, value in fields.items()]
        return await self._once(
            {"_id": user, "$nor": [{"$and": same}]}, {"$set": fields, "$inc": {"version": 1}}
        )

    async def _once(self, where: Document, change: Document) -> bool:
        """Changes the document ``where`` that does not hold yet, made if there is none."""
        for _ in range(2):  # another one may make it in the same moment
            try:
                result = await self._inboxes.update_one(where, change, upsert=True)
            except DuplicateKeyError:
                continue
            return bool(result.modified_count or result.upserted_id is not None)
        return False


def _position_fields(position: Position) -> Document:
    return {"epoch": position.epoch, "offset": position.offset}


def _more(noted: str, ids: Sequence[str]) -> Document:
    """What is noted, and ``ids`` at the version that is new. One may be there already: then the
    earlier version is the right one."""
    new = [{"id": {"$literal": id_}, "at": "$version"} for id_ in ids]
    return {"$concatArrays": [{"$ifNull": [noted, []]}, new]}


def _everybody(document: Document | None) -> Everybody:
    found = document or {}
    return Everybody(
        found.get("version", 0), _first(found.get("came", ())), _first(found.get("gone", ()))
    )


def _first(noted: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The earliest version by id."""
    return {each["id"]: each["at"] for each in sorted(noted, key=lambda each: -each["at"])}


def _as_it_was(settled: Settled | None) -> Document:
    if settled is None:
        return {"counted": None}
    return {"counted.changes": settled.changes, "counted.everybody": settled.everybody}


def _settled_fields(settled: Settled) -> Document:
    return dict(asdict(settled))


def _settled(document: Document | None) -> Settled | None:
    return None if document is None else Settled(**document)


def _member(user: str, stored: Document | None, everybody: Everybody) -> Member:
    document = stored or {}
    since = document.get("since")
    return Member(
        user,
        document.get("version", 0),
        everybody,
        None if since is None else Position(since["epoch"], since["offset"]),
        {
            each["topic"]: Position(each["epoch"], each["offset"])
            for each in document.get("topics", ())
        },
        Preferences(
            frozenset(document.get("mutedTypes", ())), frozenset(document.get("mutedTopics", ()))
        ),
        _settled(document.get("counted")),
        stored=stored is not None,
    )
