"""The JSON Schema of publications, for the documents: what ``parse_item`` takes from callers, as
far as a schema can say it."""

from typing import Final

from hub.domain import ids
from hub.domain.publications import (
    JOB_EVENT_DATA,
    MAX_BYTES,
    Activity,
    JobStarted,
    Notification,
    TopicEvent,
)
from hub.gateways.contract.schemas import Json, components, reference

NAME: Final = "Publication"
"""Name of the schema of any publication."""

_WHOLE: Final = (JobStarted, Activity, Notification, TopicEvent)
_HUBS_OWN: Final = ("sender",)
_SENTENCES: Final = {
    "SCENARIO_COMPLETED": "A scenario of a job was generated.",
    "FEATURE_COMPLETED": "All scenarios of a feature were generated.",
    "JOB_STATUS_CHANGED": "A job entered another status.",
    "JOB_COMPLETED": "A job ended well.",
    "JOB_FAILED": "A job ended in an error.",
    "PROGRESS_UPDATED": "A job without scenarios got further.",
}


def publication_schemas() -> dict[str, Json]:
    """The schema of a publication, and those it refers to, by their names."""
    found = components([*_WHOLE, *JOB_EVENT_DATA.values()])
    for shape in _WHOLE:
        found[shape.__name__] = _whole(found[shape.__name__], shape.kind)
    names = [shape.__name__ for shape in _WHOLE]
    for type_, data in JOB_EVENT_DATA.items():
        names.append(f"{data.__name__}Publication")
        has_fields = bool(found[data.__name__]["required"])
        found[names[-1]] = _event(type_, data.__name__, with_data=has_fields)
    found[NAME] = {
        "description": f"What a worker reports: at most {MAX_BYTES} bytes of JSON.",
        "oneOf": [reference(name) for name in names],
    }
    return found


def _whole(schema: Json, kind: str) -> Json:
    """The schema of a shape with its ``kind``, and without what only the hub may say."""
    fields = {name: each for name, each in schema["properties"].items() if name not in _HUBS_OWN}
    return {
        **schema,
        "properties": {**fields, "kind": {"const": kind}},
        "required": [*schema["required"], "kind"],
    }


def _event(type_: str, data: str, *, with_data: bool) -> Json:
    properties = {
        "id": {"type": "string", "format": "uuid"},
        "kind": {"const": "JOB"},
        "jobId": {"type": "string", "pattern": ids.USER_ID},
        "type": {"const": type_},
        "data": reference(data),
    }
    return {
        "description": _SENTENCES[type_],
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name != "data" or with_data],
        "additionalProperties": False,
    }
