"""MongoDB, a module per collection. May import ``domain`` and ``config``.

``events`` is the log of every channel. ``channels`` has one document per channel: where its log
ends and, for a job, the snapshot folded from it, so that both change in one write.
``notifications`` are the inbox.
"""
