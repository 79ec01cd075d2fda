"""A length of time on the command line, written as in the policy. Used by cli.policies.backtesting and cli.database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from service.policy.values import read_seconds

# Ten years. PostgreSQL takes dates that Python cannot read: one such row would fail whoever reads it.
LONGEST = 3650 * 86400.0


class Length(click.ParamType[timedelta]):
    """A length of time such as 30m."""

    name = "length"

    def __init__(self, most_days: int | None = None) -> None:
        """`most_days`: the longest that is accepted, None for any."""
        self._most_days = most_days

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read a length, or fail with what was expected."""
        try:
            seconds = read_seconds(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if self._most_days is not None and seconds > self._most_days * 86400:
            self.fail(f"at most {self._most_days}d", param, ctx)
        return timedelta(seconds=seconds)
