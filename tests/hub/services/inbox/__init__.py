"""Tests of the inbox on real stores."""
