"""What a PromQL expression asks for: enough of the language for the expressions in deploy/.

Used by the tests of the dashboard and the alert rules. promtool reads the grammar, where it is installed.
"""

from __future__ import annotations

import re
from typing import NamedTuple

KEYWORDS = {"and", "or", "unless", "bool", "offset"}
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
SELECTOR = re.compile(r"(?<![\w$.])([a-zA-Z_]\w*)\s*(\(|\{[^}]*\})?")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')


class Selector(NamedTuple):
    """One metric that is asked for, and by which labels and values."""

    metric: str
    matchers: list[tuple[str, list[str]]]


def list_selectors(expression: str) -> list[Selector]:
    """List the metrics that an expression asks for."""
    plain = re.sub(r"\[[^\]]*\]", "", GROUPING.sub("", expression))
    return [
        Selector(name, [(label, value.split("|")) for label, value in MATCHER.findall(behind)])
        for name, behind in SELECTOR.findall(plain)
        if behind != "(" and name not in KEYWORDS
    ]


def list_grouping(expression: str) -> set[str]:
    """List the labels that an expression groups by."""
    return {label.strip() for labels in GROUPING.findall(expression) for label in labels.split(",")}
