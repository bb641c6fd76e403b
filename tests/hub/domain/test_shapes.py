"""What callers are told of a value that does not fit its shape."""

from __future__ import annotations

import pytest

from hub.domain.codes import HubError
from hub.domain.shapes import parse
from hub.gateways.contract.schemas import components, dialect
from hub.gateways.sio.admin_payloads import Jobs, Letters, Unban


@pytest.mark.parametrize(
    ("shape", "field"), [(Unban, "userId"), (Jobs, "status"), (Jobs, "cursor"), (Letters, "ids")]
)
def test_a_pattern_is_shown_as_the_documents_have_it(shape: type, field: str) -> None:
    given = {field: ["!"] if field == "ids" else "!"}
    with pytest.raises(HubError) as refused:
        parse(shape, given)
    schema = dialect(components([shape]))[shape.__name__]["properties"][field]
    patterns = [
        each["pattern"]
        for each in (schema.get("items", schema), *schema.get("anyOf", ()))
        if "pattern" in each
    ]
    assert refused.value.message.endswith(f"matching regex '{patterns[0]}'")
    assert patterns[0].endswith("$")
