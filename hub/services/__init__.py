"""The use cases: what gateways and workers ask for.

May import ``stores``, ``broker``, ``delivery``, ``domain`` and ``config``; knows no socket and no
web framework.
"""
