"""Writes everything that is generated; with ``release``, the documents as those of the release."""

import json
import sys

from tests.contract.generate import FILES, ROOT, fresh
from tests.support.documents import asyncapi_document, openapi_document

if sys.argv[1:] == ["release"]:
    for name, document in (("asyncapi", asyncapi_document()), ("openapi", openapi_document())):
        text = json.dumps(document, indent=1, ensure_ascii=False)
        (ROOT / "docs" / "api" / f"{name}.json").write_text(f"{text}\n")

for path in FILES:
    (ROOT / path).write_text(fresh(path))
