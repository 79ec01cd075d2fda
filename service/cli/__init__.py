"""The command line: `verify-gateway`. One module a group of commands, imported when one of its commands runs.

The entry point of the wheel. An error that is known is one sentence on standard error and exit code 1.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import click

from service.errors import GatewayError

# Where each command is, and its help in a line: to list them must not cost the import of them all.
COMMANDS = {
    "sandbox": ("service.cli.sandbox", "Run everything on this machine, without an account anywhere."),
    "serve": ("service.cli.serving", "Answer requests and send."),
    "dispatch": ("service.cli.serving", "Send what is due, and answer nothing."),
    "migrate": ("service.cli.database", "Bring the database's schema to the newest version."),
    "keys": ("service.cli.database", "Make, list and revoke API keys."),
    "policy": ("service.cli.checks", "Show, check or try the policy."),
    "simulate": ("service.cli.simulating", "Play a trace of people and attacks, or make one."),
    "openapi": ("service.cli.checks", "Write or check the OpenAPI file."),
    "purge": ("service.cli.database", "Delete what is older than its retention, now."),
    "erase": ("service.cli.database", "Forget a person, by number."),
}


class Commands(click.Group):
    """The commands of COMMANDS."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's)
        """List their names."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (click's)
        """Import one."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(COMMANDS[cmd_name][0]), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 (click's)
        """List them with their help, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="verify-gateway")
def group() -> None:
    """A guarded gateway in front of Telnyx Verify.

    `verify-gateway sandbox` shows it at work. In earnest: migrate, keys create NAME, then serve.
    """


def main(words: Sequence[str] | None = None) -> None:
    """Run one command, of the command line unless told, and exit."""
    try:
        group(words, prog_name="verify-gateway")
    except GatewayError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except OSError as error:
        click.echo(f"{error.filename}: {error.strerror}." if error.filename else f"{error}.", err=True)
        sys.exit(1)
