"""What is pinned: the lock names no host, and a user of the example gets what was tested."""

from __future__ import annotations

import json
from typing import Any

from tests.support.generators import EXAMPLES, NODE_TOOLS

LOCK: dict[str, Any] = json.loads((NODE_TOOLS / "package-lock.json").read_text())
PINNED: dict[str, str] = json.loads((NODE_TOOLS / "package.json").read_text())["dependencies"]


def test_the_lock_of_nodes_tools_has_a_hash_for_each_package_and_names_no_registry() -> None:
    packages = {name: package for name, package in LOCK["packages"].items() if name}
    assert len(packages) > len(PINNED)
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-"), name
        assert "resolved" not in package, name


def test_every_tool_is_pinned_and_locked_as_pinned() -> None:
    for name, version in PINNED.items():
        assert LOCK["packages"][f"node_modules/{name}"]["version"] == version, name


def test_the_example_uses_the_versions_that_are_tested() -> None:
    package = json.loads((EXAMPLES / "typescript" / "package.json").read_text())
    for name, version in (package["dependencies"] | package["devDependencies"]).items():
        assert PINNED[name] == version, name
