"""Fixtures of the use cases' tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from config.settings import Settings
from tests.hub.services.node import Node, running_node


@pytest.fixture
async def node(settings: Settings) -> AsyncIterator[Node]:
    """The parts of a node that follow channels, running."""
    async with running_node(settings) as running:
        yield running
