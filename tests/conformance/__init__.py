"""Engine.IO protocol 4 and Socket.IO protocol 5, checked from outside on a server of the hub's own
classes (``server``)."""
