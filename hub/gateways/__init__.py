"""The doors: Socket.IO and HTTP. Each parses, calls one service, and answers.

May import ``services`` and everything below; no logic of the hub's own lives here.
"""
