"""``GET /metrics`` says what happened on every door."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from tests.support.doors import Refused, address, bearer, raw, source
from tests.support.process import Program, environment
from tests.support.sioline import line
from tests.support.system import System
from tests.support.wait import eventually
from workers import Publisher

JOB = "j1"


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield session


class Scrape(dict[tuple[str, tuple[str, ...]], float]):
    """The samples by name and values of labels, in the order of the labels' names."""

    def of(self, name: str, *labels: str) -> float:
        return self.get((name, labels), 0.0)


async def scrape(system: System, http: ClientSession) -> Scrape:
    async with http.get(f"{system.url}/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = await answer.text()
    found = Scrape()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values = tuple(value for _, value in sorted(sample.labels.items()))
            found[sample.name, values] = sample.value
    assert "u1" not in text
    return found


@pytest.mark.timeout(90)
async def test_a_scrape_says_what_happened(system: System, http: ClientSession) -> None:
    url, token = address(system.url, JOB), system.token()
    async with Publisher(system.settings.redis_url or "") as hub:
        job = hub.job(JOB, project_id="p1", owner_id="u1")
        await job.start(total_scenarios=1)

        async def known() -> bool:
            async with http.get(url, headers=bearer(token)) as answer:
                return answer.status == 200

        await eventually(known)
        before = await scrape(system, http)
        assert before.of("hub_partition_leased", "00") == 1
        async with (
            raw(http, url, token) as socket,
            source(http, url, token) as stream,
            line(system.url, token) as client,
        ):
            assert (await client.command("subscribe", {"channel": f"job:{JOB}"}))["ok"]
            now = await scrape(system, http)
            for door in ("SOCKETIO", "WEBSOCKET", "SSE"):
                assert now.of("hub_connections", door) == 1
            assert now.of("hub_users") == 1
            assert now.of("hub_channels") == 3
            assert (await client.command("nonsense", {}))["ok"] is False
            with pytest.raises(Refused):
                await raw(http, url, "bad token").__aenter__()
            await job.status("GENERATING")
            await job.complete(passed=1, failed=0)
            assert await socket.to_the_end() == 1000
            assert (await stream.to_the_end())[-1] == "end"
            await client.until(lambda: 2 in client.offsets(f"job:{JOB}"))
        await hub.notify(users=["u1"], type="t", title="x", body="y")

        async def gone() -> bool:
            found = await scrape(system, http)
            return found.of("hub_closes_total", "SOCKETIO", "CLIENT_GONE") == 1

        await eventually(gone)
        after = await scrape(system, http)
        assert after.of("hub_closes_total", "WEBSOCKET", "ENDED") == 1
        assert after.of("hub_closes_total", "SSE", "ENDED") == 1
        assert after.of("hub_connections", "SOCKETIO") == 0
        assert after.of("hub_deliveries_total") == 6  # two events, three clients
        assert after.of("hub_events_total") == 2
        assert after.of("hub_publish_to_write_seconds_count") == 2
        assert after.of("hub_refusals_total", "UNKNOWN_COMMAND") == 1
        assert after.of("hub_refusals_total", "UNAUTHENTICATED") >= 1
        assert after.of("hub_joins_total", "FRESH") >= 3
        assert after.of("hub_store_seconds_count", "find", "mongo") > 0
        assert after.of("hub_store_seconds_count", "slots", "redis") > 0
        assert after.of("hub_lease_changes_total", "taken", "slot") == 3
        assert {name for (name, _) in after if name.startswith("hub_journal")} == {
            *("hub_journal_entries", "hub_journal_oldest_seconds"),
        }


async def test_an_ingest_worker_serves_its_own(
    system: System, http: ClientSession, free_port: int
) -> None:
    env = environment(system.settings, HUB_METRICS_PORT=str(free_port))
    worker = Program(["workers.ingest"], env)
    await worker.start()
    try:

        async def has_its_share() -> bool:
            async with http.get(f"http://127.0.0.1:{free_port}/metrics") as answer:
                text = await answer.text()
            assert "hub_ingest_batch_seconds_count" in text
            return 'hub_lease_changes_total{change="taken",lease="partition"} 8.0' in text

        await eventually(has_its_share)
    finally:
        assert await worker.stop() == 0
