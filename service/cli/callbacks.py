"""callbacks: where a client's backend is told how its verifications ended. Each command does one thing and ends.

A secret is printed once, alone on standard output.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

import click

from service.callbacks.endpoint_admin import Endpoints
from service.callbacks.endpoints import describe, list_endpoints
from service.cli.lengths import Length
from service.cli.running import run
from service.db.engine import Database
from service.errors import GatewayError, NotFound
from service.settings import DatabaseSettings, KeySettings
from service.vault import Vault

T = TypeVar("T")

CLIENT = click.argument("client")
DAY = timedelta(days=1)


@click.group()
def callbacks() -> None:
    """Set where clients are told how verifications ended.

    Needs DATABASE_URL, SECRET_KEY and INDEX_KEY, the same ones as serve, and CALLBACK_ALLOW_PRIVATE where that is set.
    Running processes take a change in within seconds.
    """


@callbacks.command("set")
@CLIENT
@click.argument("url")
def set_url(client: str, url: str) -> None:
    """Set a client's receiver, and print its new secret, once.

    The secret (whsec_…) is that of Standard Webhooks: any of its packages checks the signature with it.
    """
    unknown = f"There is no client {client}: `verify-gateway keys list` has their names."
    click.echo(_work(lambda endpoints: endpoints.set(client, url), unknown))


@callbacks.command("list")
def show() -> None:
    """List the receivers: client, host, state, and how many callbacks wait."""
    for one in run(DatabaseSettings, lambda database, _: list_endpoints(database.pool), writes=False):
        click.echo(describe(one))


@callbacks.command()
@CLIENT
@click.option(
    "--overlap",
    type=Length(most_days=30),
    default="24h",
    show_default=True,
    metavar="LENGTH",
    help="For how long the secret before signs too.",
)
def rotate(client: str, overlap: timedelta) -> None:
    """Make a new secret and print it, once. Both sign until the overlap is over."""
    unread = f"{client} has no receiver, or one that this SECRET_KEY does not open: set it."
    click.echo(_work(lambda endpoints: endpoints.rotate(client, overlap), unread))


@callbacks.command()
@CLIENT
def enable(client: str) -> None:
    """Let callbacks go out again, those that have waited first."""
    if not _work(lambda endpoints: endpoints.enable(client)):
        raise GatewayError(f"Callbacks to {client} are not disabled, or it has no receiver.")
    click.echo(f"Callbacks to {client} are enabled.")


@callbacks.command()
@CLIENT
def disable(client: str) -> None:
    """Let no callbacks go out. What happens meanwhile is kept for seven days."""
    if not _work(lambda endpoints: endpoints.enable(client, on=False)):
        raise GatewayError(f"Callbacks to {client} are disabled already, or it has no receiver.")
    click.echo(f"Callbacks to {client} are disabled.")


@callbacks.command()
@CLIENT
def remove(client: str) -> None:
    """Remove a client's receiver, with what waits for it."""
    if not _work(lambda endpoints: endpoints.remove(client)):
        raise GatewayError(f"{client} has no receiver.")
    click.echo(f"{client} gets no callbacks any more.")


@callbacks.command()
@CLIENT
@click.option("--id", "name", metavar="ID", help="One callback, by its webhook-id.")
@click.option("--since", type=Length(most_days=7), metavar="LENGTH", help="Those of the last so long, such as 2h.")
@click.option("--taken", is_flag=True, help="Also those that were taken already.")
def replay(client: str, name: str | None, since: timedelta | None, *, taken: bool) -> None:
    """Try callbacks again now. Their ids stay, so that a receiver can drop what it knows."""
    if (name is None) == (since is None):
        raise GatewayError("Name one callback (--id), or a time (--since).")
    callback = None if name is None else _read_id(name)
    begin = None if since is None else datetime.now(UTC) - since
    unset = f"{client} has no receiver."
    done = _work(lambda one: one.replay(client, callback=callback, since=begin, taken=taken), unset)
    click.echo(f"{done} to be tried again.")


def _read_id(text: str) -> UUID:
    try:
        return UUID(text.removeprefix("msg_"))
    except ValueError:
        raise GatewayError("That is no webhook-id, such as msg_ and 32 digits.") from None


def _work(work: Callable[[Endpoints], Awaitable[T]], not_found: str = "") -> T:
    async def with_endpoints(database: Database, settings: KeySettings) -> T:
        vault = Vault(settings.secret_key, settings.index_key)
        return await work(Endpoints(database, vault, allow_private=settings.callback_allow_private))

    try:
        return run(KeySettings, with_endpoints)
    except NotFound:
        raise GatewayError(not_found) from None
