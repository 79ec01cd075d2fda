"""openapi: write the OpenAPI file, or check that it says what the app does.

Needs no setting and no database. Apart from the light commands, because it imports the whole app.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path

import click

from service.api.openapi.document import write_document
from service.app import create_routes

OPENAPI = Path("openapi/openapi.json")


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
    text = write_document(create_routes([]), version("verify-gateway"))
    if not check:
        path.write_text(text)
        click.echo(f"Wrote {path}.")
    elif not path.exists() or path.read_text() != text:
        click.echo(f"{path} is not what the app says: run verify-gateway openapi.", err=True)
        sys.exit(1)
