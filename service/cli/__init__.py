"""The command line: `verify-gateway`. One module a group of commands; heavy imports wait until they are needed.

The entry point of the wheel. An error that is known is one sentence on standard error and exit code 1.
"""

from __future__ import annotations

import sys

import click

from service.cli.checks import openapi, policy
from service.cli.database import keys, migrate, purge
from service.cli.sandbox import sandbox
from service.cli.serving import dispatch, serve
from service.errors import GatewayError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="verify-gateway")
def group() -> None:
    """A guarded gateway in front of Telnyx Verify."""


for command in (sandbox, serve, dispatch, migrate, keys, openapi, policy, purge):
    group.add_command(command)


def main() -> None:
    """Run one command."""
    try:
        group()
    except GatewayError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    except OSError as error:
        click.echo(f"{error.filename}: {error.strerror}." if error.filename else f"{error}.", err=True)
        sys.exit(1)
