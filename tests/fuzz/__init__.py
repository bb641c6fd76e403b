"""Bytes that nobody should send: ``python -m tests.fuzz`` sends them to a running hub,
``test_parsers.py`` gives them to each parser."""
