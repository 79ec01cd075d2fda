"""The programs that make clients of the OpenAPI file, or check it: Python's from .venv, Node's from tests/clients.

Used by tests/clients. A program that fails fails the test with what it printed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
FILE = CHECKOUT / "openapi" / "openapi.json"
EXAMPLES = CHECKOUT / "examples"
NODE_TOOLS = CHECKOUT / "tests" / "clients"
MODULES = NODE_TOOLS / "node_modules"

needs_node = pytest.mark.skipif(
    not (MODULES / ".package-lock.json").exists(),
    reason="Node's tools are not installed: make node-tools says why (it needs Node 20.19 or newer and npm)",
)


def run_python(program: str, *arguments: str | Path, cwd: Path) -> str:
    """Run a program of this environment; return what it printed."""
    folder = Path(sys.executable).parent
    # openapi-python-client formats its code with the ruff that it finds on PATH.
    environment = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"}
    return _run(folder / program, *arguments, cwd=cwd, environment=environment)


def run_node(program: str, *arguments: str | Path, cwd: Path) -> str:
    """Run one of the pinned programs; return what it printed."""
    # None of them may tell its makers that it ran, or ask them for a newer version.
    quiet = {"NO_COLOR": "1", "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "CI": "true"}
    return _run(MODULES / ".bin" / program, *arguments, cwd=cwd, environment=os.environ | quiet)


def lend_modules(folder: Path) -> None:
    """Let what is in a folder import the pinned packages."""
    (folder / "node_modules").symlink_to(MODULES)


def copy_example(name: str, folder: Path) -> Path:
    """Copy an example, without what somebody may have made in it; return the copy."""
    names = shutil.ignore_patterns("node_modules", "build", "gateway.d.ts", "verify-gateway-client", ".venv")
    return Path(shutil.copytree(EXAMPLES / name, folder / name, ignore=names))


def read_readme_request() -> str:
    """Return the body of the request that README.md shows, as it stands there."""
    found = re.search(r"/v1/verifications .*?-d '(\{.*?\})'", (CHECKOUT / "README.md").read_text(), re.DOTALL)
    assert found is not None
    assert json.loads(found[1])["phone_number"]
    return found[1]


def _run(*command: str | Path, cwd: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said
