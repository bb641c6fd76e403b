"""How much a client may ask for."""

from __future__ import annotations

from typing import Any

from config.settings import Rate, Settings
from hub import metrics, tokens
from hub.domain.ids import uuid7
from hub.gateways.sio.commands import SUBSCRIPTIONS_AT_MOST
from tests.conftest import JWT_SECRET
from tests.hub.gateways.inboxes import Device, House, running_house
from tests.support.doors import bearer
from tests.support.sioline import line

TOKEN = tokens.mint(JWT_SECRET, "u1", projects=["p1"])
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


def limited(limit: str) -> float:
    """How often it refused, on all nodes of this process."""
    return metrics.LIMITED.by_labels.get((limit,), 0)


async def knock(house: House, at: int, door: str, forwarded: str) -> tuple[str, Any]:
    """One attempt to connect: the code that it is answered with, and ``retryAfter``."""
    headers = {"X-Forwarded-For": forwarded}
    if door == "socketio":
        async with line(house.urls[at], TOKEN, headers=headers) as client:
            refusal = client.refusal or {}
            return refusal.get("code", ""), refusal.get("retryAfter")
    headers |= bearer(TOKEN)
    if door == "websocket":
        headers |= {"Upgrade": "websocket", "Connection": "Upgrade"}
    else:
        headers |= {"Accept": "text/event-stream"}
    url = f"{house.urls[at]}/v1/jobs/none/progress"
    async with house.http.get(url, headers=headers) as answer:
        problem = await answer.json(content_type="application/problem+json")
        if answer.status == 429:
            assert int(answer.headers["Retry-After"]) >= problem["retryAfter"]
        return problem["errorCode"], problem.get("retryAfter")


async def test_connects_are_counted_by_address_at_every_door_of_every_node(
    settings: Settings,
) -> None:
    rates = {"rate_connects": Rate(4, 60), "trusted_proxies": ("127.0.0.0/8",)}
    async with running_house(settings.model_copy(update=rates)) as house:
        before = limited("connects")
        for at, door, code in (
            (0, "socketio", ""),
            (1, "socketio", ""),
            (0, "websocket", "JOB_NOT_FOUND"),
            (1, "sse", "JOB_NOT_FOUND"),
        ):
            assert (await knock(house, at, door, "2001:db8::1"))[0] == code
        for forwarded in ("2001:db8::1", "2001:db8::ffff", "9.9.9.9, 2001:db8::1"):
            for door in ("socketio", "websocket", "sse"):
                for at in (0, 1):
                    code, after = await knock(house, at, door, forwarded)
                    assert code == "RATE_LIMITED", (door, forwarded)
                    assert 0 < after <= 120
        assert limited("connects") - before == 18
        for forwarded in ("2001:db8:0:1::1", "192.0.2.1", "2001:db8::1, 9.9.9.9"):
            assert await knock(house, 0, "socketio", forwarded) == ("", None)


async def test_who_tries_again_and_again_on_one_connection_is_counted_and_then_ended(
    settings: Settings,
) -> None:
    small = settings.model_copy(update={"rate_connects": Rate(3, 60)})
    async with running_house(small) as house, line(house.urls[0], "no token") as client:
        assert (client.refusal or {})["code"] == "UNAUTHENTICATED"
        for _ in range(2):
            await client.connect({"token": "nor this"})
        for _ in range(30):
            await client.say("40{}")
        await client.until(lambda: client.closed)
        assert (client.refusal or {})["code"] == "RATE_LIMITED"


async def test_handshakes_without_end_are_refused(settings: Settings) -> None:
    async with running_house(settings.model_copy(update={"rate_connects": Rate(2, 60)})) as house:
        before = limited("handshakes")
        statuses = []
        for _ in range(12):
            url = f"{house.urls[0]}/socket.io/?EIO=4&transport=polling"
            async with house.http.get(url) as answer:
                statuses.append(answer.status)
        assert statuses == [200] * 10 + [429] * 2
        assert answer.headers["Retry-After"] == "1"
        assert limited("handshakes") - before == 2


