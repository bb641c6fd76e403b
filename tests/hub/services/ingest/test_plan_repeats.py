"""Planning again, whatever of the plan was carried out before, gives the same again; and however
the journal is cut into batches and repeated, each publication has effect once."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.broker.journal import Entry
from hub.domain.publications import (
    AnyPublication,
    JobCompleted,
    JobEventData,
    JobFailed,
    ProgressUpdated,
    Recipients,
    StatusChanged,
)
from hub.services.ingest.plan import Plan, Planner
from hub.stores.heads import Head
from tests.hub.domain.samples import (
    feature,
    job_event,
    job_started,
    notification,
    scenario,
    topic_event,
)
from tests.hub.services.ingest.ledger import Ledger, accept, entries

_DATA: list[JobEventData] = [
    *(scenario("s1"), scenario("s2", 7), feature(), ProgressUpdated(12.5)),
    *(StatusChanged("PLANNING"), StatusChanged("GENERATING"), StatusChanged("CANCELLED")),
    *(JobCompleted(1, 0), JobFailed("E", "m")),
]
_STARTS = (
    job_started(1001, "j1", important=True, watcher_ids=["u2"]),
    job_started(1002, "j2"),
)


def _publication(number: int, choice: int) -> AnyPublication:
    """One of many; ``number`` is its id, so the same number is the same publication."""
    jobs = [job_event(number, data, job) for job in ("j1", "j2", "unknown") for data in _DATA]
    others: list[AnyPublication] = [
        *(notification(number, "u1"), notification(number, "u2", "u1", "u3")),
        *(notification(number), notification(number, to=Recipients(topic="t"))),
        *(topic_event(number, "t", n=number), topic_event(number, "other", n=number)),
    ]
    pool = [*jobs, *others, *others]
    return pool[choice % len(pool)]


_numbered = st.lists(st.integers(0, 200), min_size=1, max_size=14)


@st.composite
def _journals(draw: st.DrawFn) -> list[AnyPublication]:
    """Starts and then distinct publications in any order."""
    choices = draw(_numbered)
    return [*_STARTS, *(_publication(number, each) for number, each in enumerate(choices))]


def _heads_after(start: Ledger, batch: Sequence[Entry]) -> list[dict[str, Head]]:
    """The heads after each entry of the batch: what may be stored of them."""
    accepted = accept(batch)
    return [
        start.heads | start.plan(accepted[:count], known=True).heads
        for count in range(len(accepted) + 1)
    ]


def _comparable(plan: Plan) -> tuple[object, ...]:
    return (
        plan.deliver,
        {each.id: each for each in plan.announcements},
        {each.id: each for each in plan.forward},
        plan.dead,
    )


@settings(deadline=None, max_examples=150)
@given(_journals(), st.integers(0, 15), st.data())
def test_planning_again_after_any_crash_gives_the_same(
    journal: list[AnyPublication], split: int, data: st.DataObject
) -> None:
    ledger, whole = Ledger(), entries(*journal)
    if whole[:split]:
        ledger.process(whole[:split])
    batch = whole[split:]
    accepted = accept(batch)
    plan = ledger.plan(accepted, known=True)
    final = ledger.heads | plan.heads

    stored = plan.append[: data.draw(st.integers(0, len(plan.append)), "events stored")]
    heads = dict(ledger.heads)
    steps = _heads_after(ledger, batch)
    for channel in sorted(final):
        reached = sum(event.channel == channel for event in stored)
        base = ledger.heads[channel].offset if channel in ledger.heads else 0
        possible = [
            step.get(channel)
            for step in steps
            if channel not in step or step[channel].offset <= base + reached
        ]
        head = data.draw(st.sampled_from(possible), f"head of {channel}")
        if head is not None:
            heads[channel] = head

    ids = {each.id for each in accepted}
    known = {event.id: event for event in [*ledger.events, *stored] if event.id in ids}
    inboxes = ledger.inboxes(accepted)
    again = Planner(heads, known, stored_is_known=True, inboxes=inboxes).plan(accepted)
    assert [*stored, *again.append] == plan.append
    assert heads | again.heads == final
    assert _comparable(again) == _comparable(plan)
    assert not again.doubtful


@settings(deadline=None, max_examples=150)
@given(_journals(), st.data())
def test_however_it_is_cut_and_repeated_each_publication_has_effect_once(
    journal: list[AnyPublication], data: st.DataObject
) -> None:
    expected = Ledger()
    for each in entries(*journal):
        expected.process([each])

    ledger, rest, past = Ledger(), entries(*journal), list[Entry]()
    while rest:
        count = data.draw(st.integers(1, len(rest)), "batch")
        batch, rest = rest[:count], rest[count:]
        repeats = data.draw(st.lists(st.sampled_from([*past, *batch]), max_size=3), "repeats")
        earlier = data.draw(st.booleans(), "repeats first")
        known_past = [each for each in repeats if each in past]
        mixed = [*known_past, *batch] if earlier else [*batch, *repeats]
        ledger.process(mixed, redelivered=data.draw(st.booleans(), "redelivered"))
        past += batch

    assert {event.id: event for event in ledger.events} == {
        event.id: event for event in expected.events
    }
    assert ledger.heads == expected.heads
    assert ledger.announcements == expected.announcements
    assert ledger.forwarded == expected.forwarded
    assert {letter.entry for letter in ledger.dead} == {letter.entry for letter in expected.dead}


@settings(deadline=None)
@given(_journals(), st.integers(0, 15))
def test_offsets_of_every_channel_rise_by_one_in_one_epoch(
    journal: list[AnyPublication], split: int
) -> None:
    ledger, whole = Ledger(), entries(*journal)
    for part in (whole[:split], whole[split:]):
        if part:
            ledger.process(part)
    for channel, head in ledger.heads.items():
        log = ledger.log(channel)
        assert [event.offset for event in log] == list(range(1, head.offset + 1))
        assert {event.epoch for event in log} <= {head.epoch}
        assert [event.timestamp for event in log] == sorted(event.timestamp for event in log)
    assert len({event.id for event in ledger.events}) == len(ledger.events)
