"""One trace from the worker to the write, across processes, with OpenTelemetry's own SDK."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from config.settings import Settings
from hub import telemetry
from hub.domain.ids import uuid7
from hub.embedded import MongoServer, RedisServer, free_port
from tests.support.process import ROOT
from tests.support.sioline import line
from tests.support.system import System, running_system
from tests.support.wait import eventually
from workers import Publisher, SyncPublisher, traceparent

JOB = "550e8400-e29b-41d4-a716-446655440000"
GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Collector:
    """What an OpenTelemetry collector on ``port`` is sent."""

    def __init__(self) -> None:
        self.port = free_port()
        self.spans: list[dict[str, Any]] = []

    async def take(self, request: web.Request) -> web.Response:
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as proto

        sent = proto.ExportTraceServiceRequest()
        sent.ParseFromString(await request.read())
        for resource in sent.resource_spans:
            service = {a.key: a.value.string_value for a in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [_told(each, service["service.name"]) for each in scope.spans]
        return web.Response()

    def of(self, trace: str) -> list[dict[str, Any]]:
        """The spans of a trace, in the order in which they began."""
        found = [each for each in self.spans if each["trace"] == trace]
        return sorted(found, key=lambda each: int(each["began"]))


def _told(span: Any, service: str) -> dict[str, Any]:
    return {
        "service": service,
        "name": span.name,
        "trace": span.trace_id.hex(),
        "span": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "began": span.start_time_unix_nano,
        "about": {
            each.key: each.value.string_value or each.value.int_value for each in span.attributes
        },
    }


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    made, app = Collector(), web.Application()
    app.router.add_post("/v1/traces", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", made.port).start()
    yield made
    await runner.cleanup()


@pytest.fixture
async def traced(
    settings: Settings,
    redis_server: RedisServer,
    mongo_server: MongoServer,
    collector: Collector,
) -> AsyncIterator[System]:
    env = {
        "HUB_OTEL": "1",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.port}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    async with running_system(settings, redis_server, mongo_server, **env) as running:
        yield running


@pytest.fixture
def worker_spans() -> Iterator[Any]:
    """The spans of this process, which publishes; in memory."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    telemetry.use(provider)
    yield provider, memory
    telemetry.use(None)
    provider.shutdown()


async def test_one_trace_goes_from_the_worker_to_the_write(
    traced: System, collector: Collector, worker_spans: Any
) -> None:
    provider, memory = worker_spans
    url = traced.settings.redis_url or ""
    async with line(traced.url, traced.token()) as client, Publisher(url) as hub:
        with provider.get_tracer("worker").start_as_current_span("generate") as root:
            trace = f"{root.get_span_context().trace_id:032x}"
            job = hub.job(JOB, project_id="p1", owner_id="u1", important=True)
            await job.start(total_scenarios=1)
            note = await hub.notify(users=["u1"], type="t", title="t", body="b")
            await job.complete(passed=1, failed=0)

        await client.until(lambda: len(client.named("event")) == 2)  # the notification, the job's
        assert "traceparent" not in str(client.log)
        assert trace not in str(client.log)

        async def delivered() -> bool:
            names = [each["name"] for each in collector.of(trace)]
            return names.count("hub.deliver") == 2 and names.count("hub.ingest") == 4

        await eventually(delivered)
    mine = {f"{s.context.span_id:016x}": s for s in memory.get_finished_spans()}
    assert {each.name for each in mine.values()} == {"generate", "hub.publish"}
    assert {f"{each.context.trace_id:032x}" for each in mine.values()} == {trace}
    spans = {each["span"]: each for each in collector.of(trace)}
    assert {(each["service"], each["name"]) for each in spans.values()} == {
        ("hub-ingest", "hub.ingest"),
        ("hub-node", "hub.deliver"),
    }
    (of_note,) = [each for each in spans.values() if each["about"].get("hub.id") == note]
    assert mine[of_note["parent"]].attributes["hub.id"] == note
    (write,) = [each for each in spans.values() if each["parent"] == of_note["span"]]
    assert write["about"] == {"hub.channel": "user:u1", "hub.offset": 1, "hub.clients": 1}
    ended = [e for e in spans.values() if e["parent"] in spans and e["name"] == "hub.ingest"]
    assert len(ended) == 1  # what the end of the job caused: ingest put it on a journal itself


async def test_a_traceparent_that_is_given_is_passed_on_by_who_records_nothing(
    traced: System, collector: Collector
) -> None:
    url = traced.settings.redis_url or ""
    trace = GIVEN.split("-")[1]
    async with line(traced.url, traced.token()):
        async with Publisher(url) as hub:
            with traceparent(GIVEN):
                await hub.notify(users=["u1"], type="t", title="t", body="b")
            await hub.notify(users=["u1"], type="t", title="t", body="of no trace")
        with SyncPublisher(url) as sync, traceparent(GIVEN):
            sync.notify(users=["u1"], type="t", title="t", body="b")

        note = {"id": uuid7(), "kind": "NOTIFICATION", "to": {"users": ["u1"]}}
        items = [{**note, "type": "t", "title": "t", "body": "b"}]
        token = traced.token("service", roles=["service"])
        headers = {"Authorization": f"Bearer {token}", "traceparent": GIVEN}
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            http.post(f"{traced.url}/v1/publish", json={"items": items}) as answer,
        ):
            assert answer.status == 202

        async def delivered() -> bool:
            names = Counter(each["name"] for each in collector.of(trace))
            return names["hub.deliver"] == 3 and names["hub.ingest"] > 0  # in any order

        await eventually(delivered)
    ingested = [each for each in collector.of(trace) if each["name"] == "hub.ingest"]
    assert {each["parent"] for each in ingested} == {GIVEN.split("-")[2]}
    assert {each["trace"] for each in collector.spans} == {trace}
    with pytest.raises(ValueError, match="traceparent"), traceparent("nonsense"):
        pass


def test_without_the_packages_everything_works_but_recording() -> None:
    script = f"""
import sys
sys.modules["opentelemetry"] = None
from workers import Publisher, traceparent
from hub import telemetry
with telemetry.publishing({{}}) as sent: assert sent == ""
with traceparent("{GIVEN}"), telemetry.publishing({{}}) as sent: assert sent == "{GIVEN}"
with telemetry.started("x", wanted=False): pass
from config.settings import SettingsError
try:
    with telemetry.started("x", wanted=True): pass
except SettingsError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "HUB_OTEL: needs the packages of requirements-otel.txt"
