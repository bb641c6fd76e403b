"""What is told of a node's connections, by what the node says of them."""

from __future__ import annotations

from hub.services.admin.orders import Changed, Glance, Handshake, Server, Socket
from hub.services.admin.view import Told, news

SERVER = Server("n1", "h", 1, 1.0, 0, 0, [])
SHAKE = Handshake("::1", {}, {}, 0, "", "")


def socket(sid: str, *rooms: str, transport: str = "websocket") -> Socket:
    return Socket(sid, "c", transport, "/", {}, SHAKE, [sid, *rooms])


def told(events: list[Told]) -> list[Told]:
    """Without the socket's details and the time."""
    short: list[Told] = []
    for name, *args in events:
        if name == "socket_connected":
            short.append((name, args[0].id))
        elif name == "socket_updated":
            short.append((name, args[0]["id"], args[0]["transport"]))
        else:
            short.append((name, *args[1 : 3 if name.startswith("room") else 2]))
    return short


def test_a_node_is_followed_step_by_step_and_after_a_missed_answer() -> None:
    known: dict[str, Socket] = {}
    first = Glance(1, True, SERVER, [socket("a", "all"), socket("b", transport="polling")])
    assert told(news(known, first, "")) == [("socket_connected", "a"), ("socket_connected", "b")]
    step = Glance(
        *(2, False, SERVER),
        [socket("c")],
        [Changed("b", "websocket", ["b", "job:1"]), Changed("unknown", "websocket", [])],
        ["a", "unknown"],
    )
    assert told(news(known, step, "")) == [
        ("socket_disconnected", "a"),
        ("socket_updated", "b", "websocket"),
        ("room_joined", "job:1", "b"),
        ("socket_connected", "c"),
    ]
    assert known["b"].rooms == ["b", "job:1"]
    whole = Glance(9, True, SERVER, [socket("b", "job:2"), socket("d")])
    assert told(news(known, whole, "")) == [
        ("socket_disconnected", "c"),
        ("room_joined", "job:2", "b"),
        ("room_left", "job:1", "b"),
        ("socket_connected", "d"),
    ]
    assert list(known) == ["b", "d"]
    assert news(known, whole, "") == []
