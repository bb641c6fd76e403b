"""Measured comparisons: the hub beside bare python-socketio and Node's socket.io, in one run.

``load/`` is the crowd of clients (C, compiled at first use), ``servers/`` starts each contender as
its users would, ``scenarios/`` holds one module per command of ``python -m bench`` (contract
section 1), ``measure`` reads what the kernel charged a server, ``report`` and ``plot`` show it.
May import ``hub`` and ``workers``; nothing imports this.
"""
