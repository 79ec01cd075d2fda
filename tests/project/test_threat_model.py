"""The threat model and the docs name tests and files that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
DOCS = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")])
NAMED = re.compile(r"`((?:\w+/)*test_\w+\.py)::(test_\w+)`")
LINKED = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)")


def names_in(file: Path) -> set[str]:
    found = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return {node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = NAMED.findall((CHECKOUT / "docs/threat-model.md").read_text(encoding="utf-8"))
    assert len(named) > 40
    assert [f"{file}::{name}" for file, name in named if name not in names_in(CHECKOUT / "tests" / file)] == []


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_file_that_a_page_links_to_exists(page: Path) -> None:
    linked = LINKED.findall(page.read_text(encoding="utf-8"))
    assert [link for link in linked if not (page.parent / link).exists()] == []
