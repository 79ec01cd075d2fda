"""A trace is played through the real gateway: pumping is suppressed, people are not, and a replay says the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from service.db.engine import Database, open_database
from service.db.schema import migrate
from service.errors import PolicyError
from service.policy.model import Policy
from service.simulation.player import Player
from service.simulation.report import Played, Report, summarise
from service.simulation.scratch import choose_policy
from service.simulation.trace import TraceDevice, TraceLine, write
from tests.support.commands import run, run_inside


def make_device(name: str, address: str, **changes: Any) -> TraceDevice:
    device = TraceDevice(visitor_id=f"visitor {name}", event_id=f"event {name}", ip_address=address)
    return msgspec.structs.replace(device, **changes)


def make_person(place: int, **changes: Any) -> TraceLine:
    address = f"198.51.100.{place}"
    fields: dict[str, Any] = {
        "t": place * 90.0,
        "phone_number": f"+1{('212', '310', '312', '713')[place % 4]}{200 + 37 * place}{1000 + 331 * place:04}",
        "ip_address": address,
        "account_id": f"person {place}",
        "device": make_device(f"person {place}", address),
        "verifies": True,
        "wrong_codes": place % 2,
    }
    return TraceLine(**{**fields, **changes})


def make_pump(place: int) -> TraceLine:
    address = f"203.0.113.{place}"
    return TraceLine(
        t=600.0 + place * 20.0,
        label="attack:sequential",
        phone_number=f"+1415555{2000 + place:04}",
        ip_address=address,
        account_id=f"pump {place}",
        device=make_device(f"pump {place}", address),
        verifies=False,
    )


PEOPLE = [make_person(place) for place in range(20)]
PUMPED = [*PEOPLE, *(make_pump(place) for place in range(40))]


async def play(database: Database, lines: Sequence[TraceLine], policy: Policy | None = None) -> list[Played]:
    chosen = policy or choose_policy(None, lines)
    return [played async for played in Player(database, chosen).play(lines)]


async def report(database: Database, lines: Sequence[TraceLine], policy: Policy | None = None) -> Report:
    return summarise(await play(database, lines, policy))


async def test_a_limit_that_refuses_in_silence_is_a_limit_and_no_rule(database: Database) -> None:
    one = [
        make_person(n, verifies=False, device=make_device(f"event {n}", f"198.51.100.{n}", visitor_id="v"))
        for n in range(8)
    ]
    people = (await report(database, one)).people
    assert people
    assert (people.sent, people.refused, people.suppressed, people.by_rule) == (5, 3, 0, {"device": 3})


async def test_sequential_pumping_is_suppressed_and_no_person_is(database: Database) -> None:
    said = await report(database, PUMPED)
    assert said.attacks
    assert said.people
    assert (said.attacks.stopped or 0) >= 0.8
    assert {"sequential", "block"} <= said.attacks.by_rule.keys()
    assert said.people.sent == len(PEOPLE)
    assert said.people.errors == said.attacks.errors == 0


async def test_people_who_enter_their_codes_are_not_suppressed(database: Database) -> None:
    """The same numbers as the pump's: codes that are typed when the trace says so speak for them."""
    read = [msgspec.structs.replace(make_pump(place), verifies=True, verify_after=10.0) for place in range(40)]
    said = await report(database, [*PEOPLE, *read])
    assert said.attacks
    assert said.attacks.sent == 40


async def test_the_gateway_never_sees_a_label(database: Database) -> None:
    said = await report(database, [msgspec.structs.replace(line, label="person") for line in PUMPED])
    assert said.people
    assert said.people.suppressed >= 32


async def test_a_trace_is_played_alike_every_time(database: Database, empty_database_url: str) -> None:
    await asyncio.to_thread(migrate.upgrade, empty_database_url)
    other = await open_database(empty_database_url)
    try:
        assert await play(database, PUMPED) == await play(other, PUMPED)
    finally:
        await other.aclose()


async def test_an_event_that_stands_thrice_is_one_event(database: Database) -> None:
    first, *others = PEOPLE[:3]
    stolen = [make_device("thief", str(other.ip_address), event_id="event person 0") for other in others]
    lines = [msgspec.structs.replace(line, device=device) for line, device in zip(others, stolen, strict=True)]
    (_, taken), (_, second), (_, thief) = await play(database, [first, *lines])
    assert (taken.result, second.result) == ("sent", "sent")
    assert (thief.result, thief.rules) == ("suppressed", ("event_bound",))


async def test_limits_and_lockouts_take_their_time_from_the_trace(database: Database) -> None:
    """Three requests in ten minutes; ten wrong codes a day; both are over when their time has passed."""
    asked = [make_person(1, t=t, verifies=False, wrong_codes=w, device=None) for t, w in TIMES]
    assert [outcome.result for _, outcome in await play(database, asked)] == RESULTS


