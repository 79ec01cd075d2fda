"""What stands around the service is examined as well: its database, the pooler, the disk, the clocks, Telnyx's URL."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import msgspec
import pytest
from sqlalchemy.engine import make_url

from service.operators.doctor import gathering
from service.operators.doctor.diagnosis import Status
from service.operators.doctor.examination import judge
from service.policy import loading
from service.settings import Settings, load
from tests.conftest import command
from tests.support.doctor import Deployment, found
from tests.support.raw_http import RawRequest, serve_raw, write_reply


async def test_a_database_that_is_too_small_for_the_processes_is_named(deployment: Deployment) -> None:
    few, many = await deployment.examine(processes=2), await deployment.examine(processes=900)
    assert (few["connections"].status, few["locks"].status) == ("pass", "pass")
    assert (many["connections"].status, many["locks"].status) == ("fail", "warn")
    assert "900 processes may open 15,300 connections" in many["connections"].seen.replace("15300", "15,300")
    assert re.search(r"Set max_locks_per_transaction = \d+ and restart", many["locks"].remedy or "")


async def test_behind_a_pooler_the_role_needs_a_time_limit(deployment: Deployment, database_url: str) -> None:
    # Through a pooler nothing is set for a session, so what the role has applies.
    given = {"DATABASE_URL": database_url, "DATABASE_POOLER": "transaction"}
    lax = await find_point(deployment, "pooler", **given)
    assert (lax["status"], lax["seen"]) == ("fail", "Behind the pooler no statement has a time limit of 2 s.")
    assert "SET statement_timeout = '2s'" in lax["remedy"]
    await command(database_url, f"alter database {name_of(database_url)} set statement_timeout = '2s'")
    assert (await find_point(deployment, "pooler", **given))["status"] == "pass"


async def test_a_database_whose_clock_is_wrong_is_named(deployment: Deployment, database_url: str) -> None:
    ahead = "$$ select pg_catalog.clock_timestamp() + interval '20 seconds' $$"
    await command(database_url, "create schema wrong")
    made = "create function wrong.clock_timestamp() returns timestamptz language sql as"
    await command(database_url, f"{made} {ahead}")
    await command(database_url, f"alter database {name_of(database_url)} set search_path = wrong, pg_catalog, public")
    point = await find_point(deployment, "database_clock", DATABASE_URL=database_url)
    assert point["status"] == "warn"
    assert re.match(r"The database's clock is (19|20|21)\.\d s ahead of", point["seen"])


async def find_point(deployment: Deployment, name: str, **more: str) -> dict[str, str]:
    """Run the command, and return one point of its list."""
    done = json.loads((await deployment.run("doctor", "--json", **more)).out)
    [point] = [point for point in done["points"] if point["name"] == name]
    return dict(point)


def name_of(url: str) -> str:
    return str(make_url(url).database)


@pytest.mark.parametrize(
    ("date", "status"), [("date: Sat, 01 Jan 2022 00:00:00 GMT", "fail"), ("date: yesterday", "warn"), ("x: y", "warn")]
)
async def test_a_telnyx_whose_clock_is_wrong_or_not_told_is_named(
    deployment: Deployment, date: str, status: Status
) -> None:
    async def answer(_: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(write_reply(200, json.dumps({"data": deployment.profile}).encode(), date))

    async with serve_raw(answer) as server:
        deployment.environment["TELNYX_BASE_URL"] = f"{server.url}/v2"
        points = await deployment.examine()
    assert found(points) == {"telnyx_clock": status}


async def test_a_refusal_of_telnyxs_tells_its_clock_as_well(deployment: Deployment) -> None:
    async def refuse(_: RawRequest, writer: asyncio.StreamWriter) -> None:
        writer.write(write_reply(401, b"{}", "date: Sat, 01 Jan 2022 00:00:00 GMT"))

    async with serve_raw(refuse) as server:
        deployment.environment["TELNYX_BASE_URL"] = f"{server.url}/v2"
        points = await deployment.examine()
    assert points["telnyx"].status == "fail"
    assert (points["telnyx_clock"].status, "behind this machine's" in points["telnyx_clock"].seen) == ("fail", True)


async def test_the_disk_of_an_embedded_database_is_measured(deployment: Deployment, tmp_path: Path) -> None:
    settings = load(Settings, **{name.lower(): value for name, value in deployment.environment.items()})
    embedded = settings.model_copy(update={"database_url": f"embedded:{tmp_path}/not/yet/made"})
    facts = await gathering.gather(embedded, loading.load(deployment.policy), deployment.database, [], 1)
    assert isinstance(facts.free, int)
    for free, status in ((10**8, "fail"), (3 * 10**9, "warn"), (10**11, "pass")):
        points = {point.name: point for point in judge(msgspec.structs.replace(facts, free=free))}
        assert (points["disk"].status, "GB free" in points["disk"].seen) == (status, True)


async def test_a_base_url_that_is_not_telnyxs_is_named(deployment: Deployment) -> None:
    settings = load(Settings, **{name.lower(): value for name, value in deployment.environment.items()})
    facts = await gathering.gather(settings, loading.load(deployment.policy), deployment.database, [], 1)
    for url, status in (
        ("https://api.telnyx.com/v2", "pass"),
        ("https://api.telnyx.com.example/v2", "warn"),
        ("https://nottelnyx.com/v2", "warn"),
    ):
        named = load(Settings, **{n.lower(): v for n, v in (deployment.environment | {"TELNYX_BASE_URL": url}).items()})
        points = {point.name: point for point in judge(msgspec.structs.replace(facts, settings=named))}
        assert points["server_side"].status == status, url
