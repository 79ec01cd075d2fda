"""The project's plan holds: imports point one way, and what decides does no I/O."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]


def test_the_contracts_in_pyproject_hold() -> None:
    """`make lint` checks them too; here they also count for those who run only the tests."""
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_says_what_it_owns() -> None:
    for module in (CHECKOUT / "service").rglob("*.py"):
        assert module.read_text().startswith('"""'), module


def test_no_file_grows_beyond_what_one_can_read() -> None:
    for folder in ("service", "migrations", "tests", "benchmarks"):
        for module in (CHECKOUT / folder).rglob("*.py"):
            assert len(module.read_text().splitlines()) < 400, module


@pytest.mark.parametrize(
    ("what", "most"),
    [
        (r"# noqa|# type: ?ignore|# pragma", 5),
        (r"except\b.*\b(Base)?Exception\b|except:", 1),
    ],
    ids=["suppressions", "broad excepts"],
)
def test_exceptions_to_the_rules_stay_rare(what: str, most: int) -> None:
    lines = [line for module in (CHECKOUT / "service").rglob("*.py") for line in module.read_text().splitlines()]
    found = [line.strip() for line in lines if re.search(what, line)]
    assert 1000 * len(found) <= most * len(lines), "\n".join(found)
