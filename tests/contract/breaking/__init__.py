"""What of a document breaks those who keep to an older one. What the hub takes may only become
more, and what it says may become more but nothing of it may go: docs/api/README.md has the rules.
A break is one line of text, the same whenever it is found, and names a schema by its name."""

from tests.contract.breaking.asyncapi import of_asyncapi
from tests.contract.breaking.openapi import of_openapi

__all__ = ["of_asyncapi", "of_openapi"]
