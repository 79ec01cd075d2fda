"""doctor: examine this deployment and its Verify profiles, and print each point with what to do.

Its exit code is the worst that was found: 0, 1 for a warning, 2 for a failure. Shows no secret.
"""

from __future__ import annotations

import asyncio
import os
import sys

import click
import msgspec

from service.db.engine import Database, open_database
from service.errors import GatewayError, PolicyError, SettingsError
from service.operators.doctor.diagnosis import Unknown, rank
from service.operators.doctor.examination import Point, examine, refuse, summarise
from service.policy import loading
from service.policy.model import Policies
from service.settings import Settings, load

INDENT = 6
WIDTH = 110


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--processes",
    type=click.IntRange(1, 10_000),
    default=1,
    show_default=True,
    help="How many processes share the database: all workers of serve, and all of dispatch.",
)
def doctor(*, as_json: bool, processes: int) -> None:
    """Check this deployment and its Verify profiles, point by point.

    Needs the settings of serve, in the same environment. The sixteen points of Telnyx's guide come first. Each point is
    pass, warn or fail, with what to do; the exit code is 0, 1 if there is a warning, 2 if there is a failure. Changes
    nothing.
    """
    points = _examine(processes)
    status = summarise(points)
    if as_json:
        click.echo(msgspec.json.encode({"status": status, "points": points}).decode())
    else:
        for point in points:
            _print(point)
        counts = {word: sum(point.status == word for point in points) for word in ("pass", "warn", "fail")}
        click.echo(", ".join(f"{count} {word}" for word, count in counts.items()))
    sys.exit(rank(status))


def _examine(processes: int) -> list[Point]:
    try:
        settings = load(Settings)
    except SettingsError as error:
        return refuse("settings", "Settings", error)
    try:
        policies = loading.load(settings.policy_file)
    except PolicyError as error:
        return refuse("policy", "Policy", error)
    return asyncio.run(_ask(settings, policies, processes))


async def _ask(settings: Settings, policies: Policies, processes: int) -> list[Point]:
    try:
        database: Database | Unknown = await open_database(
            settings.database_url, pooler=settings.database_pooler, writes=False
        )
    except GatewayError as error:
        database = Unknown(str(error))
    try:
        return await examine(settings, policies, database, list(os.environ), processes)
    finally:
        if isinstance(database, Database):
            await database.aclose()


def _print(point: Point) -> None:
    accepted = " (accepted)" if point.accepted else ""
    click.echo(f"{point.status}  {point.name}: {point.title}{accepted}")
    indent = " " * INDENT
    for line in point.seen.splitlines():
        click.echo(click.wrap_text(line, WIDTH, indent, indent))
    if point.remedy and point.status != "pass":
        click.echo(click.wrap_text(f"→ {point.remedy}", WIDTH, indent, indent + "  "))
