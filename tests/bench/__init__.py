"""Tests of ``python -m bench``: that it runs and counts rightly, never how fast anything is."""
