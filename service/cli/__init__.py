"""The command line: `verify-gateway`. One module for each group of commands, imported when one of them runs.

The entry point of the wheel. A known error is one sentence on standard error and exit code 1.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from service.errors import GatewayError

# Where each command is, and its one-line help: listing the commands must not import them all.
COMMANDS = {
    "sandbox": ("service.cli.sandbox", "Run everything on this machine, without any account."),
    "serve": ("service.cli.serving", "Answer requests and send codes."),
    "dispatch": ("service.cli.serving", "Send what is due, without answering requests."),
    "migrate": ("service.cli.database", "Upgrade the database's schema to the newest version."),
    "keys": ("service.cli.database", "Create, list and revoke API keys."),
    "policy": ("service.cli.checks", "Show, check or backtest the policy."),
    "simulate": ("service.cli.simulating", "Play a trace of people and attacks, or make one."),
    "openapi": ("service.cli.checks", "Write or check the OpenAPI file."),
    "purge": ("service.cli.database", "Delete everything past its retention now."),
    "erase": ("service.cli.database", "Erase a person's data, by phone number."),
}


class Commands(click.Group):
    """Lists and imports the commands named in COMMANDS."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's)
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (click's)
        """Import one command; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name][0]), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 (click's)
        """Write the list of commands with their help, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="verify-gateway")
def group() -> None:
    """A guarded gateway in front of Telnyx Verify.

    To try it, run `verify-gateway sandbox`. For production: migrate, keys create NAME, then serve.
    """


def main(words: Sequence[str] | None = None) -> None:
    """Run one command, by default the one on the command line, and exit."""
    try:
        group(words, prog_name="verify-gateway")
    except GatewayError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except OSError as error:
        click.echo(f"{error.filename}: {error.strerror}." if error.filename else f"{error}.", err=True)
        sys.exit(1)
