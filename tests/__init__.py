"""Tests mirror the source. They run on a real Redis or Valkey and a real MongoDB wire server."""
