"""The documentation as a site: it builds strictly, without a network, and its reference leaves nothing out."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.operators.records import ALERT_KINDS
from service.policy.loading import default_text
from service.settings import Settings
from tests.support.generators import CHECKOUT
from tests.support.metrics import list_registered

SITE = CHECKOUT / ".ci" / "docs"
# Whatever asks for something over the network meets a closed port.
NOWHERE = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
FETCHED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>")


def build(config: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--config-file",
        str(config),
        "--site-dir",
        str(site),
    ]
    environment = os.environ | NOWHERE | {"NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site, in which every link and anchor leads somewhere."""
    folder = tmp_path_factory.mktemp("site")
    done = build(SITE / "mkdocs.yml", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_it_has_every_page_and_nothing_that_a_reader_would_have_to_fetch(site: Path) -> None:
    pages = {str(page.relative_to(site).with_suffix("")) for page in site.rglob("*.html")}
    docs = CHECKOUT / "docs"
    assert {str(page.relative_to(docs).with_suffix("")) for page in docs.rglob("*.md")} <= pages
    assert {"index", "reference"} <= pages
    for page in site.rglob("*.html"):
        assert FETCHED.findall(page.read_text(encoding="utf-8")) == [], page.name


def test_what_pages_of_the_repository_link_to_is_in_it(site: Path) -> None:
    assert (site / "repository" / "openapi" / "openapi.json").is_file()
    assert "repository/examples/python/index.html" in (site / "integrate.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("link", ["nowhere.md", "settings.md#nowhere"])
def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path, link: str) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "settings.md").write_text("# Settings\n")
    (docs / "index.md").write_text(f"# Front\n\n[there]({link})\n")
    text = (SITE / "mkdocs.yml").read_text(encoding="utf-8").replace("../../docs", str(docs)).partition("\nnav:")[0]
    config = tmp_path / "mkdocs.yml"
    config.write_text(text.replace("hooks: [hooks.py]\n", ""))
    done = build(config, tmp_path / "site")
    assert done.returncode != 0
    assert link.partition("#")[2] or link in done.stderr + done.stdout


@pytest.fixture(scope="module")
def reference() -> Any:
    spec = importlib.util.spec_from_file_location("reference_of_the_site", SITE / "reference.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def policy_values() -> set[str]:
    def walk(table: dict[str, Any], path: str = "") -> set[str]:
        found: set[str] = set()
        for name, value in table.items():
            found |= walk(value, f"{path}{name}.") if isinstance(value, dict) else {path + name}
        return found

    return walk(tomllib.loads(default_text()))


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("settings", lambda: {name.upper() for name in Settings.model_fields}),
        ("policy", policy_values),
        ("metrics", lambda: set(list_registered())),
        ("alerts", lambda: set(ALERT_KINDS)),
    ],
)
def test_the_reference_has_each_of_them_with_its_unit_its_default_and_what_it_is_for(
    reference: Any, kind: str, known: Callable[[], set[str]]
) -> None:
    entries = getattr(reference, f"list_{kind}")()
    assert {entry.name for entry in entries} == known()
    for entry in entries:
        assert entry.default, entry
        assert entry.unit, entry
        assert len(entry.reason) > 10, entry


def test_a_default_on_the_page_is_the_codes(reference: Any) -> None:
    page = reference.write_reference()
    assert "| `KEEP_ALIVE` | 620 | seconds |" in page
    assert '| `rules.event_stale.after` | "10m" | time |' in page
    assert "| `verify_alert_open` | gauge | 0 or 1 |" in page
