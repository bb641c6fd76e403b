"""``GET /metrics``, for Prometheus."""

from aiohttp import web

from hub import metrics
from hub.broker.backlog import Backlog
from hub.gateways.http.operation import EVERY_OPERATION, Answer, Operation
from hub.gateways.sampler import Sampler
from hub.services.patience import FAILURES


class MetricsResource:
    """The handler; open to everyone, so no metric names a user, a channel or an address."""

    def __init__(self, sampler: Sampler, backlog: Backlog) -> None:
        self._sampler = sampler
        self._backlog = backlog

    def operations(self) -> list[Operation]:
        """Where it is found."""
        return [
            Operation(
                method="GET",
                path="/metrics",
                handler=self.show,
                id="getMetrics",
                tag="operations",
                summary="The node's metrics, for Prometheus.",
                answers={
                    200: Answer("All metrics.", media={"text/plain": "Prometheus' text form."})
                },
                refusals=EVERY_OPERATION,
                open=True,
            )
        ]

    async def show(self, request: web.Request) -> web.Response:
        """All metrics in Prometheus' text form."""
        self._sampler.note()
        await self._look_at_journals()
        return web.Response(
            body=metrics.exposition(),
            headers={"Content-Type": metrics.CONTENT_TYPE, "Cache-Control": "no-store"},
        )

    async def _look_at_journals(self) -> None:
        levels = (
            *(metrics.JOURNAL_ENTRIES, metrics.JOURNAL_OLDEST),
            *(metrics.DEAD_LETTERS, metrics.PARTITION_LEASED),
        )
        try:
            partitions = await self._backlog.partitions()
        except FAILURES:  # /readyz says so; what is not known is not shown
            for level in levels:
                level.clear()
            return
        for each in partitions:
            values = (each.entries, each.oldest, each.dead, int(each.reader is not None))
            for level, value in zip(levels, values, strict=True):
                level.set(value, f"{each.partition:02d}")
