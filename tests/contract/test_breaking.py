"""Nothing that was released is broken without a new version whose migration page names it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub.domain.versions import SPOKEN
from tests.contract.breaking import of_asyncapi, of_openapi
from tests.contract.breaking.pages import differences, named
from tests.support.documents import asyncapi_document, openapi_document
from tests.support.process import ROOT

RELEASED = {
    name: json.loads((ROOT / "docs" / "api" / f"{name}.json").read_text())
    for name in ("asyncapi", "openapi")
}
GONE, CLOSED = "Subscribe.epoch is gone", "KICKED: close is 4999 now"
PAGE = f"""# Version 2

- `Hello.sid is gone` is no item of the section.

## What breaks

- `{GONE}`: leave it out. `{CLOSED}` is no item's begin.
- `GET /v1/jobs/{{jobId}}/events 404 does not say JOB_NOT_FOUND any more`

## More

- `Hello.v is gone`
"""


def test_what_was_released_still_holds() -> None:
    broken = [
        *of_asyncapi(RELEASED["asyncapi"], asyncapi_document()),
        *of_openapi(RELEASED["openapi"], openapi_document()),
    ]
    released = max(RELEASED["asyncapi"]["info"]["x-contract"])
    pages = ROOT / "docs" / "migrations"
    unnamed, idle = differences(broken, pages, released=released, current=SPOKEN.current)
    assert not unnamed, f"no page of a new version in {pages} names these"
    assert not idle, "pages name these, which are not broken"


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    (tmp_path / "2.md").write_text(PAGE)
    return tmp_path


def test_a_page_names_breaks_in_its_section(pages: Path) -> None:
    other = "GET /v1/jobs/{jobId}/events 404 does not say JOB_NOT_FOUND any more"
    assert named(pages / "2.md") == [GONE, other]
    assert named(pages / "3.md") == []


@pytest.mark.parametrize(
    ("broken", "released", "current", "unnamed"),
    [
        ([GONE], 1, 2, set()),
        ([GONE, CLOSED], 1, 2, {CLOSED}),
        ([GONE], 1, 3, set()),
        ([GONE], 1, 1, {GONE}),  # there is a page, and no new version
        ([GONE], 2, 2, {GONE}),  # that version was released
        ([GONE], 2, 3, {GONE}),  # the new version has no page
        ([], 1, 1, set()),
    ],
)
def test_a_new_version_excuses_what_its_page_names(
    pages: Path, broken: list[str], released: int, current: int, unnamed: set[str]
) -> None:
    assert differences(broken, pages, released=released, current=current)[0] == unnamed


def test_a_page_names_nothing_that_is_not_broken(pages: Path) -> None:
    (pages / "2.md").write_text(f"## What breaks\n\n- `{GONE}`\n- `{CLOSED}`\n")
    assert differences([GONE], pages, released=1, current=2) == (set(), {CLOSED})
    assert differences([], pages, released=2, current=2) == (set(), set())
