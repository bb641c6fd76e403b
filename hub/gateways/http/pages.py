"""Pages that ``npm run build`` in ``web/`` makes, and the files beside them."""

import re
from pathlib import Path
from typing import Final

from aiohttp import web

from hub.domain import codes
from hub.gateways.http.headers import PAGE_POLICY
from hub.gateways.http.operation import EVERY_OPERATION, PATH_PARAMETERS, Answer, Operation
from hub.gateways.http.problems import Handler

DIST: Final = Path(__file__).parents[3] / "web" / "dist"
"""Where they are put."""

_HEADERS: Final = {"Content-Security-Policy": PAGE_POLICY}
_FILE: Final = re.compile(PATH_PARAMETERS["name"][0])
_NOT_BUILT: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Not built</title>
<h1>{title} is not built yet</h1>
<p>Run <code>make run</code>, or <code>npm ci &amp;&amp; npm run build</code> in <code>web/</code>,
and load this page again. The hub itself is running.</p></html>"""


def page_operations(path: str, title: str, folder: Path, summary: str) -> list[Operation]:
    """A page at ``path``, and its files at ``<path>/assets/``. ``folder``: where they are. The page
    is asked for anew each time; one that is not built is 404 with an explanation, and no 5xx, which
    would count against the node's health at a proxy."""
    name = "".join(word.capitalize() for word in title.split())
    page = Operation(
        method="GET",
        path=path,
        handler=_page(folder, title),
        id=f"get{name}",
        tag="pages",
        summary=summary,
        answers={
            200: Answer("The page.", media={"text/html": "It loads nothing from elsewhere."}),
            404: Answer("It is not built.", media={"text/html": "How to build it."}),
        },
        refusals=EVERY_OPERATION,
        open=True,
    )
    asset = Operation(
        method="GET",
        path=f"{path.rstrip('/')}/assets/{{name}}",
        handler=_asset(folder),
        id=f"get{name}File",
        tag="pages",
        summary="A file of the page; its name changes with its content.",
        answers={200: Answer("The file.", media={"*/*": "What its name says."})},
        refusals=(*EVERY_OPERATION, codes.NOT_FOUND),
        open=True,
    )
    return [page, asset]


def docs_operations() -> list[Operation]:
    """``/docs``: what shows the two documents, and lets one try them."""
    return page_operations(
        "/docs", "docs", DIST / "docs", "The documents, rendered, with a panel to try the hub."
    )


def console_operations(dist: Path = DIST) -> list[Operation]:
    """``/console``: the page for administrators (contract section 5). It is open to everyone, since
    it holds nothing: who looks at it needs a token for the namespace ``/admin`` to see anything."""
    return page_operations("/console", "console", dist / "console", "The page for administrators.")


def _page(folder: Path, title: str) -> Handler:
    async def page(request: web.Request) -> web.StreamResponse:
        headers = {**_HEADERS, "Cache-Control": "no-cache"}
        index = folder / "index.html"
        if not index.is_file():
            text = _NOT_BUILT.format(title=f"The page {title}")
            return web.Response(text=text, status=404, content_type="text/html", headers=headers)
        return web.FileResponse(index, headers=headers)

    return page


def _asset(folder: Path) -> Handler:
    async def asset(request: web.Request) -> web.StreamResponse:
        name, files = request.match_info["name"], (folder / "assets").resolve()
        file = (files / name).resolve() if _FILE.match(name) else files
        if file.parent != files or not file.is_file():  # nor is it a link to somewhere else
            raise codes.HubError(codes.NOT_FOUND)
        headers = {**_HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}
        return web.FileResponse(file, headers=headers)

    return asset
