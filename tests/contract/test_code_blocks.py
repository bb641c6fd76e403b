"""The code in the documentation is code of its language. That of the guides for workers and
frontends is run as well (``tests/e2e/test_guides.py``, ``web/test/guide.test.ts``)."""

from __future__ import annotations

import ast
import json
import re
import subprocess

from tests.contract.test_links import PAGES

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
BLOCKS = [found for page in PAGES for found in BLOCK.findall(page.read_text())]
CHECK = """
import { SourceTextModule } from "node:vm";
let code = "";
for await (const chunk of process.stdin) code += chunk;
for (const each of JSON.parse(code)) new SourceTextModule(each);
"""


def of(*languages: str) -> list[str]:
    return [code for language, code in BLOCKS if language in languages]


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
