"""The inbox: what a user has to read, on every device alike.

``unread`` counts, ``lists`` pages, ``marking`` changes (and ``applying`` carries that out, for
ingest as well), ``members`` begins inboxes and keeps subscriptions and preferences. ``inbox`` is
what gateways call.
"""
