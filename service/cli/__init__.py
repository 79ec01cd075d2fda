"""The command line: `verify-gateway`. One module for each group of commands, imported when one of them runs.

The entry point of the wheel. A known error is one sentence on standard error and exit code 1.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from service.cli.commands import Commands
from service.errors import GatewayError

# Where each command is, and its one-line help.
COMMANDS = {
    "sandbox": ("service.cli.sandbox.command", "Run everything on this machine, without any account."),
    "serve": ("service.cli.process.serving", "Answer requests and send codes."),
    "dispatch": ("service.cli.process.dispatching", "Send what is due, without answering requests."),
    "migrate": ("service.cli.database", "Upgrade the database's schema to the newest version."),
    "keys": ("service.cli.database", "Create, list and revoke API keys."),
    "callbacks": ("service.cli.callbacks", "Set where clients are told how verifications ended."),
    "doctor": ("service.cli.doctor", "Check this deployment and its Verify profiles, point by point."),
    "profile": ("service.cli.profiles", "Compare Verify profiles with the policy, and correct them."),
    "exemptions": ("service.cli.exempting", "List, set and lift what operators waive."),
    "review": ("service.cli.reviewing", "List, set and lift numbers whose code is fixed."),
    "policy": ("service.cli.policies.policy", "Show, check or backtest the policy."),
    "simulate": ("service.cli.simulating", "Play a trace of people and attacks, or make one."),
    "openapi": ("service.cli.openapi", "Write or check the OpenAPI file."),
    "purge": ("service.cli.database", "Delete everything past its retention now."),
    "erase": ("service.cli.database", "Erase a person's data, by phone number."),
}


@click.group(cls=Commands, places=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="verify-gateway")
def group() -> None:
    """A guarded gateway in front of Telnyx Verify.

    To try it, run `verify-gateway sandbox`. For production: migrate, keys create NAME, then serve.
    """


def main(words: Sequence[str] | None = None) -> None:
    """Run one command, by default the one on the command line, and exit."""
    try:
        group(_read(sys.argv[1:] if words is None else words), prog_name="verify-gateway")
    except GatewayError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except OSError as error:
        click.echo(f"{error.filename}: {error.strerror}." if error.filename else f"{error}.", err=True)
        sys.exit(1)


def _read(words: Sequence[str]) -> Sequence[str]:
    """Return the words, if they are text. Python keeps other bytes as halves of characters, which no database takes."""
    if any("\ud800" <= letter <= "\udfff" for word in words for letter in word):
        raise GatewayError("What was typed is not text in UTF-8.")
    return words
