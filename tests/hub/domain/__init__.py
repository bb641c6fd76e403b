"""Tests of the pure part: no server, no clock, no I/O."""
