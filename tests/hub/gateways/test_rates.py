"""How much a client may ask for."""

from __future__ import annotations

from typing import Any

from config.settings import Rate, Settings
from hub import metrics
from tests.hub.gateways.inboxes import Device, running_house

COMMAND = ("unsubscribe", {"channel": "job:none"})


async def asked(device: Device, times: int) -> list[Any]:
    """The answers to so many commands, one after the other."""
    return [await device.line.command(*COMMAND) for _ in range(times)]


async def test_commands_above_the_rate_are_refused_and_a_flood_ends_the_connection(
    settings: Settings,
) -> None:
    slow = settings.model_copy(update={"rate_commands": Rate(4, 60)})
    async with running_house(slow) as house:
        before = metrics.LIMITED.by_labels.get(("commands",), 0)
        client, other = await house.device(), await house.device("other", at=1)
        answers = await asked(client, 10)
        assert [answer["ok"] for answer in answers] == [True] * 4 + [False] * 6
        for answer in answers[4:]:
            error = answer["error"]
            assert (error["code"], error["retry"]) == ("RATE_LIMITED", True)
            assert 0 < error["retryAfter"] <= 60
        await house.tell("u1", title="still here")  # who asks too much is told all the same
        await client.until(lambda: client.of("NOTIFICATION_CREATED"))
        for _ in range(15):
            await client.line.send(*COMMAND)
        await client.until(lambda: client.line.closed)
        (closing,) = client.line.named("closing")
        assert (closing["code"], closing["reconnect"]) == ("RATE_LIMITED", True)
        assert (await asked(other, 1))[0]["ok"]
        assert metrics.LIMITED.by_labels[("commands",)] - before == 6 + 15
