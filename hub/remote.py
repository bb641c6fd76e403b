"""``python -m hub admin``: one command of the namespace ``/admin`` from a shell."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

import socketio
from socketio.exceptions import ConnectionError as Unreachable

NAMESPACE: Final = "/admin"
_PATIENCE: Final = 10.0


class Refused(Exception):
    """The hub did not do it; the text says why."""


async def ask(url: str, token: str, command: str, payload: Any, *, follow: bool) -> None:
    """Gives the command and prints what it is answered with, as JSON; with ``follow`` then also
    the events that come, until interrupted. Raises ``Refused``."""
    client = socketio.AsyncClient(reconnection=False)
    refusal: list[Any] = []
    client.on("connect_error", refusal.append, namespace=NAMESPACE)
    try:
        await client.connect(
            url, auth={"token": token}, namespaces=[NAMESPACE], transports=["websocket"]
        )
    except Unreachable as error:
        raise Refused(_why(refusal[0]) if refusal else f"{url}: {error}") from None
    try:
        if follow:
            client.on("*", _show, namespace=NAMESPACE)
        answer = await client.call(command, payload, namespace=NAMESPACE, timeout=_PATIENCE)
        if not answer.get("ok"):
            raise Refused(_why(answer.get("error")))
        _print(answer["data"])
        if follow:
            await client.wait()
    except (TimeoutError, socketio.exceptions.TimeoutError):
        raise Refused("no answer") from None
    finally:
        await client.disconnect()


async def _show(event: str, payload: Any) -> None:
    _print({"event": event, "data": payload}, indent=None)


def _print(document: Any, indent: int | None = 2) -> None:
    print(json.dumps(document, indent=indent, ensure_ascii=False))
    sys.stdout.flush()


def _why(error: Any) -> str:
    if isinstance(error, dict):
        inner = error.get("data", error)
        if isinstance(inner, dict) and "code" in inner:
            return f"{inner['code']}: {inner.get('message', '')}"
    return str(error)
