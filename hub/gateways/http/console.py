"""``GET /console``: the page for administrators (contract section 5). It is open to everyone, since
it holds nothing: whoever looks at it needs a token for the namespace ``/admin`` to see anything."""

from pathlib import Path
from typing import Final

from aiohttp import web

from hub.domain import codes
from hub.gateways.http.operation import ANY, Answer, Operation
from hub.gateways.http.pages import DIST, BuiltPage

_TAG: Final = "console"


class ConsolePage:
    """The page and the files beside it. ``dist``: where it was built."""

    def __init__(self, dist: Path = DIST / "console") -> None:
        self._built = BuiltPage(dist)

    def operations(self) -> list[Operation]:
        """Where they are found."""
        return [
            Operation(
                method="GET",
                path="/console",
                handler=self.page,
                id="getConsole",
                tag=_TAG,
                summary="The page for administrators.",
                answers={
                    200: Answer("The page.", media={"text/html": "A page."}),
                    404: Answer("It was not built.", media={"text/html": "How to build it."}),
                },
                refusals=ANY,
                open=True,
            ),
            Operation(
                method="GET",
                path="/console/assets/{name}",
                handler=self.asset,
                id="getConsoleAsset",
                tag=_TAG,
                summary="A file that the page consists of.",
                answers={
                    200: Answer("The file.", media={"*/*": "A script, a style sheet, a picture."})
                },
                refusals=(codes.NOT_FOUND, *ANY),
                open=True,
            ),
        ]

    async def page(self, request: web.Request) -> web.StreamResponse:
        """The page."""
        return self._built.page()

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """A file beside it."""
        return self._built.asset(request.match_info["name"])
