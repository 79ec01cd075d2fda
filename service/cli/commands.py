"""A group of commands that are imported one at a time. Used by cli and cli.policies.policy.

To list commands must not cost the import of them all: `--help` would wait a second for PostgreSQL's and HTTP's parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click
from typing_extensions import override


class Commands(click.Group):
    """Commands by name: each stands under that name in the module named, which is imported when somebody runs it."""

    def __init__(self, *args: Any, places: Mapping[str, tuple[str, str]], **options: Any) -> None:
        """`places`: the module of each command, and its help in a line."""
        super().__init__(*args, **options)
        self._places = places

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._places)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._places:
            return None
        command: click.Command = getattr(import_module(self._places[cmd_name][0]), cmd_name)
        return command

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in self._places.items()])
