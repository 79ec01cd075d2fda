"""The dashboard and the alert rules ask for metrics that exist, by labels and values that they have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.operators.records import ALERT_KINDS
from tests.support.metrics import list_documented, list_registered
from tests.support.programs import DEPLOY, ask_program
from tests.support.promql import Selector, list_grouping, list_selectors

# Prometheus' own, and those that its client library adds.
OTHERS = {"up": (), "process_cpu_seconds_total": ()}
EVERY = {"job", "instance"}
# Labels whose values docs/metrics.md lists; `kind` of incidents stands in the code.
LISTED = {"outcome", "mode", "why", "event", "provider"}


def list_panels() -> Iterator[dict[str, Any]]:
    dashboard = msgspec.json.decode((DEPLOY / "grafana/verify-gateway.json").read_bytes())
    return (panel for panel in dashboard["panels"] if panel["type"] != "row")


def list_rules() -> list[dict[str, Any]]:
    rules = msgspec.yaml.decode((DEPLOY / "prometheus/alerts.yml").read_bytes())
    return [rule for group in rules["groups"] for rule in group["rules"]]


DRAWN = [target["expr"] for panel in list_panels() for target in panel["targets"]]
RINGING = [rule["expr"] for rule in list_rules()]


def labels_of(metric: str) -> set[str] | None:
    """Return the labels of a metric, None where there is none of this name."""
    known = OTHERS | {name: labels for name, (kind, labels) in list_registered().items() if kind != "histogram"}
    if metric in known:
        return {*known[metric], *EVERY}
    family, _, end = metric.rpartition("_")
    kind, labels = list_registered().get(family, ("", ()))
    ends = {"bucket": {"le"}, "sum": set[str](), "count": set[str]()}
    return {*labels, *EVERY} | ends[end] if kind == "histogram" and end in ends else None


def find_strangers(expression: str) -> Iterator[str]:
    """Name what an expression asks for and nothing shows."""
    grouped = list_grouping(expression)
    for metric, matchers in list_selectors(expression):
        labels = labels_of(metric)
        if labels is None:
            yield metric
            continue
        yield from ({label for label, _ in matchers} | grouped) - labels
        for label, values in matchers:
            yield from (value for value in values if not is_shown(metric, label, value))


def is_shown(metric: str, label: str, value: str) -> bool:
    if label == "kind" and metric.startswith("verify_alert"):
        return value in ALERT_KINDS
    return label not in LISTED or re.search(rf'[`"]{value}["`]', list_documented()[metric][3]) is not None


@pytest.mark.parametrize("expression", DRAWN + RINGING)
def test_only_metrics_labels_and_values_that_exist_are_asked_for(expression: str) -> None:
    assert list_selectors(expression)
    assert list(find_strangers(expression)) == []


@pytest.mark.parametrize(
    ("expression", "stranger"),
    [
        ("sum(rate(verify_suppressed_total[5m]))", "verify_suppressed_total"),
        ("sum by (country) (verify_sends_total)", "country"),
        ('max(verify_alert_open{kind="pumping"})', "pumping"),
        ('rate(verify_guesses_total{outcome=~"right|correct"}[5m])', "correct"),
        ("verify_http_request_duration_seconds > 1", "verify_http_request_duration_seconds"),
        ("verify_backlog_seconds_bucket", "verify_backlog_seconds_bucket"),
    ],
)
def test_what_does_not_exist_would_be_found(expression: str, stranger: str) -> None:
    assert list(find_strangers(expression)) == [stranger]


def test_an_expression_is_taken_apart() -> None:
    expression = 'sum by (a, b) (rate(one{x="1",y=~"2|3"}[$__rate_interval])) / on (c) max(two) > 4 or vector(0)'
    assert list_selectors(expression) == [Selector("one", [("x", ["1"]), ("y", ["2", "3"])]), Selector("two", [])]
    assert list_grouping(expression) == {"a", "b", "c"}


def test_every_metric_is_drawn() -> None:
    drawn = {selector.metric.removesuffix("_bucket") for expression in DRAWN for selector in list_selectors(expression)}
    assert set(list_registered()) <= drawn


def test_panels_have_ids_and_places_of_their_own() -> None:
    panels = list(list_panels())
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


async def test_prometheus_can_read_every_expression(tmp_path: Path) -> None:
    rules = [
        {"record": "drawn", "expr": re.sub(r"\$__\w+", "5m", expression), "labels": {"number": str(number)}}
        for number, expression in enumerate(DRAWN)
    ]
    (tmp_path / "drawn.yml").write_bytes(msgspec.yaml.encode({"groups": [{"name": "drawn", "rules": rules}]}))
    code, said = await ask_program("promtool", "check", "rules", tmp_path / "drawn.yml")
    assert code == 0, said
