"""The contenders, each started as its own users would start it.

``bare.py`` and ``node.py`` launch the programs ``bare_server.py`` and ``node/server.js``;
``hub.py`` launches the hub as it ships, with its worker and stores.
"""
