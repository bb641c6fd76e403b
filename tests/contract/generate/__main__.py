"""Writes everything that is generated."""

from tests.contract.generate import FILES, ROOT, fresh

for path in FILES:
    (ROOT / path).write_text(fresh(path))
