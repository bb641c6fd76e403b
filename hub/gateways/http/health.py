"""``/healthz`` and ``/readyz``."""

from aiohttp import web

from hub.gateways.http.request import answer
from hub.services.health import Health


class HealthResources:
    """The handlers; open to everyone, so they name no address."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def routes(self) -> list[web.RouteDef]:
        """Where they are found."""
        return [web.get("/healthz", self.live), web.get("/readyz", self.ready)]

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
