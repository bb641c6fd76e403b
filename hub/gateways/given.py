"""What clients say of themselves at every live door: where they stand, and what they speak."""

from typing import Annotated, Any, Final

from msgspec import Meta

from hub.domain import channels
from hub.domain.versions import SPOKEN

OFFSET_AT_MOST: Final = (1 << 53) - 1
"""What JavaScript counts to."""

Epoch = Annotated[str, Meta(max_length=32, description="Of the last event that the client has.")]
Offset = Annotated[
    int,
    Meta(
        ge=0,
        le=OFFSET_AT_MOST,
        description="Of the last event that the client has; above 0 it needs its `epoch`.",
    ),
]
Spoken = Annotated[
    int,
    Meta(
        description="The version of the contract that the client speaks. The header `Hub-Version` "
        "goes before.",
        extra_json_schema={"enum": SPOKEN.numbers},
    ),
]
ChannelName = Annotated[
    str,
    Meta(
        description="`job:<jobId>`, `user:<userId>`, `topic:<name>` or `all`.",
        extra_json_schema={"pattern": channels.CHANNEL},
    ),
]

OFFSET_NEEDS_EPOCH: Final[dict[str, Any]] = {
    "if": {
        "required": ["offset"],
        "properties": {"offset": {"type": "integer", "exclusiveMinimum": 0}},
    },
    "then": {"required": ["epoch"], "properties": {"epoch": {"type": "string"}}},
}
"""A rule of shapes that have both."""
