"""Commands that look at files: the policy, and the OpenAPI file.

They need no setting but POLICY_FILE, and no database, but for `policy backtest`.
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
    """Show, check or try the policy."""


@policy.command()
def show() -> None:
    """Print the policy in force, as TOML.

    The shipped one with POLICY_FILE laid over it; what that overrides is marked.
    """
    click.echo(rendering.render(os.environ.get("POLICY_FILE")), nl=False)


@policy.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False), required=False)
def check(file: str | None) -> None:
    """Name every mistake of a policy file.

    FILE, else POLICY_FILE; exit code 1 if there is one.
    """
    loaded = loading.load(file or os.environ.get("POLICY_FILE"))
    click.echo(f"The policy is sound. Clients with settings of their own: {len(loaded.clients)}.")
    click.echo(f"Version {loaded.default.version}")


@policy.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--since", type=Length(), metavar="LENGTH", help="Only what was asked for since, such as 7d.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def backtest(file: str, since: timedelta | None, *, as_json: bool) -> None:
    """Decide again what was recorded, under another policy file.

    Needs DATABASE_URL. Says what FILE would have stopped and let through, by rule, and how much of that were people.
    Changes nothing.
    """
    from service.cli.backtesting import backtest_file  # noqa: PLC0415 (the database, for this command alone)

    backtest_file(file, since, as_json=as_json)


@click.command()
@click.option("--check", is_flag=True, help="Only say whether the file is up to date; exit 1 if it is not.")
@click.option(
    "--file", "path", type=click.Path(path_type=Path), default=OPENAPI, show_default=True, help="Where it is."
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
