"""The chaos run: a whole cluster under load, with processes dying all the time, and a checker that
compares what every client received with what is stored. ``python -m tests.chaos --help``.

``schedule`` (what is done to whom and when) and ``checker`` (what is right) are pure. ``cluster``
has the processes, ``load`` publishes, ``crowd`` and ``followers`` are the clients, ``run`` puts one
run together, ``report`` prints it. ``bare_node`` is what the hub is compared with.
"""
