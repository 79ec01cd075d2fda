"""Commands on the database: migrate, keys, purge. Each opens it, does one thing and ends.

A key is printed once, alone on standard output, and stands nowhere after.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from service.errors import GatewayError
from service.settings import DatabaseSettings, KeySettings, load
from service.vault import Vault
from service.verification.keybook import KeyBook

T = TypeVar("T")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@click.command()
def migrate() -> None:
    """Bring the database's schema to the newest version."""
    from service.db.migrate import upgrade  # noqa: PLC0415 (alembic, for this command alone)

    upgrade(load(DatabaseSettings).database_url)
    click.echo("The schema is up to date.")


@click.group()
def keys() -> None:
    """Make, list and revoke API keys."""


@keys.command()
@click.argument("name")
@click.option("--scope", type=click.Choice(["verify", "operator"]), default="verify", show_default=True)
@click.option(
    "--test", is_flag=True, help="A test client: its numbers behave as in the sandbox and never reach Telnyx."
)
def create(name: str, scope: str, *, test: bool) -> None:
    """Make a key for the client NAME and print it: it cannot be shown again."""
    if not NAME.fullmatch(name):
        raise GatewayError("A client's name is 1 to 63 of a-z, 0-9, - and _.")
    click.echo(_run(lambda book: book.create(name, scope, test=test)))


@keys.command("list")
def list_keys() -> None:
    """List the keys: id, client, scope, when made, whether revoked; never the key."""
    for line in _run(lambda book: book.list()):
        click.echo(line)


@keys.command()
@click.argument("key_id", type=int)
def revoke(key_id: int) -> None:
    """Revoke the key with this id (see list), at once and in every process."""
    if not _run(lambda book: book.revoke(key_id)):
        raise GatewayError(f"There is no key {key_id} that is not revoked already.")
    click.echo(f"Key {key_id} is revoked.")


@click.command()
def purge() -> None:
    """Delete what is older than its retention, now. `serve` does it by itself every five minutes."""
    from service.db.engine import open_database  # noqa: PLC0415 (as above)
    from service.fraud import policy_file  # noqa: PLC0415
    from service.worker.retention import Retention  # noqa: PLC0415

    settings = load(KeySettings)

    async def work() -> dict[str, int]:
        database = await open_database(settings.database_url, pooler=settings.database_pooler)
        try:
            return await Retention(database, policy_file.load(settings.policy_file)).purge()
        finally:
            await database.aclose()

    for kind, count in asyncio.run(work()).items():
        click.echo(f"{kind}: {count}")


def _run(work: Callable[[KeyBook], Awaitable[T]]) -> T:
    from service.db.engine import open_database  # noqa: PLC0415 (as above)

    settings = load(KeySettings)

    async def ask() -> T:
        database = await open_database(settings.database_url, pooler=settings.database_pooler)
        try:
            return await work(KeyBook(database, Vault(settings.secret_key, settings.index_key)))
        finally:
            await database.aclose()

    return asyncio.run(ask())
