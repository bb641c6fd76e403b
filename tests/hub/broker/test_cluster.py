"""The broker on a real cluster of three primaries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.exceptions import AskError, RedisError, ResponseError

from hub.broker.connect import command, open_redis
from hub.broker.hotlog import HotLog
from hub.broker.journal import DeadLetter, Entry, Journal, PartitionReader
from hub.broker.leases import Leases
from hub.broker.receipts import Receipt, Receipts, StoredReceipt
from hub.broker.sync import open_sync_redis
from hub.domain.events import Position
from tests.hub.broker.listening import KEYS, Heard, listening
from tests.hub.broker.publishing import CHANNELS, Publishing, batch, publication
from tests.support import topologies
from tests.support.topologies import Cluster


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    """A cluster of this module, without replicas."""
    async with topologies.cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
async def redis(cluster: Cluster) -> AsyncIterator[Redis]:
    """A client of the empty cluster."""
    client = open_redis(cluster.url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
async def sharded(redis: Redis) -> bool:
    """Whether these servers know sharded messages."""
    info = await redis.info()
    return int(str(info["redis_version"]).partition(".")[0]) >= 7


# -- commands -------------------------------------------------------------------------------------


async def test_every_partition_has_its_server(cluster: Cluster, redis: Redis) -> None:
    assert sorted(CHANNELS) == list(range(16))
    owners = set()
    for partition in range(16):
        await redis.set(KEYS.lease(partition), partition)
        owner = await cluster.owner(KEYS.lease(partition))
        owners.add(owner.port)
        assert await owner.ask("GET", KEYS.lease(partition)) == b"%d" % partition
    assert len(owners) == 3
    assert await command(redis.ping())
    assert "redis_version" in await redis.info()


async def test_a_pipeline_over_all_servers_answers_in_order(redis: Redis) -> None:
    async with redis.pipeline(transaction=False) as pipe:
        for round_ in range(3):
            for partition in range(16):
                pipe.rpush(KEYS.dead(partition), round_)
        assert await pipe.execute() == [1] * 16 + [2] * 16 + [3] * 16
        assert await pipe.execute() == []
    assert await command(redis.lrange(KEYS.dead(5), 0, -1)) == [b"0", b"1", b"2"]


async def test_the_first_error_of_a_pipeline_is_raised_and_the_rest_is_done(redis: Redis) -> None:
    await redis.set("wrong", "text")
    for raises in (True, False):
        async with redis.pipeline(transaction=False) as pipe:
            pipe.set("a", 1)
            pipe.incr("wrong")
            pipe.set("b", 2)
            if raises:
                with pytest.raises(ResponseError, match="not an integer"):
                    await pipe.execute()
            else:
                first, second, third = await pipe.execute(raise_on_error=False)
                assert (first, third) == (True, True)
                assert isinstance(second, ResponseError)
        assert await redis.mget("b") == [b"2"]
        await redis.delete("b")


async def test_a_transaction_is_one_on_its_server(redis: Redis) -> None:
    async with redis.pipeline(transaction=True) as pipe:
        pipe.set("{x}a", 1)
        pipe.incr("{x}a")
        pipe.set("{x}b", 1)
        assert await pipe.execute() == [True, 2, True]
    async with redis.pipeline(transaction=True) as pipe:
        pipe.set("{x}a", 5)
        pipe.execute_command("NO-SUCH-COMMAND", "{x}a")
        with pytest.raises(ResponseError):
            await pipe.execute()
    assert await redis.get("{x}a") == b"2"


async def test_a_slot_that_moved_is_followed(cluster: Cluster, redis: Redis) -> None:
    key = "moving"
    await redis.set(key, 1)
    await redis.delete(key)
    former = await cluster.owner(key)
    target = next(member for member in cluster.primaries if member is not former)
    await cluster.move(key, target)
    try:
        async with redis.pipeline(transaction=False) as pipe:
            pipe.rpush(key, 1)
            pipe.set("other", 1)
            pipe.rpush(key, 2)
            assert await pipe.execute() == [1, True, 2]
        assert await target.ask("LLEN", key) == 2
        async with redis.pipeline(transaction=True) as pipe:
            pipe.rpush(key, 3)
            pipe.delete(key)
            assert await pipe.execute() == [3, 1]
    finally:
        await cluster.move(key, former)
    assert await redis.incr(key) == 1


async def test_a_key_that_is_on_its_way_is_asked_for_where_it_goes(
    cluster: Cluster, redis: Redis
) -> None:
    key = "migrating"
    former = await cluster.owner(key)
    target = next(member for member in cluster.primaries if member is not former)
    slot = await former.ask("CLUSTER", "KEYSLOT", key)
    await redis.set("{migrating}stays", 1)
    await target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", await former.ask("CLUSTER", "MYID"))
    await former.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", await target.ask("CLUSTER", "MYID"))
    try:
        assert await redis.rpush(key, 1) == 1
        async with redis.pipeline(transaction=False) as pipe:
            pipe.rpush(key, 2)
            pipe.get("{migrating}stays")
            pipe.rpush(key, 3)
            assert await pipe.execute() == [2, b"1", 3]
        with pytest.raises(AskError):
            await former.ask("EXISTS", key)
        await redis.delete(key)
    finally:
        for member in (former, target):
            await member.ask("CLUSTER", "SETSLOT", slot, "STABLE")


async def test_without_any_server_the_error_is_one_of_redis() -> None:
    redis = open_redis("redis+cluster://127.0.0.1:1,127.0.0.1:2", timeout=0.3)
    for call in (redis.get("a"), redis.ping()):
        with pytest.raises(RedisError):
            await command(call)
    await redis.aclose()


async def test_a_server_without_cluster_is_told_apart(redis_server: object) -> None:
    assert hasattr(redis_server, "port")
    redis = open_redis(f"redis+cluster://127.0.0.1:{redis_server.port}")
    with pytest.raises(ResponseError, match="cluster support disabled"):
        await redis.get("a")
    await redis.aclose()


# -- the broker's own -----------------------------------------------------------------------------


async def test_what_is_appended_is_read_in_order_from_each_journal(redis: Redis) -> None:
    journal = Journal(redis, KEYS)
    sent = [publication(CHANNELS[n % 16], n) for n in range(64)]
    await journal.append(sent)
    assert await journal.append_once(sent[:32], remember=60) == [True] * 32
    assert await journal.append_once(sent[:40], remember=60) == [False] * 32 + [True] * 8
    for number in range(16):
        reader = PartitionReader(redis, KEYS, number)
        assert await reader.next(100, None) == []  # the group is made
        entries = await reader.next(100, None)
        expected = [one for one in sent if KEYS.partition(one.channel) == number]
        assert [entry.raw for entry in entries][:4] == [one.encode() for one in expected]
        assert await reader.pending(100) == entries
        await reader.bury([DeadLetter(entries[0], "why")])
        await reader.acknowledge(entries)
        assert await reader.pending(100) == []
        assert await redis.xlen(KEYS.journal(number)) == 0
        assert await redis.xlen(KEYS.dead(number)) == 1


async def test_a_reader_waits_on_its_server_only(redis: Redis) -> None:
    readers = [PartitionReader(redis, KEYS, number) for number in range(16)]
    for reader in readers:
        await reader.next(1, None)
    waiting = [asyncio.create_task(reader.next(10, 800)) for reader in readers]
    await Journal(redis, KEYS).append([publication(CHANNELS[7], 1)])
    found: list[list[Entry]] = await asyncio.gather(*waiting)
    assert [len(entries) for entries in found] == [0] * 7 + [1] + [0] * 8


async def test_leases_and_receipts(redis: Redis) -> None:
    keys = [KEYS.lease(number) for number in range(16)]
    one, two = Leases(redis, "one", 5), Leases(redis, "two", 5)
    assert await one.take(keys[:10]) == [True] * 10
    assert await two.take(keys) == [False] * 10 + [True] * 6
    await one.release(keys)
    assert await two.take(keys) == [True] * 16
    receipts = Receipts(redis, KEYS)
    stored = StoredReceipt("f", Receipt(1, 0, ["id"]))
    await receipts.put("me", "key", stored)
    assert await receipts.get("me", "key") == stored


async def test_a_publisher_without_asyncio_reaches_every_journal(
    cluster: Cluster, redis: Redis
) -> None:
    client = open_sync_redis(cluster.url, timeout=2)
    for number in range(16):
        await asyncio.to_thread(client.xadd, KEYS.journal(number), {"p": b"x"})
        assert await redis.xlen(KEYS.journal(number)) == 1
    client.close()
    client.close()
    nobody = open_sync_redis("redis+cluster://127.0.0.1:1", timeout=0.3)
    with pytest.raises(RedisError):
        await asyncio.to_thread(nobody.xadd, "a", {"p": b"x"})


async def test_what_is_published_is_kept_and_heard(
    cluster: Cluster, redis: Redis, *, sharded: bool
) -> None:
    hot_log, heard = HotLog(redis, KEYS), Heard()
    channels = list(CHANNELS.values())
    async with listening(cluster.url, heard) as live:
        await asyncio.gather(*(live.follow(channel) for channel in channels))
        for first in (1, 3, 5):
            await hot_log.publish([batch(channel, first, 2) for channel in channels])
        await hot_log.publish([batch(channel, 5, 2) for channel in channels])  # repeated
        for channel in channels:
            await heard.until(lambda: heard.offsets(channel) == [1, 2, 3, 4, 5, 6])  # noqa: B023
            kept = await hot_log.after(channel, Position("e1", 4), 10)
            assert kept is not None
            assert [event.offset for event in kept] == [5, 6]
        assert await plain_and_sharded(cluster) == (0, 32) if sharded else (32, 0)  # with probes
        live.unfollow(channels[3])
        await heard.until(lambda: channels[3] not in live._wanted.values())
        await live.follow(channels[4])
    assert heard.restored == 0


async def plain_and_sharded(cluster: Cluster) -> tuple[int, int]:
    """How many channels are subscribed to, over all servers."""
    plain = [len(await member.ask("PUBSUB", "CHANNELS")) for member in cluster.primaries]
    try:
        sharded = [len(await member.ask("PUBSUB", "SHARDCHANNELS")) for member in cluster.primaries]
    except ResponseError:
        return sum(plain), 0  # before version 7
    return sum(plain), sum(sharded)


async def test_a_node_has_one_connection_to_each_server(cluster: Cluster, redis: Redis) -> None:
    heard = Heard()
    async with listening(cluster.url, heard) as live:
        for channel in CHANNELS.values():
            await live.follow(channel)
        for member in cluster.primaries:
            clients = await member.ask("CLIENT", "LIST", "TYPE", "pubsub")
            assert clients.count(b"\n" if isinstance(clients, bytes) else "\n") == 1


async def test_live_channels_follow_a_slot_that_moved(
    cluster: Cluster, redis: Redis, *, sharded: bool
) -> None:
    channel, heard, hot_log = CHANNELS[9], Heard(), HotLog(redis, KEYS)
    former = await cluster.owner(KEYS.live(channel))
    target = next(member for member in cluster.primaries if member is not former)
    async with listening(cluster.url, heard) as live:
        await live.follow(channel)
        await hot_log.publish([batch(channel, 1)])
        await heard.until(lambda: heard.offsets(channel) == [1])
        await redis.delete(KEYS.log(channel))
        await cluster.move(KEYS.live(channel), target)
        try:
            if sharded:  # plain messages reach every server, also the former one
                await heard.until(lambda: heard.restored > 0 and live.connected)
            await hot_log.publish([batch(channel, 2)])
            await heard.until(lambda: heard.offsets(channel) == [1, 2])
        finally:
            await redis.delete(KEYS.log(channel))
            await cluster.move(KEYS.live(channel), former)
        if sharded:
            await heard.until(lambda: heard.restored > 1 and live.connected)


# -- a failover -----------------------------------------------------------------------------------


@pytest.mark.timeout(90)
async def test_the_death_of_a_primary_is_survived_and_no_matter_to_the_others(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with topologies.cluster(tmp_path_factory.mktemp("failover"), replicas=1) as cluster:
        victim = cluster.primaries[0]
        owners = {number: await cluster.owner(KEYS.journal(number)) for number in range(16)}
        lost = {number for number, owner in owners.items() if owner is victim}
        heard, redis = Heard(), open_redis(cluster.url)
        publishing = Publishing(redis)
        async with listening(cluster.url, heard) as live:
            await asyncio.gather(*(live.follow(channel) for channel in CHANNELS.values()))
            tasks = [asyncio.create_task(publishing.on(number)) for number in range(16)]
            await heard.until(lambda: all(heard.offsets(one) for one in CHANNELS.values()))
            victim.kill()
            await heard.until(lambda: not live.connected)
            await heard.until(lambda: publishing.failed == lost)
            leases = Leases(redis, "me", 5)
            taken = await leases.take([KEYS.lease(number) for number in range(16)])
            assert taken == [number not in lost for number in range(16)]
            with pytest.raises(RedisError):
                await leases.take([KEYS.lease(number) for number in lost])
            before = dict(publishing.told)
            await heard.until(lambda: heard.restored == 1 and live.connected, 30)
            after = dict(publishing.told)
            await heard.until(lambda: all(publishing.told[n] > after[n] for n in range(16)), 30)
            publishing.stop()
            await asyncio.gather(*tasks)
            assert publishing.failed == lost, "others failed, too"
            assert all(after[number] > before[number] for number in set(range(16)) - lost)
            for number in set(range(16)) - lost:  # neither lost nor held up
                expected = list(range(1, publishing.told[number] + 1))
                await heard.until(lambda: heard.offsets(CHANNELS[number]) == expected)  # noqa: B023
            for number in lost:
                last = publishing.told[number]
                await heard.until(lambda: heard.offsets(CHANNELS[number])[-1:] == [last])  # noqa: B023
        await redis.aclose()
