"""The realtime notification hub.

Layers, each importing only what stands below it (import-linter keeps it):

``app / cli / dev`` → ``gateways`` → ``services`` → ``stores | broker | delivery`` → ``domain`` →
``config``. ``docs/message-path.md`` walks one event through all of them.
"""

__version__ = "0.1.0"
