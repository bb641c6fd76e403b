"""URLs of several servers."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from hub.broker.cluster import ClusterRedis, slot_of
from hub.broker.connect import open_redis
from hub.broker.sentinel import SentinelRedis
from hub.broker.urls import parse_servers


def test_a_cluster() -> None:
    url = parse_servers("redis+cluster://u:p%40w@h1:7000,h2,[::1]:7002?ssl=true&ssl_cert_reqs=none")
    assert url is not None
    assert url.addresses == (("h1", 7000), ("h2", 6379), ("::1", 7002))
    assert url.of("h9", 1) == "rediss://u:p%40w@h9:1/0?ssl_cert_reqs=none"
    assert url.of("::2", 1) == "rediss://u:p%40w@[::2]:1/0?ssl_cert_reqs=none"
    assert "p%40w" not in repr(url)


def test_sentinels() -> None:
    url = parse_servers("REDIS+SENTINEL://:p@h1,h2:5/my%20hub/3?sentinel_password=s")
    assert url is not None
    assert (url.addresses, url.service, url.db) == ((("h1", 26379), ("h2", 5)), "my hub", "3")
    assert url.own == {"sentinel_password": "s"}
    assert url.of("h", 6379) == "redis://:p@h:6379/3?"
    with pytest.raises(ValueError, match="service"):
        parse_servers("redis+sentinel://h1")


@pytest.mark.parametrize("url", ["redis://h", "rediss://u:p@h:6380/1", "unix:///tmp/x"])
def test_one_server_is_redis_pys_matter(url: str) -> None:
    assert parse_servers(url) is None
    assert type(open_redis(url)) is Redis


async def test_what_the_url_says_reaches_the_connections() -> None:
    cluster = open_redis("redis+cluster://u:p@h1:7000?ssl=yes", timeout=3)
    assert isinstance(cluster, ClusterRedis)
    made = cluster.shards.client(("h7", 7)).connection_pool.make_connection()  # type: ignore[no-untyped-call]
    assert (made.host, made.port, made.username, made.password) == ("h7", 7, "u", "p")
    assert (made.socket_timeout, hasattr(made, "ssl_context")) == (3, True)
    watched = open_redis("redis+sentinel://u:p@h1/hubs/2?ssl=1&sentinel_password=s")
    assert isinstance(watched, SentinelRedis)
    made = watched.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    assert (made.username, made.password, made.db) == ("u", "p", 2)
    asked: Redis = watched._sentinel.sentinels[0]
    sentinel = asked.connection_pool.make_connection()  # type: ignore[no-untyped-call]
    assert (sentinel.host, sentinel.port, sentinel.password) == ("h1", 26379, "s")
    assert type(sentinel).__name__ == "SSLConnection"
    assert type(made).__name__ == "SentinelManagedSSLConnection"


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("GET", "a"), "a"),
        (("EVALSHA", "f00", 2, "{x}a", "{x}b", "arg"), "x"),
        (("EVALSHA", "f00", 0, "arg"), None),
        (("XREADGROUP", b"GROUP", "g", "c", b"COUNT", 1, b"STREAMS", "{x}j", ">"), "x"),
        (("XREAD", "STREAMS", b"j", "$"), "j"),
        (("XGROUP CREATE", "j", "g", "0"), "j"),
        (("PING",), None),
        (("INFO", "server"), None),
        (("SCRIPT EXISTS", "f00"), None),
        (("SPUBLISH", "{x}live", "m"), "x"),
    ],
)
def test_the_slot_of_a_command(words: tuple[object, ...], key: str | None) -> None:
    expected = None if key is None else slot_of(("GET", key))
    assert slot_of(words) == expected