async def test_commands_are_counted_by_user_over_all_connections(settings: Settings) -> None:
    small = settings.model_copy(update={"rate_user_commands": Rate(10, 60)})
    async with running_house(small) as house:
        before = limited("user_commands")
        one, two = await house.device(), await house.device(at=1)
        other = await house.device("u2")
        answers = [(await asked(each, 1))[0] for _ in range(5) for each in (one, two)]
        assert all(answer["ok"] for answer in answers)
        for each in (one, two):  # as many more as are given while the tenth is counted
            answers += await asked(each, 1)
            while answers[-1]["ok"]:
                answers += await asked(each, 1)
        done = [answer["ok"] for answer in answers]
        assert not done[-1]
        error = answers[-1]["error"]
        assert (error["code"], error["retry"]) == ("RATE_LIMITED", True)
        assert 0 < error["retryAfter"] <= 120
        assert limited("user_commands") - before == done.count(False)
        assert (await asked(other, 1))[0]["ok"]
        for _ in range(60):
            await one.line.send(*COMMAND)
        await one.until(lambda: one.line.closed)
        (closing,) = one.line.named("closing")
        assert (closing["code"], closing["reconnect"]) == ("RATE_LIMITED", True)
        await house.tell("u1", title="still here")
        await two.until(lambda: two.of("NOTIFICATION_CREATED"))


async def status_of(house: House, at: int, token: str) -> int:
    url = f"{house.urls[at]}/v1/notifications/unread-count"
    async with house.http.get(url, headers=bearer(token)) as answer:
        if answer.status == 429:
            problem = await answer.json(content_type="application/problem+json")
            assert problem["errorCode"] == "RATE_LIMITED"
            assert int(answer.headers["Retry-After"]) >= problem["retryAfter"] > 0
        return answer.status


async def test_requests_are_counted_by_user_and_without_a_token_by_address(
    settings: Settings,
) -> None:
    small = settings.model_copy(update={"rate_requests": Rate(10, 60)})
    async with running_house(small) as house:
        before = limited("requests")
        found = []
        for token, well in (("guess", 401), (TOKEN, 200)):  # the guesses do no harm to others
            part = [await status_of(house, number % 2, token) for number in range(10)]
            assert part == [well] * 10
            while part[-1] == well:  # as many more as are asked while the tenth is counted
                part.append(await status_of(house, 0, token))
            part += [await status_of(house, 0, token) for _ in range(10)]
            assert set(part[-10:]) == {429}
            found += part
        assert limited("requests") - before == found.count(429)
        assert await status_of(house, 0, tokens.mint(JWT_SECRET, "u2")) == 200


async def test_publications_are_counted_by_service(settings: Settings) -> None:
    small = settings.model_copy(update={"rate_publishes": Rate(10, 60)})
    notice = {"kind": "NOTIFICATION", "to": {"users": ["u1"]}, "type": "a.b", "body": "b"}

    async with running_house(small) as house:

        async def publish(count: int, user: str, title: str) -> tuple[int, Any]:
            items = [{"id": uuid7(), "title": title, **notice} for _ in range(count)]
            return await house.ask(
                "POST", "/v1/publish", {"items": items}, user=user, roles=("service",)
            )

        device = await house.device()
        assert (await publish(6, "s1", "first"))[0] == 202
        status, problem = await publish(6, "s1", "too many")
        assert (status, problem["errorCode"]) == (429, "RATE_LIMITED")
        assert problem["retryAfter"] > 0
        assert (await publish(6, "s2", "second"))[0] == 202
        await device.counts(12)
        titles = [each["title"] for each in (await device.list())["items"]]
        assert titles == ["second"] * 6 + ["first"] * 6


async def test_a_connection_follows_so_many_channels(settings: Settings) -> None:
    async with running_house(settings) as house:
        client, before = await house.device(), limited("subscriptions")

        async def follow(number: int) -> dict[str, Any]:
            answer: dict[str, Any] = await client.line.command(
                "subscribe", {"channel": f"topic:t{number}"}
            )
            return answer

        held = len(client.line.hello["channels"])
        for number in range(held, SUBSCRIPTIONS_AT_MOST):
            assert (await follow(number))["ok"]
        refused = await follow(SUBSCRIPTIONS_AT_MOST)
        assert (refused["error"]["code"], refused["error"]["retry"]) == ("CONFLICT", False)
        assert limited("subscriptions") == before + 1
        assert (await follow(held))["ok"], "it is one of them"
        await client.line.command("unsubscribe", {"channel": f"topic:t{held}"})
        assert (await follow(SUBSCRIPTIONS_AT_MOST))["ok"]
