"""The WebSocket without Engine.IO, by its bytes; every test on both loops, plain and encrypted."""