TIMES = [(0, 5), (60, 5), (120, 0), (90_000, 0), (90_060, 0), (90_120, 0), (90_180, 0), (90_700, 0)]
RESULTS = ["sent", "sent", "refused", "sent", "sent", "sent", "refused", "sent"]


async def test_what_api_would_refuse_is_an_error_and_counts_for_nobody(database: Database) -> None:
    wrong: list[dict[str, object]] = [
        {"phone_number": "+1"},
        {"phone_number": "+1" + " " * 70 + "2125550142"},
        {"ip_address": "nowhere"},
        {"ip_address": None},
        {"account_id": "\u200b"},
        {"account_id": "a" * 129},
        {"device": make_device("x" * 129, "198.51.100.1")},
    ]
    lines = [make_person(1, **fields) for fields in wrong]
    assert {outcome.result for _, outcome in await play(database, lines)} == {"error"}


@pytest.mark.parametrize(
    ("own", "fields", "result"),
    [
        ("ip_required = false", {"ip_address": None}, "sent"),
        ("ip_required = false", {"ip_address": None, "account_id": None}, "error"),
        ("captcha_required = true", {}, "sent"),
    ],
)
async def test_a_line_needs_the_fields_that_the_policys_clients_need_but_for_the_captcha(
    database: Database, tmp_path: Path, own: str, fields: dict[str, object], result: str
) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(f"[client]\n{own}\n")
    line = make_person(1, **fields)
    assert [outcome.result for _, outcome in await play(database, [line], choose_policy(str(file), [line]))] == [result]


def test_the_policy_allows_the_countries_of_people_unless_a_file_says_otherwise(tmp_path: Path) -> None:
    own = tmp_path / "policy.toml"
    own.write_text('[countries]\nallow = ["DE"]\n')
    assert choose_policy(None, PUMPED).countries.allow == ["US"]
    assert choose_policy(str(own), PUMPED).countries.allow == ["DE"]
    with pytest.raises(PolicyError):
        choose_policy(str(tmp_path / "none.toml"), PUMPED)


async def test_the_command_brings_its_own_database_and_prints_the_report(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    write(trace, PUMPED[:4])
    done = await run("simulate", str(trace), "--json")
    assert (done.code, done.err) == (0, "")
    said = json.loads(done.out)
    assert said["people"]["sent"] == 4
    assert said["allow"] == ["US"]
    assert said["modes"]["range"] == "enforce"


async def test_the_command_counts_lines_that_it_cannot_read_names_them_and_plays_the_others(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    write(trace, PUMPED[:2])
    known = trace.read_text()
    trace.write_text('{"t": 1, "phone_number": "+13125550100", "channel": "pigeon"}\n' + known + '{"t": 9}\nno line\n')
    done = await run("simulate", str(trace))
    assert (done.code, done.err) == (0, "")
    first, *lines = done.out.splitlines()
    assert first == "unreadable, and left out: 3"
    assert lines[0].startswith("  line 1 of the trace: Invalid enum value 'pigeon'")
    assert lines[1].startswith("  line 4 of the trace: Object missing required field `phone_number`")
    assert lines[2].startswith("  line 5 of the trace: ")
    assert "sent 2, refused" in done.out
    trace.write_text("no line\n" * 2)
    assert (await run("simulate", str(trace))).sentence().startswith("line 1 of the trace: ")


async def test_the_command_makes_a_trace(tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    words = ["--scenario", "ordinary", "--seed", "3", "--knob", "people.visits=10", "--write", str(trace)]
    done = await run_inside("simulate", *words)
    assert done.out == f"Wrote {len(trace.read_text().splitlines())} requests.\n"


async def test_the_command_plays_a_scenario_and_says_a_line_of_it() -> None:
    small = ["--knob", "people.visits=5", "--knob", "people.families=0", "--knob", "people.offices=0"]
    done = await run("simulate", "--scenario", "school_class", *small, "--json")
    assert (done.code, done.err) == (0, "")
    said = json.loads(done.out)
    assert (said["scenario"], said["seed"], said["attack_stopped"]) == ("school_class", 1, None)
    assert 0 <= said["group_by_limits"] < 1


async def test_a_failed_delivery_is_reported_to_the_gateway(database: Database) -> None:
    await play(database, [make_person(1, delivered=False, verifies=False), make_person(2)])
    told = await database.pool.fetch("select delivery from sends order by ended_at")
    assert [row["delivery"] for row in told] == ["failed", "delivered"]


async def test_the_command_says_what_it_needs() -> None:
    for words in (
        [],
        ["--scenario", "ordinary", "--scenario", "range", "--write", "x"],
        ["--scenario", "none", "--write", "x"],
        ["--policy", "none"],
    ):
        done = await run_inside("simulate", *words)
        assert done.code in (1, 2), words
        assert "Traceback" not in done.err
