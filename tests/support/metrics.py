"""The metrics that are registered, and what docs/metrics.md says of them.

Used by the tests of that page, of the dashboard and of the alert rules.
"""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from service import telemetry

DOCS = Path(__file__).parents[2] / "docs"
TYPES: dict[type[MetricWrapperBase], str] = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}
COLUMNS = 5


def list_registered() -> dict[str, tuple[str, tuple[str, ...]]]:
    """List the type and labels of each metric in service/telemetry.py, by the name that Prometheus sees."""
    made = [one for one in vars(telemetry).values() if isinstance(one, MetricWrapperBase)]
    return {
        one._name + ("_total" if isinstance(one, Counter) else ""): (TYPES[type(one)], tuple(one._labelnames))
        for one in made
    }


def list_documented() -> dict[str, tuple[str, tuple[str, ...], str, str]]:
    """List what the table says of each: type, labels, unit, meaning."""
    lines = (DOCS / "metrics.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines if line.startswith("| `verify_")]
    return {
        row[0].strip("`"): (row[1], tuple(re.findall(r"`(\w+)`", row[2])), row[3], row[4])
        for row in rows
        if len(row) == COLUMNS  # the table of what was renamed has three
    }
