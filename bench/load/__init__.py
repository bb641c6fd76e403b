"""The load client: thousands of Socket.IO clients in one cheap process, driven line by line."""
