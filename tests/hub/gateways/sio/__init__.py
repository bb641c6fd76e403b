"""Tests of the Socket.IO layer alone, on servers in the test's own process."""
