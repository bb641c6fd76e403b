"""What publishing can raise.

PublishError
├── PublicationInvalid   the publication itself; sending it again is no use
└── RedisUnavailable     Redis did not take it in time; it may be sent again
"""


class PublishError(Exception):
    """A publication was not, or not surely, taken."""


class PublicationInvalid(PublishError):
    """The publication cannot be encoded, is too large, or has a wrong field: ``field`` names it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class RedisUnavailable(PublishError):
    """Redis did not confirm within the time allowed. The publication may have been taken: sending
    it again with the same id has effect once."""
