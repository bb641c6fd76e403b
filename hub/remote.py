"""``python -m hub admin``: one command of the namespace ``/admin`` from a shell."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any, Final

import aiohttp
import socketio
from socketio.exceptions import ConnectionError as Unreachable

NAMESPACE: Final = "/admin"
_PATIENCE: Final = 10.0


class Refused(Exception):
    """The hub did not do it; the text says why."""


class Output:
    """stdout, as long as somebody reads it."""

    def __init__(self) -> None:
        self._over = asyncio.Event()

    async def over(self) -> None:
        """Returns when nobody reads it any more."""
        await self._over.wait()

    def show(self, document: Any, indent: int | None = 2) -> None:
        """Prints as JSON."""
        if self._over.is_set():
            return
        try:
            print(json.dumps(document, indent=indent, ensure_ascii=False), flush=True)
        except BrokenPipeError:  # Python flushes once more at the end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self._over.set()


async def ask(url: str, token: str, command: str, payload: Any, *, follow: bool) -> None:
    """Gives the command and prints what it is answered with, as JSON; with ``follow`` then also
    the events that come, until interrupted or nobody reads them. Raises ``Refused``."""
    async with aiohttp.ClientSession() as session:  # its own it would leave open
        await _ask(session, url, token, command, payload, follow=follow)


async def _ask(
    session: aiohttp.ClientSession,
    url: str,
    token: str,
    command: str,
    payload: Any,
    *,
    follow: bool,
) -> None:
    client, output = socketio.AsyncClient(reconnection=False, http_session=session), Output()
    refusal: list[Any] = []
    client.on("connect_error", refusal.append, namespace=NAMESPACE)
    try:
        await client.connect(
            url, auth={"token": token}, namespaces=[NAMESPACE], transports=["websocket"]
        )
    except (Unreachable, ValueError) as error:
        refused = next((each for each in refusal if isinstance(each, dict)), None)
        raise Refused(_why(refused) if refused else f"{url} cannot be reached: {error}") from None
    try:
        if follow:

            async def show(event: str, payload: Any) -> None:
                output.show({"event": event, "data": payload}, indent=None)

            client.on("*", show, namespace=NAMESPACE)
        answer = await client.call(command, payload, namespace=NAMESPACE, timeout=_PATIENCE)
        if not answer.get("ok"):
            raise Refused(_why(answer.get("error")))
        output.show(answer["data"])
        if follow:
            await _follow(client, output)
    except (TimeoutError, socketio.exceptions.TimeoutError):
        raise Refused("no answer") from None
    finally:
        await client.disconnect()


async def _follow(client: socketio.AsyncClient, output: Output) -> None:
    """Until the connection ends; nothing that waits for that may be cancelled."""
    unread = asyncio.create_task(_end_unread(client, output))
    try:
        await client.wait()
    finally:
        unread.cancel()


async def _end_unread(client: socketio.AsyncClient, output: Output) -> None:
    await output.over()
    await client.disconnect()


def _why(error: Any) -> str:
    if isinstance(error, dict):
        inner = error.get("data", error)
        if isinstance(inner, dict) and "code" in inner:
            return f"{inner['code']}: {inner.get('message', '')}"
    return str(error)
