"""Live channels on a real Redis: what they promise, and what becomes of it when they break."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from redis import Redis as SyncRedis

from hub.broker import link as link_module
from hub.broker import live as live_module
from hub.broker.live import LiveChannels
from hub.embedded import RedisServer
from tests.hub.broker.listening import KEYS, Heard, busy, listening, message
from tests.hub.broker.proxy import Proxy

NEWS = "topic:news"


@pytest.fixture
def heard() -> Heard:
    """What the test's live channels heard."""
    return Heard()


@pytest.fixture
def fast_pings(monkeypatch: pytest.MonkeyPatch) -> float:
    """The ping interval, made short."""
    monkeypatch.setattr(link_module, "PING_INTERVAL", 0.2)
    return 0.2


# -- hearing --------------------------------------------------------------------------------------


async def test_what_is_published_once_follow_returned_is_heard(
    server: RedisServer, heard: Heard, sync_redis: SyncRedis
) -> None:
    async with listening(server.url, heard) as live:
        for number in range(50):
            channel = f"job:{number}"
            await live.follow(channel)
            sync_redis.publish(KEYS.live(channel), message(1))
        await heard.until(lambda: len(heard.batches) == 50)
    assert [batch.channel for batch in heard.batches] == [f"job:{n}" for n in range(50)]


async def test_many_follow_at_once_with_few_commands(
    server: RedisServer, heard: Heard, sync_redis: SyncRedis
) -> None:
    channels = [f"job:{number}" for number in range(1200)]
    async with listening(server.url, heard) as live:
        before = sync_redis.info("commandstats")["cmdstat_subscribe"]["calls"]
        await asyncio.gather(*(live.follow(channel) for channel in channels))
        after = sync_redis.info("commandstats")["cmdstat_subscribe"]["calls"]
        assert after - before == 3  # 500 names each
        names = [KEYS.live(channel) for channel in channels]
        assert {count for _, count in sync_redis.pubsub_numsub(*names)} == {1}


async def test_batches_come_in_the_order_of_publishing(
    server: RedisServer, heard: Heard, sync_redis: SyncRedis
) -> None:
    async with listening(server.url, heard) as live:
        await live.follow(NEWS)
        for first in range(1, 2001, 2):
            sync_redis.publish(KEYS.live(NEWS), message(first, 2))
            if first % 99 == 0:
                await asyncio.sleep(0)
        await heard.until(lambda: len(heard.offsets(NEWS)) == 2000)
    assert heard.offsets(NEWS) == list(range(1, 2001))


async def test_a_channel_is_not_heard_after_unfollow_and_again_after_follow(
    server: RedisServer, heard: Heard, sync_redis: SyncRedis
) -> None:
    async with listening(server.url, heard) as live:
        for number in range(1, 30):
            await live.follow(NEWS)
            sync_redis.publish(KEYS.live(NEWS), message(number))
            await heard.until(lambda: heard.offsets(NEWS)[-1:] == [number])  # noqa: B023
            live.unfollow(NEWS)
            if number % 3:
                await live.follow("topic:other")  # confirmed after NEWS was given up
                assert sync_redis.publish(KEYS.live(NEWS), message(99)) == 0
                live.unfollow("topic:other")
    assert heard.offsets(NEWS) == list(range(1, 30))


async def test_a_confirmation_of_an_earlier_subscription_is_not_taken_for_a_later_one(
    server: RedisServer, heard: Heard, sync_redis: SyncRedis
) -> None:
    async with listening(server.url, heard) as live:
        for _ in range(20):
            follow = asyncio.create_task(live.follow(NEWS))
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # SUBSCRIBE is written, and mostly not answered yet
            live.unfollow(NEWS)
            await asyncio.gather(follow, return_exceptions=True)
        await live.follow(NEWS)
        assert sync_redis.publish(KEYS.live(NEWS), message(1)) == 1
        await heard.until(lambda: heard.offsets(NEWS) == [1])


# -- one read, one turn ---------------------------------------------------------------------------


def publish_as_one(redis: SyncRedis, *what: tuple[str, bytes]) -> None:
    """Publishes ``(channel, payload)``s so that a subscriber reads them together."""
    with redis.pipeline(transaction=True) as pipeline:
        for channel, payload in what:
            pipeline.publish(KEYS.live(channel), payload)
        pipeline.execute()


