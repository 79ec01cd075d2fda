"""Commands on files: the policy and the OpenAPI file.

They need no setting but POLICY_FILE and no database, except `policy backtest`.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path

import click

from service.cli.lengths import Length
from service.policy import loading, rendering

OPENAPI = Path("openapi/openapi.json")


@click.group()
def policy() -> None:
    """Show, check or backtest the policy."""


@policy.command()
def show() -> None:
    """Print the policy in force, as TOML.

    This is the shipped policy with POLICY_FILE laid over it; overridden values are marked.
    """
    click.echo(rendering.render(os.environ.get("POLICY_FILE")), nl=False)


@policy.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False), required=False)
def check(file: str | None) -> None:
    """Report every mistake in a policy file.

    Checks FILE, or POLICY_FILE by default. The exit code is 1 if there is a mistake.
    """
    loaded = loading.load(file or os.environ.get("POLICY_FILE"))
    click.echo(f"The policy is valid. Clients with settings of their own: {len(loaded.clients)}.")
    click.echo(f"Version {loaded.default.version}")


@policy.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--since", type=Length(), metavar="LENGTH", help="Only sends of this last period, such as 7d.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def backtest(file: str, since: timedelta | None, *, as_json: bool) -> None:
    """Decide recorded sends again under another policy file.

    Needs DATABASE_URL. Shows what FILE would have stopped and let through, by rule, and how many of those were people.
    Changes nothing.
    """
    from service.cli.backtesting import backtest_file  # noqa: PLC0415 (the database, for this command alone)

    backtest_file(file, since, as_json=as_json)


@click.command()
@click.option("--check", is_flag=True, help="Only check that the file is up to date; exit with 1 if not.")
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path),
    default=OPENAPI,
    show_default=True,
    help="The file to write or check.",
)
def openapi(*, check: bool, path: Path) -> None:
    """Write or check the OpenAPI file."""
    from service.api.openapi.document import write_document  # noqa: PLC0415 (half a second that no other command should pay)
    from service.app import create_routes  # noqa: PLC0415 (as above)

    text = write_document(create_routes([]), version("verify-gateway"))
    if not check:
        path.write_text(text)
        click.echo(f"Wrote {path}.")
    elif not path.exists() or path.read_text() != text:
        click.echo(f"{path} is not what the app says: run verify-gateway openapi.", err=True)
        sys.exit(1)
