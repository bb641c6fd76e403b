"""When and with what a channel catches up. See also ``test_pressure_machine``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from hub.delivery.message import Message, Reset
from hub.domain import codes
from hub.domain.events import Encoded
from hub.gateways import lagging
from hub.gateways.lagging import Lagging, gives_way

ONE, TWO = "job:1", "job:2"


def event(channel: str, offset: int) -> Message:
    return Message(channel, "e1", Encoded(offset, b"{}"))


class Scene:
    """A connection, and a store that answers when it is made to. ``sent``: all of it, in order."""

    def __init__(self) -> None:
        self.reading = True
        self.sent: list[tuple[str, str, int]] = []
        self.asked: dict[str, asyncio.Future[int]] = {}
        self.times_asked = 0
        self.lagging = Lagging(self, self.summary)

    async def summary(self, channel: str) -> Reset:
        self.times_asked += 1
        answer = self.asked[channel] = asyncio.get_running_loop().create_future()
        return Reset(channel, "e1", await answer)

    def send_reset(self, notice: Reset) -> None:
        self.sent.append(("reset", notice.channel, notice.offset))

    def deliver(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if self.lagging.pass_on(message):
                self.sent.append(("event", message.channel, message.offset))

    def tell(self, channel: str, *offsets: int) -> None:
        self.deliver([event(channel, offset) for offset in offsets])

    async def answer(self, channel: str, offset: int) -> None:
        self.asked.pop(channel).set_result(offset)
        await turn()

    async def fail(self, channel: str) -> None:
        self.asked.pop(channel).set_exception(codes.HubError(codes.UNAVAILABLE))
        await turn()


async def turn() -> None:
    """Lets the loop do what it has to."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_only_jobs_give_way() -> None:
    assert gives_way("job:1")
    assert not any(map(gives_way, ("user:job:1", "topic:job:1", "all")))


def test_what_does_not_lag_is_passed_on(scene: Scene) -> None:
    scene.lagging.add([TWO])
    scene.tell(ONE, 1, 2)
    scene.tell(TWO, 1, 2)
    assert scene.sent == [("event", ONE, 1), ("event", ONE, 2)]
    assert scene.lagging


async def test_events_are_kept_from_the_moment_of_asking_on(scene: Scene) -> None:
    scene.lagging.add([ONE])
    scene.tell(ONE, 8, 9)
    catching_up = asyncio.create_task(scene.lagging.catch_up())
    await turn()
    scene.tell(ONE, 10)
    scene.tell(ONE, 11, 12)
    assert scene.sent == []
    await scene.answer(ONE, 10)
    assert scene.sent == [("reset", ONE, 10), ("event", ONE, 11), ("event", ONE, 12)]
    assert catching_up.done()
    assert not scene.lagging


async def test_what_the_snapshot_covers_is_not_sent_even_when_it_comes_later(scene: Scene) -> None:
    scene.lagging.add([ONE])
    asyncio.create_task(scene.lagging.catch_up())  # noqa: RUF006 - over at the next line but one
    await turn()
    await scene.answer(ONE, 12)
    scene.tell(ONE, 10, 11)
    assert scene.lagging
    scene.tell(ONE, 12, 13, 14)
    assert scene.sent == [("reset", ONE, 12), ("event", ONE, 13), ("event", ONE, 14)]
    assert not scene.lagging


async def test_channels_catch_up_one_after_the_other(scene: Scene) -> None:
    scene.lagging.add([ONE, TWO])
    catching_up = asyncio.create_task(scene.lagging.catch_up())
    await turn()
    assert list(scene.asked) == [ONE]
    await scene.answer(ONE, 5)
    await scene.answer(TWO, 6)
    assert scene.sent == [("reset", ONE, 5), ("reset", TWO, 6)]
    assert catching_up.done()


async def test_asking_goes_on_in_one_task(scene: Scene) -> None:
    scene.lagging.add([ONE])
    first = asyncio.create_task(scene.lagging.catch_up())
    await turn()
    await scene.lagging.catch_up()
    assert scene.times_asked == 1
    await scene.answer(ONE, 5)
    assert scene.sent == [("reset", ONE, 5)]
    await first


async def test_nothing_is_asked_for_a_client_that_does_not_read(scene: Scene) -> None:
    scene.lagging.add([ONE, TWO])
    scene.reading = False
    await scene.lagging.catch_up()
    assert scene.times_asked == 0
    scene.reading = True
    catching_up = asyncio.create_task(scene.lagging.catch_up())
    await turn()
    scene.reading = False
    await scene.answer(ONE, 5)
    await catching_up
    assert scene.times_asked == 1
    scene.reading = True
    again = asyncio.create_task(scene.lagging.catch_up())
    await turn()
    await scene.answer(TWO, 6)
    await again
    assert scene.sent == [("reset", ONE, 5), ("reset", TWO, 6)]


async def test_a_store_that_is_out_of_reach_is_asked_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lagging, "_RETRY", 0)
    scene.lagging.add([ONE])
    catching_up = asyncio.create_task(scene.lagging.catch_up())
    await turn()
    await scene.fail(ONE)
    scene.tell(ONE, 8)
    assert scene.times_asked == 2
    await scene.answer(ONE, 7)
    assert scene.sent == [("reset", ONE, 7), ("event", ONE, 8)]
    await catching_up


async def test_more_than_is_kept_makes_it_ask_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lagging, "_KEPT_AT_MOST", 3)
    scene.lagging.add([ONE])
    catching_up = asyncio.create_task(scene.lagging.catch_up())
    await turn()
    scene.tell(ONE, *range(6, 20))
    await scene.answer(ONE, 5)
    assert scene.sent == []
    scene.tell(ONE, 20)
    await scene.answer(ONE, 19)
    assert scene.sent == [("reset", ONE, 19), ("event", ONE, 20)]
    await catching_up


async def test_falling_behind_again_meanwhile_makes_it_ask_again(scene: Scene) -> None:
    scene.lagging.add([ONE])
    catching_up = asyncio.create_task(scene.lagging.catch_up())
    await turn()
    scene.lagging.add([ONE])
    await scene.answer(ONE, 5)
    assert scene.sent == []
    await scene.answer(ONE, 9)
    assert scene.sent == [("reset", ONE, 9)]
    await catching_up


@pytest.mark.parametrize("moment", ["before", "while", "after"])
async def test_a_channel_that_is_followed_no_more(scene: Scene, moment: str) -> None:
    scene.lagging.add([ONE])
    if moment == "before":
        scene.lagging.forget(ONE)
        await scene.lagging.catch_up()
        assert scene.times_asked == 0
    else:
        catching_up = asyncio.create_task(scene.lagging.catch_up())
        await turn()
        if moment == "while":
            scene.lagging.forget(ONE)
        await scene.answer(ONE, 5)
        scene.lagging.forget(ONE)
        await catching_up
        assert scene.sent == ([("reset", ONE, 5)] if moment == "after" else [])
    assert not scene.lagging
    scene.sent.clear()
    scene.tell(ONE, 1)
    assert scene.sent == [("event", ONE, 1)]
