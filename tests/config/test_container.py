"""The container files name what there is: no engine runs here to try them."""

from __future__ import annotations

import re
from typing import Any

import yaml

from config.settings import Settings, variable
from tests.support.process import ROOT

FOLDER = ROOT / "config" / "container"
COMPOSE: Any = yaml.safe_load((FOLDER / "compose.yaml").read_text())
DOCKERFILE = (FOLDER / "Dockerfile").read_text()


def test_what_is_copied_is_there() -> None:
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE):
        for path in line.split():
            assert (ROOT / path).exists(), path


def test_variables_are_settings() -> None:
    known = {variable(name) for name in Settings.model_fields}
    for name in ("hub", "ingest"):
        service = COMPOSE["services"][name]
        assert set(service["environment"]) <= known
        assert set(service["depends_on"]) <= set(COMPOSE["services"])
        for url in ("HUB_REDIS_URL", "HUB_MONGO_URL"):
            host = re.search(r"://([a-z]+):", service["environment"][url])
            assert host is not None
            assert host[1] in COMPOSE["services"]


def test_the_hub_has_the_time_to_drain() -> None:
    grace = int(COMPOSE["services"]["hub"]["stop_grace_period"].removesuffix("s"))
    assert grace > Settings.model_fields["drain_seconds"].default
