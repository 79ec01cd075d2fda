"""What is handed out: a wheel that needs no checkout, and locks that anybody can install from."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from tests.support.clusters import query

CHECKOUT = Path(__file__).parents[2]
LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-build.lock"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Answer an environment with nothing of ours but the wheel; what the wheel depends on is lent by this one."""
    place = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", place / "dist", cwd=CHECKOUT)
    run(sys.executable, "-m", "venv", "--without-pip", place / "venv", cwd=place)
    python = place / "venv" / "bin" / "python"
    (wheel,) = (place / "dist").iterdir()
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=place)
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=place).strip()
    # A .pth file's folder is searched last, and .pth files in it (such as the one of this checkout) are not read.
    Path(packages, "lent.pth").write_text(sysconfig.get_path("purelib"))
    return place


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command to its good end and answer what it printed, without what our own environment adds."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env={**inherited, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_is_imported_is_the_wheel(installed: Path) -> None:
    file = run(installed / "venv/bin/python", "-c", "import service; print(service.__file__)", cwd=installed)
    assert Path(file.strip()).is_relative_to(installed)


async def test_migrate_works_from_the_wheel_in_any_folder(installed: Path, empty_database_url: str) -> None:
    run(installed / "venv/bin/verify-gateway", "migrate", cwd=installed, DATABASE_URL=empty_database_url)
    assert await query(empty_database_url, "select count(*) from alembic_version") == 1


def test_the_wheel_and_what_it_depends_on_carry_the_api_page(installed: Path) -> None:
    read = "manual._read('manual.html') + manual._read_viewer('swagger_bundle.js')"
    code = f"from service.api.openapi import page as manual; print(len({read}))"
    assert int(run(installed / "venv/bin/python", "-c", code, cwd=installed)) > 1_000_000


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_host_and_no_folder(name: str) -> None:
    for line in (CHECKOUT / name).read_text().splitlines():
        assert re.fullmatch(r"[a-z0-9._-]+==[a-z0-9.+!]+( ; [^/:@]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line), (
            line
        )


def test_every_direct_dependency_is_pinned_and_locked_as_pinned() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["embedded"],
        *(one for one in project["dependency-groups"]["dev"] if isinstance(one, str)),
        *project["dependency-groups"]["build"],
        *project["build-system"]["requires"],
    ]
    locked = (CHECKOUT / "requirements-dev.lock").read_text()
    for requirement in wanted:
        name, _, version = requirement.partition("==")
        assert f"\n{name.partition('[')[0]}=={version} " in f"\n{locked}", requirement


TESTED_AND_RUN = ("requirements-dev.lock", "requirements.lock")


def test_production_runs_what_was_tested() -> None:
    """The same versions; where a platform alone needs one, the tests may need it everywhere."""
    tested, running = (
        set(re.findall(r"^\S+==\S+", (CHECKOUT / name).read_text(), re.MULTILINE)) for name in TESTED_AND_RUN
    )
    assert running
    assert running <= tested


def test_production_installs_nothing_that_only_tests_need() -> None:
    locked = (CHECKOUT / "requirements.lock").read_text()
    assert not re.search(
        r"^(faker|polyfactory|hypothesis|pytest|schemathesis|mypy|ruff|pip-audit)==", locked, re.MULTILINE
    )


def test_the_app_and_the_commands_run_without_what_production_leaves_out() -> None:
    left_out = "sys.modules.update(polyfactory=None, faker=None)"
    code = f"import sys; {left_out}; from service.app import create_routes; import service.cli; create_routes([])"
    run(sys.executable, "-c", code, cwd=CHECKOUT)


def test_the_image_is_built_from_a_base_that_cannot_change() -> None:
    bases = re.findall(r"^FROM (\S+)", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE)
    assert len(bases) == 2
    assert all(re.search(r"@sha256:[0-9a-f]{64}$", base) for base in bases)
    assert len(set(bases)) == 1
