"""``python -m bench.publishers.hub REDIS_URL JOB PROJECT COUNT RATE``: :class:`workers.Publisher`.

Each publish returns once the journal holds it; the job was started before.
"""

from __future__ import annotations

import asyncio
import sys

from bench.payload import envelope, stamp
from bench.publishers.pacing import publish_paced
from workers import Publisher


async def main(url: str, job_id: str, project: str, count: int, rate: float) -> None:
    """Publish; see :func:`bench.publishers.pacing.publish_paced`."""
    async with Publisher(url) as hub:
        job = hub.job(job_id, project_id=project, owner_id="o")
        await job.activity(feature="warm-up")

        async def publish(number: int) -> None:
            data = envelope(number, stamp())["data"]
            await job.scenario_completed(
                scenario_id=data["scenarioId"],
                feature_id=data["featureId"],
                feature_name=data["featureName"],
                title=data["title"],
                steps_count=data["stepsCount"],
            )

        await publish_paced(publish, count, rate)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5])))
