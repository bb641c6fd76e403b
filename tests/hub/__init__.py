"""The hub, folder by folder."""
