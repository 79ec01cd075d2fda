"""docs/metrics.md lists the metrics that there are: all of them, each with its type, labels and unit."""

from __future__ import annotations

import re

from tests.support.metrics import DOCS, list_documented, list_registered

NAMED = re.compile(r"`(verify_[a-z_]+)")
NO_METRIC = {"verify_profile_id"}  # of the policy, and of Telnyx's API
FORMER = {"verify_suppressed_total", "verify_http_seconds", "verify_send_seconds"}


def test_every_metric_is_listed_with_its_type_and_labels_and_none_that_is_not_there() -> None:
    documented = {name: (kind, labels) for name, (kind, labels, _, _) in list_documented().items()}
    assert documented == list_registered()
    assert len(documented) > 10


def test_a_metric_in_seconds_says_so_and_every_one_has_a_unit_and_a_meaning() -> None:
    for name, (kind, _, unit, meaning) in list_documented().items():
        assert name.endswith("_seconds") == (unit == "seconds"), name
        assert name.endswith("_total") == (kind == "counter"), name
        assert unit, name
        assert meaning, name


def test_no_page_names_a_metric_that_is_not_there() -> None:
    pages = {page: set(NAMED.findall(page.read_text(encoding="utf-8"))) - NO_METRIC for page in DOCS.glob("*.md")}
    known = {f"{name}{end}" for name in list_registered() for end in ("", "_bucket", "_sum", "_count")}
    for page, names in pages.items():
        assert names - known <= (FORMER if page.name == "metrics.md" else set()), page.name


def test_every_label_from_a_closed_list_is_one_of_few() -> None:
    """A label that a caller could choose would make series without end, and could hold a number."""
    labels = {label for _, names in list_registered().values() for label in names}
    assert labels <= {
        "route", "status", "why", "channel", "provider", "outcome", "rule", "mode", "kind", "event", "client",
        "country",
    }  # fmt: skip
