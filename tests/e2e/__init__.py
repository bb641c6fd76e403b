"""Tests of the whole system, through its doors only."""
