"""Stock JavaScript Socket.IO clients, where a figure is about what such a client knows and when."""
