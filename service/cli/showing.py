"""policy show: print the policy in force, and what device events never carry where there is a database to ask.

A module apart from `policy check`, which needs no database.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import click

from service.errors import GatewayError
from service.policy import rendering


@click.command()
def show() -> None:
    """Print the policy in force, as TOML.

    This is the shipped policy with POLICY_FILE laid over it; overridden values are marked. Where DATABASE_URL is set,
    comments at its end name what no device event of a client carries, and what is therefore not held against it.
    """
    click.echo(rendering.render(os.environ.get("POLICY_FILE")), nl=False)
    for line in _list_absent():
        click.echo(f"# {line}")


def _list_absent() -> Iterator[str]:
    yield ""
    if not os.environ.get("DATABASE_URL"):
        yield "DATABASE_URL is not set: what device events never carry is not known here."
        return
    # Half a second that printing the policy alone does not take.
    from service.cli.running import run  # noqa: PLC0415  needed where there is a database
    from service.operators.device_signals import list_absent, word_absent  # noqa: PLC0415  the same
    from service.settings import DatabaseSettings  # noqa: PLC0415  the same

    try:
        absent = run(DatabaseSettings, lambda database, _: list_absent(database.pool), writes=False)
    except GatewayError as error:
        yield f"What device events never carry is not known: {error}"
        return
    yield from (word_absent(client, signals) for client, signals in absent.items())
    if not absent:
        yield "There is no signal that the device events of a client never carry."
