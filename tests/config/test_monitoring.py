"""The dashboard and the alerts ask for metrics and labels that exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from hub import metrics
from tests.support.process import ROOT

MONITORING = ROOT / "config/monitoring"
_NAME = re.compile(r"\bhub_[a-z_]+\b")
_SELECTED = re.compile(r"(hub_[a-z_]+)\{([a-z_]+)=")
_GROUPED = re.compile(r"\bby \(([a-z_, ]+)\)")
_OTHERS = {"instance", "job", "le"}  # of Prometheus itself


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load((MONITORING / "alerts.yml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    return found


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    yield from (target["expr"] for panel in panels() for target in panel["targets"])


def exposed() -> dict[str, set[str]]:
    """Every name that a scrape gives → its labels; each family is given a sample first."""
    known: dict[str, set[str]] = {}
    for family in metrics._FAMILIES:
        labels = set(family._labels)  # type: ignore[attr-defined]
        known[family.name] = labels
        if isinstance(family, metrics.Spread):
            for suffix in ("_bucket", "_sum", "_count"):
                known[family.name + suffix] = labels
    return known


def test_every_metric_that_is_asked_for_exists_with_its_labels() -> None:
    known, asked = exposed(), set[str]()
    for expr in expressions():
        assert expr.count("(") == expr.count(")"), expr
        names = set(_NAME.findall(expr))
        asked |= names
        assert names <= known.keys(), (expr, names - known.keys())
        labels = set[str]().union(*(known[name] for name in names)) | _OTHERS
        grouped = {label.strip() for part in _GROUPED.findall(expr) for label in part.split(",")}
        assert grouped <= labels, expr
        for name, label in _SELECTED.findall(expr):
            assert label in known[name], expr
    unseen = {name for name in metrics.NAMES if not any(each.startswith(name) for each in asked)}
    assert not unseen, "the dashboard does not show these"


def test_alerts_say_what_is_wrong_and_where_to_go_on() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names)) >= 8
    for rule in rules():
        assert re.fullmatch(r"\d+[sm]", rule["for"])
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]
        path, _, anchor = rule["annotations"]["runbook"].partition("#")
        text = (ROOT / path).read_text()
        headings = [line.lstrip("# ").lower() for line in text.splitlines() if line[:1] == "#"]
        assert not anchor or anchor in [heading.replace(" ", "-") for heading in headings], anchor


def test_panels_do_not_lie_on_one_another() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()]
    assert len(places) == len(set(places))
    assert len({panel["id"] for panel in panels()}) == len(places)


def test_scrape_jobs_are_those_that_alerts_name() -> None:
    document = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    jobs = {each["job_name"] for each in document["scrape_configs"]}
    named = {name for expr in expressions() for name in re.findall(r'job="([^"]+)"', expr)}
    assert named <= jobs
    assert [Path(name) for name in document["rule_files"]] == [Path("alerts.yml")]


def test_the_exposition_is_prometheus_text() -> None:
    metrics.LATENCY.observe(0.0042, times=3)
    metrics.closed("SSE", 'so "quoted"\n\\')
    families = {each.name: each for each in text_string_to_metric_families(_text())}
    buckets = {
        sample.labels["le"]: sample.value
        for sample in families["hub_publish_to_write_seconds"].samples
        if sample.name.endswith("_bucket")
    }
    assert buckets["0.003"] + 3 <= buckets["0.005"] <= buckets["+Inf"]
    reasons = [sample.labels["reason"] for sample in families["hub_closes"].samples]
    assert 'so "quoted"\n\\' in reasons


def test_labels_are_bounded() -> None:
    count = metrics.Count("hub_test", "of this test", "who")
    try:
        for number in range(1000):
            count.add(1, str(number))
        assert len(count.by_labels) <= 101
        assert count.total == 1000
        assert count.by_labels["other",] == 900
    finally:
        metrics._FAMILIES.remove(count)


def test_quantiles_lie_within_their_bucket() -> None:
    bounds = [0.1, 0.2, 0.4]
    assert metrics.quantile(bounds, [0, 0, 0, 0], 0.5) is None
    assert metrics.quantile(bounds, [10, 0, 0, 0], 0.5) == 0.05
    assert metrics.quantile(bounds, [1, 1, 2, 0], 0.5) == 0.2
    assert metrics.quantile(bounds, [0, 0, 0, 5], 0.99) == 0.4


def _text() -> str:
    return metrics.exposition().decode()