async def test_what_follows_on_in_one_read_is_one_batch(
    server: RedisServer, heard: Heard, sync_redis: SyncRedis
) -> None:
    async with listening(server.url, heard) as live:
        await live.follow(NEWS)
        batches = message(1, 2), message(3), message(4, 3), message(8), message(9, 1, "e2")
        publish_as_one(sync_redis, *((NEWS, each) for each in batches))
        await heard.until(lambda: len(heard.batches) == 3)
    found = [(batch.epoch, batch.first, len(batch.envelopes)) for batch in heard.batches]
    assert found == [("e1", 1, 6), ("e1", 8, 1), ("e2", 9, 1)]
    assert heard.batches[0].envelopes == [b'{"offset":%d}' % n for n in range(1, 7)]


async def test_several_batches_of_one_read_are_one_turn_and_a_single_one_is_none(
    server: RedisServer, heard: Heard, sync_redis: SyncRedis
) -> None:
    async with listening(server.url, heard) as live:
        await asyncio.gather(live.follow("job:a"), live.follow("job:b"))
        sync_redis.publish(KEYS.live("job:a"), message(1))
        await heard.until(lambda: len(heard.batches) == 1)
        assert heard.turns == []
        jobs = [(job, message(first)) for first in (2, 3) for job in ("job:a", "job:b")]
        publish_as_one(sync_redis, *jobs)
        await heard.until(lambda: len(heard.batches) == 3)
    [turn] = heard.turns
    assert [(batch.channel, batch.first, batch.last) for batch in turn] == [
        ("job:a", 2, 3),
        ("job:b", 2, 3),
    ]


async def test_a_long_read_leaves_the_loop_to_others_in_between(
    server: RedisServer, heard: Heard, sync_redis: SyncRedis
) -> None:
    """Some 300 ms of handing over, and nobody waits longer than a slice of it."""
    channels = [f"job:{number}" for number in range(150)]
    heard.on_batch = lambda _: busy(0.002)
    gaps = [0.0]
    async with listening(server.url, heard) as live:
        await asyncio.gather(*(live.follow(channel) for channel in channels))
        for channel in channels:
            sync_redis.publish(KEYS.live(channel), message(1))
        while len(heard.batches) < len(channels):
            began = time.perf_counter()
            await asyncio.sleep(0)
            gaps.append(time.perf_counter() - began)
    assert max(gaps) < 0.15
    assert len(heard.turns) > 20


async def test_a_busy_node_does_not_take_its_connection_for_dead(
    server: RedisServer, heard: Heard, sync_redis: SyncRedis, fast_pings: float
) -> None:
    heard.on_batch = lambda _: busy(0.005)
    async with listening(server.url, heard) as live:
        channels = [f"job:{number}" for number in range(int(4 * fast_pings / 0.005))]
        await asyncio.gather(*(live.follow(channel) for channel in channels))
        for channel in channels:
            sync_redis.publish(KEYS.live(channel), message(1))
        await heard.until(lambda: len(heard.batches) == len(channels))
        busy(5 * fast_pings)
        await asyncio.sleep(fast_pings)
        assert live.connected
    assert heard.restored == 0


# -- breaking -------------------------------------------------------------------------------------


async def test_restored_is_told_once_everything_is_subscribed_again(
    server: RedisServer, heard: Heard, sync_redis: SyncRedis
) -> None:
    channels = [f"job:{number:0100d}" for number in range(3000)]  # more than one write takes
    names = [KEYS.live(channel) for channel in channels]
    subscribed: list[set[int]] = []
    heard.on_restored = lambda: subscribed.append(
        {count for _, count in sync_redis.pubsub_numsub(*names)}
    )
    async with listening(server.url, heard) as live:
        await asyncio.gather(*(live.follow(channel) for channel in channels))
        for outage in range(1, 4):
            assert sync_redis.client_kill_filter(_type="pubsub") == 1
            await heard.until(lambda: heard.restored == outage)  # noqa: B023
            sync_redis.publish(names[outage], message(outage))
            await heard.until(lambda: len(heard.batches) == outage)  # noqa: B023
        assert live.connected
    assert subscribed == [{1}] * 3


async def test_what_is_followed_while_redis_is_away_is_confirmed_once_it_is_back(
    server: RedisServer, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "PATIENCE", 10)  # the start may take its time
    async with listening(server.url, heard) as live:
        await server.stop()
        await heard.until(lambda: not live.connected)
        follow = asyncio.create_task(live.follow(NEWS))
        await server.start()
        await follow
        await heard.until(lambda: heard.restored == 1)


async def test_following_without_redis_gives_up_after_a_time(
    server: RedisServer, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_module, "PATIENCE", 0.2)
    live = LiveChannels(server.url, KEYS, heard.take, heard.restore)
    with pytest.raises(TimeoutError):
        await live.follow(NEWS)
    assert not await live.wait_connected(0.05)
    await live.close()


