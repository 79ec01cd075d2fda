"""The clients that TypeScript's generators make at their defaults: they compile strictly, and they work."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.gateway import run_gateway
from tests.support.generators import (
    FILE,
    NODE_TOOLS,
    copy_example,
    lend_modules,
    needs_node,
    read_readme_request,
    run_node,
)
from tests.support.talking import talk

pytestmark = needs_node


def test_the_request_of_the_readme_compiles_with_every_generator_and_a_wrong_case_does_not(tmp_path: Path) -> None:
    for name in ("tsconfig.json", "orval.config.cjs"):
        shutil.copy(NODE_TOOLS / name, tmp_path)
    shutil.copy(FILE, tmp_path)
    lend_modules(tmp_path)
    calls = (NODE_TOOLS / "calls.ts").read_text()
    (tmp_path / "calls.ts").write_text(calls.replace("README_REQUEST", read_readme_request()))
    run_node("openapi-typescript", "openapi.json", "--output", "gateway.d.ts", cwd=tmp_path)
    run_node("openapi-ts", "--input", "openapi.json", "--output", "heyapi", "--no-log-file", cwd=tmp_path)
    run_node("orval", "--config", "orval.config.cjs", cwd=tmp_path)
    # A `@ts-expect-error` above a line that compiles is an error too.
    assert run_node("tsc", "--project", "tsconfig.json", cwd=tmp_path) == ""


async def test_the_example_gets_a_number_verified(tmp_path: Path, database_url: str) -> None:
    example = copy_example("typescript", tmp_path)
    lend_modules(example)
    run_node("openapi-typescript", FILE, "--output", "gateway.d.ts", cwd=example)
    assert run_node("tsc", cwd=example) == ""
    async with run_gateway(database_url) as gateway:
        said = await talk(gateway, "node", "build/verify.js", cwd=example)
    assert said == [
        "If this number can receive codes, one is on its way.",
        "Not right: 4 attempts left.",
        "verified",
    ]
