"""From one event to many connections: feeds, subscribers, and frames encoded once.

No I/O of its own and never waits: everything here runs inside one turn of the event loop. May
import ``domain``, ``hub.metrics`` and ``config``.
"""
