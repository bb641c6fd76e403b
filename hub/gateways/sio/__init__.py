"""Socket.IO, on python-socketio and python-engineio.

``transport``, ``heartbeat``, ``session``, ``requests``, ``engine``: Engine.IO with bounded outboxes
and direct writes. ``packets``, ``server``: Socket.IO with its own client table. ``connection``: one
client as a subscriber. ``hub``: the namespace ``/`` and ``commands`` its command table. Each
override says why it stands there.
"""
