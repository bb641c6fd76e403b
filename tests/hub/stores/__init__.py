"""Tests of feeds, outboxes and messages."""
