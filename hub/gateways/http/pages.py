"""Pages that ``npm run build`` in ``web/`` makes: the console, and the demo of ``hub dev``."""

import re
from pathlib import Path
from typing import Final

from aiohttp import web

from hub.domain import codes
from hub.gateways.http.headers import PAGE_POLICY

DIST: Final = Path(__file__).parents[3] / "web" / "dist"
"""Where the pages are put: the demo's here, the console's in a folder of its name."""

FILE_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*"
"""What the files beside a page may be called."""

_POLICY: Final = {"Content-Security-Policy": PAGE_POLICY}
_FILE: Final = re.compile(FILE_NAME)
_NOT_BUILT: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Not built</title>
<h1>This page is not built yet</h1>
<p>Run <code>make run</code>, or <code>npm ci &amp;&amp; npm run build</code> in <code>web/</code>,
and load this page again. The hub itself is running.</p></html>"""


class BuiltPage:
    """A page in ``folder``: ``index.html``, and files below ``assets/``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def page(self) -> web.StreamResponse:
        """The page, to be asked for anew each time; 404 with an explanation when it is not built.
        That is no 5xx, which would count against the node's health at a proxy."""
        headers = {**_POLICY, "Cache-Control": "no-cache"}
        index = self._folder / "index.html"
        if not index.is_file():
            return web.Response(
                text=_NOT_BUILT, status=404, content_type="text/html", headers=headers
            )
        return web.FileResponse(index, headers=headers)

    def asset(self, name: str) -> web.StreamResponse:
        """A file beside it; its name changes with its content. Raises ``HubError`` NOT_FOUND for
        whatever is not in the folder itself."""
        folder = (self._folder / "assets").resolve()
        file = (folder / name).resolve() if _FILE.fullmatch(name) else folder
        if file.parent != folder or not file.is_file():  # nor is it a link to somewhere else
            raise codes.HubError(codes.NOT_FOUND)
        headers = {**_POLICY, "Cache-Control": "public, max-age=31536000, immutable"}
        return web.FileResponse(file, headers=headers)
