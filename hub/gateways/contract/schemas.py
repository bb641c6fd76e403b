"""JSON Schema of msgspec types, in the dialect that both documents share."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

Json = dict[str, Any]

REFERENCE: Final = "#/components/schemas/{name}"
_PYTHON_END: Final = r"\Z"  # of a pattern, which is `$` in the dialect of JSON Schema


def reference(name: str) -> Json:
    """A reference to a named schema."""
    return {"$ref": REFERENCE.format(name=name)}


def components(shapes: Sequence[Any]) -> dict[str, Json]:
    """The named schemas of ``shapes`` and of all that they hold."""
    _, found = msgspec.json.schema_components(list(shapes), ref_template=REFERENCE)
    return found


def dialect(value: Any) -> Any:
    """``value`` with patterns as JSON Schema has them, and descriptions as Markdown has them."""
    if isinstance(value, dict):
        return {key: _text(key, inner) for key, inner in value.items()}
    return [dialect(each) for each in value] if isinstance(value, list) else value


def _text(key: str, value: Any) -> Any:
    if isinstance(value, str) and key == "pattern":
        return value.replace(_PYTHON_END, "$")
    if isinstance(value, str) and key in ("description", "summary"):
        return " ".join(value.split()).replace("``", "`")
    return dialect(value)
