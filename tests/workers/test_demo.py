"""The demo generator plays what it promises, and leaves no job running when it is stopped."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections import defaultdict
from typing import Any

from redis.asyncio import Redis

from config.settings import Settings
from workers.demo import plan

ENDS = {"JOB_COMPLETED", "JOB_FAILED"}


def test_plans_are_of_a_realistic_size() -> None:
    for seed in range(200):
        features = plan(random.Random(seed))
        assert 3 <= len(features) <= 5
        assert 12 <= sum(len(feature.scenarios) for feature in features) <= 30
        ids = [scenario[0] for feature in features for scenario in feature.scenarios]
        assert len(set(ids)) == len(ids)


async def test_every_job_it_started_has_ended_when_it_stops(settings: Settings) -> None:
    assert settings.redis_url
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers.demo", "--speed", "100", "--seed", "1"),
        env={**os.environ, "HUB_REDIS_URL": settings.redis_url, "HUB_LOG_FORMAT": "console"},
        stderr=asyncio.subprocess.PIPE,
    )
    await asyncio.sleep(5)
    process.terminate()
    _, errors = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0, errors.decode()
    assert b"following: job demo-" in errors

    jobs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    kinds = set()
    async with Redis.from_url(settings.redis_url) as redis:
        for number in range(settings.partitions):
            entries: list[Any] = await redis.xrange(f"hub:{{p{number:02}}}:journal") or []
            for _, fields in entries:
                publication = json.loads(fields[b"p"])
                kinds.add(publication["kind"])
                if publication["kind"] == "JOB":
                    jobs[publication["jobId"]].append(publication)
    assert kinds == {"JOB", "ACTIVITY", "NOTIFICATION", "EVENT"}
    assert len(jobs) >= 4
    endings = set()
    for told in jobs.values():
        assert told[0]["type"] == "JOB_STARTED"
        assert told[0]["projectId"] == "demo"
        last = told[-1]
        assert last["type"] in ENDS or _status(last) == "CANCELLED", told[-1]
        endings.add(_status(last) or last["type"])
    assert endings >= {"JOB_COMPLETED", "CANCELLED"}


def _status(publication: dict[str, Any]) -> str | None:
    status: str | None = publication["data"].get("currentStatus")
    return status
