"""One database for all of a file's tests of the doctor, and a sound deployment on it for each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from service.db.engine import open_database
from service.db.schema import migrate
from tests.conftest import at, command
from tests.support.doctor import Deployment, deploy

CLEAN = (
    "truncate clients, api_keys, known_keys, traffic, webhook_events, device_signals restart identity cascade",
    f"update alembic_version set version_num = '{max(migrate._list_revisions()[1])}'",
)


@pytest.fixture(scope="module")
async def shared(postgres: str, template: str) -> AsyncIterator[str]:
    """Answer the URL of a database for all tests of this file: to clone one for each would cost more than they do."""
    name = f"verify_test_{uuid4().hex}"
    await command(postgres, f"create database {name} template {template} strategy file_copy")
    yield at(postgres, name)
    await command(postgres, f"drop database {name} with (force)")


@pytest.fixture
async def deployment(shared: str, tmp_path: Path) -> AsyncIterator[Deployment]:
    database = await open_database(shared)
    async with deploy(database, shared, tmp_path) as deployed:
        yield deployed
    for statement in CLEAN:
        await database.pool.execute(statement)
    await database.aclose()
