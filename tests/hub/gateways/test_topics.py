"""Open connections follow what their user subscribes to, and leave it, on every node."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from config.settings import Settings
from hub import tokens
from tests.conftest import JWT_SECRET
from tests.hub.gateways.inboxes import Device, House, running_house
from tests.support.sioline import line

SUBSCRIBER = "/v1/topics/news/subscribers/u1"


@pytest.fixture
async def house(settings: Settings) -> AsyncIterator[House]:
    async with running_house(settings) as running:
        yield running


def heard(*devices: Device) -> list[str]:
    """The titles that were told on the topic, in order."""
    events = [event for device in devices for event in device.events]
    return [each["data"]["title"] for each in events if each["channel"] == "topic:news"]


async def tell(house: House, *titles: str) -> None:
    for title in titles:
        await house.tell(topic="news", title=title)


async def changed(device: Device, times: int) -> None:
    """Returns once the device was told of so many subscriptions, and the hub has seen to them: it
    does so before it handles the next command."""
    await device.until(lambda: len(device.of("NOTIFICATIONS_CHANGED")) == times)
    await device.list()


async def test_open_connections_follow_and_leave(house: House) -> None:
    devices = [await house.device(), await house.device(at=1)]
    witnesses = [await house.device("w", at=at) for at in (0, 1)]
    for witness in witnesses:
        assert (await witness.line.command("subscribe", {"channel": "topic:news"}))["ok"]
    await tell(house, "before")
    for witness in witnesses:
        await witness.until(lambda: heard(witness) == ["before"])  # noqa: B023
    mine: list[str] = []
    for number in range(2):
        titles = [f"{number}.{each}" for each in range(4)]
        assert (await house.ask("PUT", SUBSCRIBER, at=number))[0] == 204
        await tell(house, *titles[:2])
        for device in devices:
            await changed(device, 2 * number + 1)
            assert device.of("NOTIFICATIONS_CHANGED")[-1]["topic"] == "news"
        await tell(house, *titles[2:])
        mine += titles
        for device in devices:
            await device.until(lambda: len(heard(device)) >= len(mine))  # noqa: B023
            assert heard(device) == mine
            assert [each["title"] for each in (await device.list())["items"]] == titles[::-1]
        assert (await house.ask("DELETE", SUBSCRIBER, at=1))[0] == 204
        for device in devices:
            await changed(device, 2 * number + 2)
        await tell(house, "after")
        for witness in witnesses:
            await witness.until(lambda: heard(witness)[-1] == "after")  # noqa: B023
        for device in devices:
            await device.list()
            assert heard(device) == mine


@pytest.mark.parametrize("hears", [True, False])
async def test_one_that_recovers_misses_nothing_of_it(house: House, hears: bool) -> None:
    """Its line breaks after it has heard of the subscription, or before."""
    device = await house.device()
    await house.tell("u1", title="own")
    await device.until(lambda: device.of("NOTIFICATION_CREATED"))
    if not hears:
        device.line.cut()
        await device.until(lambda: device.line.closed)
    assert (await house.ask("PUT", SUBSCRIBER, at=1))[0] == 204
    if hears:
        await device.until(lambda: device.of("NOTIFICATIONS_CHANGED"))
        device.line.cut()
        await device.until(lambda: device.line.closed)
    await tell(house, "1", "2")
    token = tokens.mint(JWT_SECRET, "u1", projects=["p1"])
    returning = line(house.urls[1], token, back=device.line)
    back = Device(await house.stack.enter_async_context(returning))
    await tell(house, "3")
    await back.until(lambda: heard(back)[-1:] == ["3"])
    listed = [each["title"] for each in (await back.list())["items"]]
    assert listed == ["3", "2", "1", "own"]
    if not hears or back.line.hello["recovered"]:  # else the line broke in the middle of joining
        assert heard(device, back) == ["1", "2", "3"]