async def test_a_silent_connection_is_replaced_within_two_intervals(
    server: RedisServer, heard: Heard, sync_redis: SyncRedis, fast_pings: float
) -> None:
    async with Proxy(server.port).serving() as proxy, listening(proxy.url, heard) as live:
        await live.follow(NEWS)
        await asyncio.sleep(2.5 * fast_pings)
        assert proxy.accepted == 1
        proxy.freeze()
        frozen = time.perf_counter()
        await heard.until(lambda: not live.connected)
        assert time.perf_counter() - frozen < 2 * fast_pings + 0.5
        await heard.until(lambda: heard.restored == 1)
        sync_redis.publish(KEYS.live(NEWS), message(1))
        await heard.until(lambda: heard.offsets(NEWS) == [1])


async def test_a_deaf_connection_is_replaced_though_it_answers_pings(
    server: RedisServer, heard: Heard, sync_redis: SyncRedis, fast_pings: float
) -> None:
    """The canary: the socket is well and the server has forgotten the subscriptions."""
    async with Proxy(server.port).serving() as proxy, listening(proxy.url, heard) as live:
        await live.follow(NEWS)
        await proxy.deafen()
        deaf = time.perf_counter()
        await heard.until(lambda: sync_redis.pubsub_numsub(KEYS.live(NEWS))[0][1] == 0)
        await heard.until(lambda: heard.restored == 1)
        assert time.perf_counter() - deaf < 3 * fast_pings + 0.5
        assert live.connected
        sync_redis.publish(KEYS.live(NEWS), message(1))
        await heard.until(lambda: heard.offsets(NEWS) == [1])


async def test_a_server_that_became_a_replica_is_left(
    server: RedisServer, heard: Heard, sync_redis: SyncRedis, fast_pings: float
) -> None:
    """Where a name or an address moves to the new primary, the old one may keep its sockets."""
    async with listening(server.url, heard) as live:
        sync_redis.replicaof("127.0.0.1", "1")
        try:
            await heard.until(lambda: not live.connected)
            await asyncio.sleep(2 * fast_pings)
            assert not live.connected
        finally:
            sync_redis.replicaof("NO", "ONE")
        await heard.until(lambda: heard.restored == 1)


async def test_what_redis_refuses_is_no_connection(
    server: RedisServer, heard: Heard, sync_redis: SyncRedis
) -> None:
    everything: Any = {"categories": ["+@all"], "keys": ["*"], "reset_channels": True}
    sync_redis.acl_setuser(
        "mute", enabled=True, passwords=["+pw"], channels=["other:*"], **everything
    )
    live = LiveChannels(f"redis://mute:pw@127.0.0.1:{server.port}", KEYS, heard.take, heard.restore)
    running = asyncio.create_task(live.run())
    assert not await live.wait_connected(0.5)
    assert not running.done()
    running.cancel()
    await asyncio.wait([running])
    await live.close()


# -- ending ---------------------------------------------------------------------------------------


async def test_an_error_of_the_listener_ends_it(
    server: RedisServer, heard: Heard, sync_redis: SyncRedis
) -> None:
    """A bug must be seen, whether it shows in the read itself or in a later slice of it."""

    failing = 0

    def fail(_: object) -> None:
        busy(0.01)
        if len(heard.batches) == failing:
            raise ZeroDivisionError

    async def hear_four() -> None:
        live = LiveChannels(server.url, KEYS, heard.take, heard.restore)
        running = asyncio.create_task(live.run())
        try:
            await asyncio.gather(*(live.follow(f"job:{number}") for number in range(4)))
            for number in range(4):
                sync_redis.publish(KEYS.live(f"job:{number}"), message(1))
            async with asyncio.timeout(5):
                await running
        finally:
            await live.close()

    heard.on_batch = fail
    for failing in (1, 3):  # noqa: B007 - seen by fail()
        heard.batches.clear()
        with pytest.raises(ZeroDivisionError):
            await hear_four()


async def test_it_ends_when_cancelled_whatever_it_is_doing(
    server: RedisServer, heard: Heard
) -> None:
    for turns in range(60):
        live = LiveChannels(server.url, KEYS, heard.take, heard.restore)
        running = asyncio.create_task(live.run())
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        done, _ = await asyncio.wait([running], timeout=2)
        assert done, f"still running, cancelled after {turns} turns"
        assert running.cancelled()
        await live.close()
