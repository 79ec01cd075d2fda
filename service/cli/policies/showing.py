"""policy show: print the policy in force, and, where there is a database to ask, what is held against nobody yet.

A module apart from `policy check`, which needs no database.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from service.errors import GatewayError
from service.policy import loading, rendering
from service.policy.model import Policies

if TYPE_CHECKING:
    from service.db.engine import Database
    from service.operators.reports.observations import Observation


@click.command()
def show() -> None:
    """Print the policy in force, as TOML.

    This is the shipped policy with POLICY_FILE laid over it; overridden values are marked. Where DATABASE_URL is set,
    comments at its end name the clients whose rules only observe, and what no device event of a client carries and is
    therefore not held against it.
    """
    path = os.environ.get("POLICY_FILE")
    click.echo(rendering.render(path), nl=False)
    for line in _list_held(loading.load(path)):
        click.echo(f"# {line}")


def _list_held(policies: Policies) -> Iterator[str]:
    yield ""
    if not os.environ.get("DATABASE_URL"):
        yield "DATABASE_URL is not set: whose rules only observe, and what events never carry, is not known here."
        return
    # Half a second that printing the policy alone does not take.
    from service.cli.running import run  # noqa: PLC0415  needed where there is a database
    from service.operators.device_signals import list_absent, word_absent  # noqa: PLC0415  the same
    from service.operators.reports.observations import Observations, word_period  # noqa: PLC0415  the same
    from service.settings import DatabaseSettings  # noqa: PLC0415  the same

    async def read(database: Database, _: object) -> tuple[list[Observation], dict[str, list[str]]]:
        return await Observations(database, policies).list(), await list_absent(database.pool)

    try:
        periods, absent = run(DatabaseSettings, read, writes=False)
    except GatewayError as error:
        yield f"Whose rules only observe, and what device events never carry, is not known: {error}"
        return
    yield from (word_period(one) for one in periods)
    yield from (word_absent(client, signals) for client, signals in absent.items())
    if not absent:
        yield "There is no signal that the device events of a client never carry."
