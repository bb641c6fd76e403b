"""Redis: the journal that publications come in by, the hot log and live channels that events go
out by, and leases. May import ``domain`` and ``config``; every key name is made in ``keys``."""
