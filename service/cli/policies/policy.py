"""policy: check it here; show it, or backtest it on recorded history, in modules of their own.

`policy check` needs no setting but POLICY_FILE and no database.
"""

from __future__ import annotations

import os

import click

from service import phone
from service.cli.commands import Commands
from service.policy import loading
from service.policy.neighbours import find_neighbours

POLICY_COMMANDS = {
    "show": ("service.cli.policies.showing", "Print the policy in force, as TOML."),
    "check": ("service.cli.policies.policy", "Report every mistake in a policy file."),
    "backtest": ("service.cli.policies.backtesting", "Decide recorded sends again under another policy file."),
    "outcomes": (
        "service.cli.policies.outcomes",
        "Tell whom rules stopped, or would have, and who of them were people.",
    ),
}


@click.group(cls=Commands, places=POLICY_COMMANDS)
def policy() -> None:
    """Show, check or backtest the policy."""


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False), required=False)
def check(file: str | None) -> None:
    """Report every mistake in a policy file.

    Checks FILE, or POLICY_FILE by default. Also names the countries that share a calling code with an allowed one and
    are not allowed, such as Puerto Rico beside the US. The exit code is 1 if there is a mistake; an old name is none.
    """
    loaded = loading.load(file or os.environ.get("POLICY_FILE"))
    for setting in loaded.renamed:
        now = f"is called {setting.new} now; the old name is still read." if setting.new else "has no effect any more."
        click.echo(f"line {setting.line}: {setting.old}: {now}")
    click.echo(f"The policy is valid. Clients with settings of their own: {len(loaded.clients)}.")
    click.echo(f"Version {loaded.default.version}. Numbering plan: phonenumbers {phone.plan_version()}.")
    for neighbours in find_neighbours(loaded):
        click.echo(f"Note: {neighbours}")
