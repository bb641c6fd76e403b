"""The two documents as a node serves them, made without one."""

from __future__ import annotations

from functools import cache
from typing import Any

from hub import __version__
from hub.gateways.contract import asyncapi
from hub.gateways.http import openapi
from hub.gateways.http.health import HealthResources
from hub.gateways.http.inbox import InboxResources
from hub.gateways.http.jobs import JobResources
from hub.gateways.http.metrics import MetricsResource
from hub.gateways.http.operation import Operation
from hub.gateways.http.pages import console_operations, docs_operations
from hub.gateways.http.publish import PublishResource
from hub.gateways.http.tickets import TicketResource


def operations() -> list[Operation]:
    """All that a node serves; their handlers have nothing to work with.
    ``tests/contract/test_openapi.py`` compares them with those of a node."""
    nothing: Any = None
    found = [
        *HealthResources(nothing).operations(),
        *JobResources(nothing, nothing, nothing).operations(),
        *TicketResource(nothing, nothing).operations(),
        *InboxResources(nothing, nothing).operations(),
        *PublishResource(nothing, nothing, nothing).operations(),
        *MetricsResource(nothing, nothing).operations(),
        *console_operations(),
        *asyncapi.AsyncApiResource(__version__).operations(),
        *docs_operations(),
    ]
    return [*found, *openapi.OpenApiResource(found, __version__).operations()]


@cache
def openapi_document() -> dict[str, Any]:
    """``/openapi.json``"""
    return openapi.document(operations(), __version__)


@cache
def asyncapi_document() -> dict[str, Any]:
    """``/asyncapi.json``"""
    return asyncapi.document(__version__)
