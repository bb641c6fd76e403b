"""What a batch of journal entries comes to, decided without any I/O.

The same entries planned again over what was stored of them give the same events, offsets and
heads: that is why a crash at any point of carrying a plan out is repaired by planning anew.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from hub.broker.journal import DeadLetter, Entry
from hub.domain import channels, codes, jobs, notifications
from hub.domain.events import Event
from hub.domain.inbox import Announcement, Unread
from hub.domain.parsing import parse_publication
from hub.domain.publications import (
    Activity,
    AnnouncementsEnded,
    AnyPublication,
    InboxChanged,
    JobEvent,
    JobStarted,
    Notification,
    TopicEvent,
)
from hub.services.ingest import followups
from hub.services.ingest.inboxes import NO_INBOXES, Accepted, Prepared, is_over
from hub.stores.heads import Head


def epoch_of(publication_id: str) -> str:
    """The epoch of a log that this publication begins: the same whoever works it out, so that
    two writers at once collide instead of making two logs."""
    return hashlib.sha256(publication_id.encode()).hexdigest()[:8]


class LivesOverlap(Exception):
    """A job that is not kept any more starts anew in the batch that ends its former life: the two
    have the same offsets, so the one is to be processed before the other."""


class OutOfStep(Exception):
    """A stored event is not the next of its log: those in between were overlooked."""


@dataclass(slots=True)
class Plan:
    """What to write and tell.

    ``deliver``: every event of the batch by channel and offset, those stored before included, as
    nobody knows whether they were told. ``ended``: heads of jobs of which the end is among these.
    ``causes``: the publication that each of ``forward`` is of, by their ids.
    ``reborn``: when jobs were started anew, whose former life is to be removed first. ``doubtful``:
    something was refused that may be a mere repeat; plan again knowing what is stored.
    """

    append: list[Event] = field(default_factory=list)
    deliver: dict[str, dict[int, Event]] = field(default_factory=dict)
    heads: dict[str, Head] = field(default_factory=dict)
    ended: dict[str, Head] = field(default_factory=dict)
    reborn: dict[str, datetime] = field(default_factory=dict)
    announcements: list[Announcement] = field(default_factory=list)
    forward: list[AnyPublication] = field(default_factory=list)
    causes: dict[str, str] = field(default_factory=dict)
    dead: list[DeadLetter] = field(default_factory=list)
    doubtful: bool = False


DEFAULT_RETENTION: Final = timedelta(days=90)
"""How long a notification counts."""

JOB_RETENTION: Final = timedelta(days=1)
"""How long a job is kept after its end."""


def parse(
    entries: Iterable[Entry], partition: int, partitions: int
) -> tuple[list[Accepted], list[DeadLetter]]:
    """The entries that can be planned, each id once, and those that never can."""
    accepted: dict[str, Accepted] = {}
    dead = []
    for entry in entries:
        try:
            publication = parse_publication(entry.raw)
            belongs = channels.partition_of(publication.channel, partitions)
            if belongs != partition:
                raise codes.invalid("channel", f"belongs on partition {belongs}")
        except codes.HubError as error:
            dead.append(DeadLetter(entry, _reason(error)))
        else:
            first = accepted.setdefault(str(publication.id), Accepted(entry, publication))
            if first.publication.channel != publication.channel:
                dead.append(DeadLetter(entry, _reason(_used(first.publication.channel))))
    return list(accepted.values()), dead


def _used(channel: str) -> codes.HubError:
    """An id stands for one thing; the first that came with it counts."""
    return codes.HubError(codes.CONFLICT, f"the id was used before, on {channel}")


def _reason(error: codes.HubError) -> str:
    return f"{error.code.name}: {error.message}"


class Planner:
    """Plans one batch over the heads of its channels and what is known to be stored of it.
    ``inboxes``: what the batch came to in its users' inboxes."""

    def __init__(
        self,
        heads: Mapping[str, Head],
        stored: Mapping[str, Event],
        *,
        stored_is_known: bool,
        inboxes: Prepared = NO_INBOXES,
        retention: timedelta = DEFAULT_RETENTION,
        job_retention: timedelta = JOB_RETENTION,
    ) -> None:
        self._heads = dict(heads)
        self._stored = stored
        self._stored_is_known = stored_is_known
        self._inboxes = inboxes
        self._retention = retention
        self._job_retention = job_retention
        self._plan = Plan()

    def plan(self, accepted: Sequence[Accepted], overlooked: Iterable[Event] = ()) -> Plan:
        """The plan for ``accepted``. ``overlooked``: events beyond the heads that another writer
        stored meanwhile; they are folded in first."""
        for event in overlooked:
            self._fold(event)
        for each in accepted:
            try:
                self._take(each)
            except codes.HubError as error:
                self._plan.doubtful |= not self._stored_is_known
                self._plan.dead.append(DeadLetter(each.entry, _reason(error)))
        return self._plan

    def _take(self, each: Accepted) -> None:
        event = self._stored.get(each.id)
        if event is not None and event.channel != each.publication.channel:
            raise _used(event.channel)
        match each.publication:
            case JobStarted() as publication:
                self._start_job(each, publication)
            case Activity() as publication:
                self._set_activity(each, publication)
            case _ if event is not None:
                self._take_stored(each, event)
            case JobEvent() as publication:
                self._add_job_event(each, publication)
            case Notification() as publication:
                self._add_notification(each, publication)
            case InboxChanged() as publication:
                data = inbox_change(publication, self._inboxes.unread[each.id])
                self._add(self._event(each, self._head_for(each), notifications.CHANGED, data))
            case AnnouncementsEnded() as publication:
                data = {"ids": publication.ids, "state": "EXPIRED"}
                self._add(self._event(each, self._head_for(each), notifications.CHANGED, data))
            case TopicEvent() as publication:
                head = self._head_for(each)
                self._add(self._event(each, head, publication.type, publication.data))

    def _take_stored(self, each: Accepted, event: Event) -> None:
        """A repeat: its event stands, but whether anybody was told of it is not known."""
        head = self._heads.get(event.channel)
        if head is not None and head.job is not None and head.epoch != event.epoch:
            return  # of a former life of the job
        if event.offset > self._head_for(each).offset:
            self._fold(event)
        self._tell(event)
        match each.publication:
            case JobEvent():
                self._follow_up_job(self._heads[event.channel], event)
            case Notification() as publication:
                self._follow_up_notification(each, publication)
                self._announce(event, publication)

    def _start_job(self, each: Accepted, publication: JobStarted) -> None:
        channel = publication.channel
        head = self._heads.get(channel)
        epoch = epoch_of(each.id)
        if head is not None and head.epoch == epoch:
            return  # a repeat
        if head is not None and head.kept_at(each.entry.at):
            raise codes.HubError(codes.CONFLICT, f"job {publication.job_id} was started before")
        if head is not None:
            if channel in self._plan.deliver:
                raise LivesOverlap(channel)
            self._plan.reborn[channel] = each.entry.at
        self._set(Head(channel, epoch, 0, jobs.started(publication, each.entry.at)))

    def _set_activity(self, each: Accepted, publication: Activity) -> None:
        head = self._heads.get(publication.channel)
        job = None if head is None else head.job
        if job is not None and jobs.activity_repeats(job, publication, each.entry.order):
            return
        job = self._running_job(each)
        job = jobs.with_activity(job, publication, each.entry.order, each.entry.at)
        self._set(msgspec.structs.replace(self._heads[publication.channel], job=job))

    def _running_job(self, each: Accepted) -> jobs.Job:
        channel = each.publication.channel
        head = self._heads.get(channel)
        if head is None or head.job is None:
            raise codes.HubError(codes.JOB_NOT_FOUND, f"{channel} was never started")
        if not head.kept_at(each.entry.at):
            raise codes.HubError(codes.JOB_NOT_FOUND, f"{channel} is not kept any more")
        if head.job.ended:
            raise codes.HubError(codes.CONFLICT, f"{channel} is {head.job.status} already")
        return head.job

    def _add_job_event(self, each: Accepted, publication: JobEvent) -> None:
        job = self._running_job(each)
        head = self._heads[publication.channel]
        data = jobs.event_data(job, publication, each.entry.at)
        event = self._event(each, head, publication.type, data, job_id=job.id)
        if event.type in jobs.SHOWS_PROGRESS:
            event = replace(event, progress=jobs.fold(job, event).progress())
        self._add(event)
        self._follow_up_job(self._heads[event.channel], event)

    def _add_notification(self, each: Accepted, publication: Notification) -> None:
        if each.id not in self._inboxes.muted and not is_over(each):
            head = self._head_for(each)
            shown = self._shown(each, publication)
            event = self._event(each, head, notifications.CREATED, shown)
            self._add(event)
            self._announce(event, publication)
        self._follow_up_notification(each, publication)

    def _shown(self, each: Accepted, publication: Notification) -> dict[str, Any]:
        """The notification as its event has it; one user's with the count."""
        content = notifications.content(publication)
        if not publication.users:
            scope: notifications.Scope = "ALL" if publication.to == "all" else "TOPIC"
            return notifications.shown(each.id, content, scope, each.entry.at)
        place = self._inboxes.places.get(each.id)
        if place is None:
            shown = notifications.shown(each.id, content, "USER", each.entry.at)
        else:  # it took the place of an unread one
            shown = notifications.shown(place.id, content, "USER", place.created_at, place.state)
            shown["updated"] = True
        shown["unread"] = self._inboxes.unread[each.id].wire()
        return shown

    def _announce(self, event: Event, publication: Notification) -> None:
        if publication.users:
            return
        announcement = Announcement(
            event.id,
            event.channel,
            event.epoch,
            event.offset,
            event.timestamp,
            notifications.end(publication, event.timestamp, self._retention),
            notifications.content(publication),
            publication.critical,
        )
        self._plan.announcements.append(announcement)

    def _follow_up_job(self, head: Head, event: Event) -> None:
        if head.job is not None:
            self._follow_up(event.id, followups.of_job_event(head.job, event))

    def _follow_up_notification(self, each: Accepted, publication: Notification) -> None:
        self._follow_up(each.id, followups.copies(each.id, publication))

    def _follow_up(self, cause: str, caused: Iterable[Notification]) -> None:
        for each in caused:
            self._plan.forward.append(each)
            self._plan.causes[str(each.id)] = cause

    def _head_for(self, each: Accepted) -> Head:
        channel = each.publication.channel
        return self._heads.get(channel) or Head(channel, epoch_of(each.id))

    def _event(
        self, each: Accepted, head: Head, type_: str, data: dict[str, object], **more: str
    ) -> Event:
        return Event(
            id=each.id,
            channel=head.channel,
            epoch=head.epoch,
            offset=head.offset + 1,
            type=type_,
            data=data,
            timestamp=each.entry.at,
            job_id=more.get("job_id"),
        )

    def _add(self, event: Event) -> None:
        self._plan.append.append(event)
        self._fold(event)

    def _fold(self, event: Event) -> None:
        """Moves the channel's head over ``event``, which is the next one of its log."""
        head = self._heads.get(event.channel) or Head(event.channel, event.epoch)
        if event.offset != head.offset + 1:
            raise OutOfStep(event.channel)
        job = None if head.job is None else jobs.fold(head.job, event)
        ended_at = None if job is None else job.ended_at
        kept_until = None if ended_at is None else ended_at + self._job_retention
        self._set(Head(head.channel, head.epoch, event.offset, job, kept_until))
        self._tell(event)

    def _tell(self, event: Event) -> None:
        self._plan.deliver.setdefault(event.channel, {})[event.offset] = event
        head = self._heads.get(event.channel)
        if head is not None and head.kept_until is not None:
            self._plan.ended[event.channel] = head

    def _set(self, head: Head) -> None:
        self._heads[head.channel] = head
        self._plan.heads[head.channel] = head


def inbox_change(publication: InboxChanged, unread: Unread) -> dict[str, Any]:
    """``data`` of NOTIFICATIONS_CHANGED."""
    everything = publication.everything
    which: dict[str, Any] = {"ids": publication.ids}
    if everything is not msgspec.UNSET:
        which = {"all": True}
        if everything.up_to is not msgspec.UNSET:
            which["upTo"] = everything.up_to
    if publication.topic is not msgspec.UNSET:
        which["topic"] = publication.topic
    return {**which, "state": publication.state, "unread": unread.wire()}
