"""What the hub says and takes on its live doors, as one document: ``GET /asyncapi.json``.

``messages`` and ``commands`` name the shapes, ``examples`` shows each, ``channels`` puts them where
they are spoken, ``asyncapi`` makes the document of it. Imports shapes of handlers, no handler.
"""
