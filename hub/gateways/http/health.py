"""``/healthz`` and ``/readyz``."""

from aiohttp import web

from hub.gateways.http.documents import Liveness, Readiness
from hub.gateways.http.operation import EVERY_OPERATION, Answer, Operation
from hub.gateways.http.request import answer
from hub.services.health import Health


class HealthResources:
    """The handlers; open to everyone, so they name no address."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def operations(self) -> list[Operation]:
        """Where they are found."""
        live = Operation(
            method="GET",
            path="/healthz",
            handler=self.live,
            id="getLiveness",
            tag="operations",
            summary="Whether the process answers at all.",
            answers={200: Answer("It does.", shape=Liveness, example={"status": "ok"})},
            refusals=EVERY_OPERATION,
            open=True,
        )
        ready = Operation(
            method="GET",
            path="/readyz",
            handler=self.ready,
            id="getReadiness",
            tag="operations",
            summary="Whether the node can take clients, and the state of each store.",
            answers={
                200: Answer(
                    "It can.",
                    shape=Readiness,
                    example={
                        "status": "ready",
                        "dependencies": {"redis": "ok", "live": "ok", "mongo": "ok"},
                    },
                ),
                503: Answer("It cannot, or is about to stop.", shape=Readiness),
            },
            refusals=EVERY_OPERATION,
            open=True,
        )
        return [live, ready]

    async def live(self, request: web.Request) -> web.Response:
        """200 as long as the process answers at all."""
        return answer({"status": "ok"})

    async def ready(self, request: web.Request) -> web.Response:
        """200 when the node can take clients, else 503; the state of each dependency either way."""
        states = await self._health.state()
        ready = all(state == "ok" for state in states.values()) and not self._health.draining
        status = "ready" if ready else "draining" if self._health.draining else "unavailable"
        document = {"status": status, "dependencies": states}
        return answer(document, status=200 if ready else 503)
