"""simulate: play traces of requests through the real gateway in virtual time, or make such a trace.

Needs no setting, account or database: it creates a scratch database, and deletes it afterwards.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click
import msgspec

from service import telemetry
from service.db.engine import open_database
from service.fraud.stages import HISTORY
from service.policy.model import Policy
from service.simulation.measuring import HEAD, draw_line, measure
from service.simulation.picture import draw
from service.simulation.player import Player
from service.simulation.report import CountryAlarm, Played, summarise
from service.simulation.scenarios import ATTACKS, DRAWN_ATTACKS, GROUPS, compose
from service.simulation.scratch import choose_policy, make_databases
from service.simulation.trace import TraceError, TraceLine, read, write

FILE = click.Path(exists=True, dir_okay=False)
SEVERAL = {"groups": tuple(GROUPS), "attacks": (*DRAWN_ATTACKS, *ATTACKS)}
MOST_NAMED = 20


@click.command()
@click.argument("trace", type=FILE, required=False)
@click.option("--policy", "policy_path", type=FILE, help="A policy file that overrides the shipped policy.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.option(
    "--scenario",
    "scenarios",
    metavar="NAME",
    multiple=True,
    help="Make traces of this kind (ordinary, range, office, ...), of all `groups` or of all `attacks`.",
)
@click.option(
    "--seed", "seeds", type=int, multiple=True, help="The same seed makes the same trace; 1 if none is given."
)
@click.option(
    "--knob",
    "knobs",
    metavar="NAME=VALUE",
    multiple=True,
    help="A parameter of the scenario, such as people.visits=500.",
)
@click.option(
    "--write", "target", type=click.Path(dir_okay=False, writable=True), help="The file to write the trace to."
)
def simulate(
    trace: str | None,
    policy_path: str | None,
    scenarios: tuple[str, ...],
    seeds: tuple[int, ...],
    knobs: tuple[str, ...],
    target: str | None,
    *,
    as_json: bool,
) -> None:
    """Play a trace of people and attacks, or make one.

    TRACE has one request a line, as JSON; the report says who was suppressed, and by what, and which lines could not be
    read. The countries of its people are allowed, unless the policy file lists countries. With --scenario and --write
    such a trace is made; with --scenario alone, which may be repeated like --seed, each is played, and one line says
    what became of it.
    """
    made = [(name, seed) for name in _list_names(scenarios) for seed in seeds or (1,)]
    if trace is not None and not made:
        _play(trace, policy_path, as_json=as_json)
    elif trace is None and made and target is None:
        _measure(made, _read_knobs(knobs), policy_path, as_json=as_json)
    elif trace is None and len(made) == 1 and target is not None:
        _write(*made[0], knobs, target)
    else:
        raise click.UsageError("Give a TRACE to play, or --scenario, and --write to make one trace.")


def _list_names(names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        yield from SEVERAL.get(name, (name,))


def _measure(made: list[tuple[str, int]], knobs: dict[str, Any], policy_path: str | None, *, as_json: bool) -> None:
    telemetry.configure_logs("ERROR")
    if not as_json:
        click.echo(HEAD)
    with make_databases() as make_database:
        for place, (name, seed) in enumerate(made):
            lines = compose(name, seed, knobs)
            policy = choose_policy(policy_path, lines)
            played, _ = asyncio.run(_run(make_database(f"scenario_{place}"), policy, lines))
            one = measure(name, seed, summarise(played))
            click.echo(msgspec.json.encode(one) if as_json else draw_line(one))


def _write(scenario: str, seed: int, knobs: tuple[str, ...], target: str) -> None:
    count = write(target, compose(scenario, seed, _read_knobs(knobs)))
    click.echo(f"Wrote {count} requests.")


def _read_knobs(knobs: tuple[str, ...]) -> dict[str, Any]:
    read: dict[str, Any] = {}
    for knob in knobs:
        name, equals, value = knob.partition("=")
        if not equals:
            raise click.BadParameter(f"{knob} is not NAME=VALUE.", param_hint="--knob")
        place = read.setdefault("people", {}) if name.startswith("people.") else read
        place[name.removeprefix("people.")] = value
    return read


def _play(path: str, policy_path: str | None, *, as_json: bool) -> None:
    telemetry.configure_logs("ERROR")
    wrong: list[TraceError] = []
    lines = list(read(path, wrong.append))
    # Without a line that can be read it is no trace: the mistake is in the file's name, or in all of it.
    if wrong and not lines:
        raise wrong[0]
    policy = choose_policy(policy_path, lines)
    with make_databases() as make_database:
        played, alarms = asyncio.run(_run(make_database("trace"), policy, lines))
    report = summarise(played, alarms=alarms)
    allow, modes = policy.countries.allow, {name: getattr(policy.rules, name).mode for name in HISTORY.rules}
    if as_json:
        told = {"allow": allow, "modes": modes, "currency": policy.prices.currency, "unreadable": list(map(str, wrong))}
        click.echo(msgspec.json.encode(told | msgspec.to_builtins(report)))
        return
    for line in _list_wrong(wrong):
        click.echo(line)
    click.echo(f"allow: {', '.join(allow) or 'none'}")
    click.echo(f"rules on histories: {', '.join(f'{name} {mode}' for name, mode in modes.items())}")
    prices = policy.prices
    click.echo(f"money: {prices.currency}, by a list of {prices.dated} ({prices.source})\n")
    for alarm in report.alarms:
        click.echo(f"alert after {alarm.t / 3600:.1f} h: {alarm.text}\n")
    click.echo(draw(report, ascii_only="utf" not in (sys.stdout.encoding or "").lower()))


def _list_wrong(wrong: Sequence[TraceError]) -> Iterator[str]:
    if wrong:
        yield f"unreadable, and left out: {len(wrong)}"
        yield from (f"  {error}" for error in wrong[:MOST_NAMED])
        yield from ["  ..."] * (len(wrong) > MOST_NAMED)


async def _run(url: str, policy: Policy, lines: list[TraceLine]) -> tuple[list[Played], list[CountryAlarm]]:
    database = await open_database(url)
    played: list[Played] = []
    player = Player(database, policy)
    try:
        with click.progressbar(
            length=len(lines), label="playing", file=sys.stderr, hidden=not sys.stderr.isatty()
        ) as bar:
            async for play in player.play(lines):
                played.append(play)
                bar.update(1)
    finally:
        await database.aclose()
    return played, player.alarms
