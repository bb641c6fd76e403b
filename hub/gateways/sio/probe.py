"""A session's change from polling to a WebSocket (Engine.IO protocol 4, "Upgrade")."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from hub.gateways.sio.session import EngineSocket
from hub.gateways.websocket import WebSocket

_TIMEOUT: Final = 10.0  # seconds from the WebSocket's opening to the end of the upgrade


class Probe:
    """Owns the WebSocket until the client has said that it changes over; then the session does.
    If it fails, the session goes on as it was.

    From the probe on, packets wait in the outbox and polls get NOOPs, so that nothing can overtake
    anything.
    """

    def __init__(self, session: EngineSocket, websocket: WebSocket) -> None:
        self._session = session
        self._websocket = websocket
        self._done = False
        self._timer = asyncio.get_running_loop().call_later(_TIMEOUT, self._fail)
        session.upgrading = True
        websocket.begin(self)

    def received(self, message: str | bytes) -> None:
        """``2probe``, then ``5``; anything else ends it."""
        session = self._session
        if self._done:
            return
        if message == "2probe" and not session.probed:
            self._websocket.write(b"3probe")
            session.probed = True
            session.wake_poll()
        elif message == "5" and session.probed:
            self._finish()
            if session.closed:  # what it had to say last is still there
                self._websocket.write_all(session.outbox.take(session.outbox.limit))
                self._websocket.close()
            else:
                session.serve(self._websocket)
        else:
            self._fail()

    def _fail(self) -> None:
        self._finish()
        self._websocket.close()

    def _finish(self) -> None:
        if not self._done:
            self._done = True
            self._timer.cancel()
            self._session.upgrading = self._session.probed = False

    def blocked(self) -> None:
        """What a probe says is too little for that."""

    def writable(self) -> None:
        """See ``blocked``."""

    def failed(self, code: int) -> None:
        """The WebSocket is closed by itself."""
        self._finish()

    def log_fields(self) -> Mapping[str, Any]:
        """Those of its session."""
        return self._session.log_fields()

    def lost(self) -> None:
        """The WebSocket went before the session changed over."""
        self._finish()
        self._websocket.abort()
