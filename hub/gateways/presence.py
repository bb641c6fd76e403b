"""Who is connected to this node, by whatever door."""

from collections.abc import Iterator

from hub.gateways.present import Present
from hub.gateways.sio.server import SocketServer
from hub.gateways.streams import Streams


class Presence:
    """Every connection of this node."""

    def __init__(self, sio: SocketServer, streams: Streams) -> None:
        self._sio = sio
        self._streams = streams

    def __iter__(self) -> Iterator[Present]:
        for client in self._sio.clients():
            if client.state is not None:
                yield client.state
        yield from self._streams.open
