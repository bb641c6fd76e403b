"""The code in the documentation is code of its language, and is run: ``RUN`` says by which tests,
``NOT_RUN`` why not. Each of these tests takes all blocks of its page and language, and fails when
there are more."""

from __future__ import annotations

import ast
import json
import subprocess
from pathlib import Path

from tests.contract.test_links import PAGES
from tests.support.guides import every_block
from tests.support.process import ROOT

GUIDES = [*PAGES, ROOT / "SECURITY.md", *sorted(ROOT.glob("web/*/README.md"))]
BLOCKS = [
    (str(page.relative_to(ROOT)), block.language, block.code)
    for page in GUIDES
    for block in every_block(page)
]
CHECK = """
import { SourceTextModule } from "node:vm";
let code = "";
for await (const chunk of process.stdin) code += chunk;
for (const each of JSON.parse(code)) new SourceTextModule(each);
"""
BROWSER = ["web/test/browser/guide.test.ts"]
FOLLOWING = ["tests/e2e/test_following_guide.py", *BROWSER]
PUBLISHING = ["tests/e2e/test_publishing_guides.py"]
WORKERS = ["tests/e2e/test_guides.py"]
README = [*PUBLISHING, "tests/e2e/test_example.py", "tests/fresh/__main__.py"]
RUN = {
    ("README.md", "console"): README,
    ("README.md", "python"): PUBLISHING,
    ("docs/administration.md", "console"): PUBLISHING,
    ("docs/following.md", "js"): FOLLOWING,
    ("docs/frontend.md", "css"): BROWSER,
    ("docs/frontend.md", "html"): BROWSER,
    ("docs/frontend.md", "js"): ["web/test/guide.test.ts"],
    ("docs/frontend.md", "jsx"): BROWSER,
    ("docs/notifications.md", "js"): PUBLISHING,
    ("docs/notifications.md", "python"): PUBLISHING,
    ("docs/operations.md", "console"): ["tests/e2e/test_operations.py"],
    ("docs/publishing.md", "console"): PUBLISHING,
    ("docs/publishing.md", "js"): PUBLISHING,
    ("docs/publishing.md", "python"): PUBLISHING,
    ("docs/workers.md", "console"): WORKERS,
    ("docs/workers.md", "js"): WORKERS,
    ("docs/workers.md", "python"): WORKERS,
}
NOT_RUN = {
    ("docs/bench/README.md", "console"): "hours of load, on a machine that does nothing else",
    ("docs/chaos.md", "console"): "minutes of faults; its parts have tests in tests/chaos",
    ("docs/following.md", ""): "the head of a request, as tests/support/doors.py sends it",
    ("docs/message-path.md", ""): "a picture",
    ("docs/migrations/README.md", "json"): "answers, as tests/contract/test_versions.py gets them",
    ("docs/publishing.md", ""): "the same in general as the code below it, which is run",
    ("docs/running.md", ""): "what a backend is asked, as that of tests/support/backend.py is",
}


def of(*languages: str) -> list[str]:
    return [code for _, language, code in BLOCKS if language in languages]


def test_code_is_run() -> None:
    found = {(page, language) for page, language, _ in BLOCKS}
    assert found - set(RUN) - set(NOT_RUN) == set(), "no test runs these"
    assert set(RUN) | set(NOT_RUN) == found, "these are gone"
    assert not set(RUN) & set(NOT_RUN)


def test_what_runs_code_reads_its_page() -> None:
    for (page, _), tests in RUN.items():
        for test in tests:
            assert f'{Path(page).name}"' in (ROOT / test).read_text(), (page, test)


def test_python() -> None:
    assert len(of("python")) > 3
    for code in of("python"):
        compile(code, "docs", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_json() -> None:
    for code in of("json"):
        json.loads(code)


def test_javascript() -> None:
    assert len(of("js")) > 3
    done = subprocess.run(
        ["node", "--experimental-vm-modules", "--input-type=module", "-e", CHECK],
        input=json.dumps(of("js")),
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
