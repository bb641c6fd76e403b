"""The JSON Schema of publications, for the documents: what ``parse_publication`` takes from
callers, as far as a schema can say it."""

from typing import Any, Final

import msgspec

from hub.domain import ids
from hub.domain.publications import (
    JOB_EVENT_DATA,
    RESERVED_TYPES,
    Activity,
    JobStarted,
    Notification,
    TopicEvent,
)

Json = dict[str, Any]

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


def publication_schema(reference: str) -> tuple[Json, dict[str, Json]]:
    """The schema of a publication, and the named schemas it refers to; ``reference``: how, with
    ``{name}``."""
    shapes = [*_WHOLE, *JOB_EVENT_DATA.values()]
    _, components = msgspec.json.schema_components(shapes, ref_template=reference)
    for shape in _WHOLE:
        found = components[shape.__name__]
        for name in _HUBS_OWN:
            found["properties"].pop(name, None)
        found["properties"]["kind"] = {"const": shape.kind}
        found["required"] = [*found["required"], "kind"]
    components["Recipients"]["oneOf"] = [{"required": ["users"]}, {"required": ["topic"]}]
    components["JobStarted"]["properties"]["data"] = {"type": "object", "maxProperties": 0}
    components["TopicEvent"]["properties"]["type"]["not"] = {"enum": sorted(RESERVED_TYPES)}
    names = [shape.__name__ for shape in _WHOLE]
    for type_, data in JOB_EVENT_DATA.items():
        names.append(f"{data.__name__}Publication")
        has_fields = bool(components[data.__name__]["required"])
        reference_to_data = reference.format(name=data.__name__)
        components[names[-1]] = _event(type_, reference_to_data, with_data=has_fields)
    return {"oneOf": [{"$ref": reference.format(name=name)} for name in names]}, components


def _event(type_: str, data: str, *, with_data: bool) -> Json:
    properties = {
        "id": {"type": "string", "format": "uuid"},
        "kind": {"const": "JOB"},
        "jobId": {"type": "string", "pattern": ids.USER_ID},
        "type": {"const": type_},
        "data": {"$ref": data},
    }
    return {
        "description": _SENTENCES[type_],
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name != "data" or with_data],
        "additionalProperties": False,
    }
