"""The linters of OpenAPI files find nothing; each exception stands in their settings beside the file, explained."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.generators import FILE, needs_node, run_node

pytestmark = needs_node


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("redocly.yaml", ".redocly.lint-ignore.yaml", ".spectral.yaml"):
        shutil.copy(FILE.parent / name, tmp_path)
    shutil.copy(FILE, tmp_path)
    return tmp_path


def test_redocly_finds_no_mistake_and_nothing_to_warn_of(folder: Path) -> None:
    said = run_node("redocly", "lint", "openapi.json", cwd=folder)
    assert "Your API description is valid" in said
    assert "You have" not in said, said


def test_spectral_finds_no_mistake_and_nothing_to_warn_of(folder: Path) -> None:
    said = run_node("spectral", "lint", "openapi.json", "--fail-severity", "hint", cwd=folder)
    assert "No results with a severity of 'hint' or higher found!" in said, said


@pytest.mark.parametrize("program", ["redocly", "spectral"])
def test_a_linter_does_find_a_mistake(folder: Path, program: str) -> None:
    text = (folder / "openapi.json").read_text()
    (folder / "openapi.json").write_text(text.replace('"operationId": "verifyCode"', '"operationId": "useFallback"'))
    with pytest.raises(AssertionError, match="operation-operationId-unique"):
        run_node(program, "lint", "openapi.json", cwd=folder)
