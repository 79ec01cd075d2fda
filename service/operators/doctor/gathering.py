"""What the doctor has to know before it judges: what Telnyx, the database and the disk say, each within a time limit.

Called by operators.doctor.examination. It must never raise for what it asks, nor wait longer than its limit: what
cannot be learnt is `Unknown`, with the reason.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from service.db import pooler
from service.db.engine import EMBEDDED, Database
from service.db.schema import migrate
from service.errors import GatewayError
from service.operators.device_signals import list_absent
from service.operators.doctor.diagnosis import Unknown
from service.operators.doctor.vendor_secrets import SecretAnswer, ask_captcha, ask_fingerprint
from service.operators.known_keys import WrongKey, find_wrong_keys
from service.operators.reports.observations import Observation, Observations
from service.operators.verify_profiles import ProfileReview, ProfileUser, list_profiles, review
from service.policy.model import Policies
from service.providers.telnyx.profiles import ProfileError, VerifyProfiles
from service.settings import Settings

T = TypeVar("T")

# Seconds for each thing that is asked.
LIMIT = 15.0
# Seconds for the import of a vendor's package: two of them, and many more on a busy machine.
IMPORT_LIMIT = 60.0

SERVER = """
select clock_timestamp() as now, current_setting('max_connections')::int as max_connections,
       current_setting('max_locks_per_transaction')::int as max_locks,
       current_setting('max_prepared_transactions')::int as max_prepared,
       current_setting('superuser_reserved_connections')::int
       + coalesce(current_setting('reserved_connections', true)::int, 0) as reserved
"""
LIVE_KEYS = """
select c.name, c.test, k.scope from api_keys k join clients c on c.id = k.client_id
where k.revoked_at is null and (k.ends_at is null or k.ends_at > clock_timestamp())
"""
# The sends of a day and the busiest minute of a week are read from the minutes that the alerts count: a few thousand
# rows, where the sends themselves may be millions. Webhooks are kept for a day.
TRAFFIC = """
select coalesce(max(sends), 0) as busiest,
       coalesce(sum(sends) filter (where minute > clock_timestamp() - interval '1 day'), 0) as day,
       exists (select from webhook_events) as reported
from traffic where minute > clock_timestamp() - interval '7 days'
"""


class ToldProfile(msgspec.Struct, frozen=True):
    """One profile held against our settings, with all that Telnyx told of it. `ahead`: Telnyx's clock less ours, s."""

    review: ProfileReview
    fields: Mapping[str, Any]
    ahead: float | None


class RefusedProfile(Unknown, frozen=True):
    """One profile that Telnyx did not tell, though it replied: a refusal tells its clock too. `ahead`: as above."""

    ahead: float | None


class ServerFacts(msgspec.Struct, frozen=True):
    """The database server's own settings. `ahead`: its clock less ours, s."""

    ahead: float
    max_connections: int
    reserved: int
    locks: int


class LiveKey(msgspec.Struct, frozen=True):
    """A key in force: whose it is, and what it opens."""

    client: str
    test: bool
    scope: str


class TrafficFacts(msgspec.Struct, frozen=True):
    """Sends in the busiest minute of a week and on the last day, and whether any webhook came on that day."""

    busiest: int
    day: int
    reported: bool


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that the points are judged by. `processes`: of serve and dispatch, each worker one, that share the database.

    `advice`: what the role behind a pooler has to be given, None for nothing. `free`: bytes on an embedded database's
    disk, None where it is not embedded.
    """

    settings: Settings
    policies: Policies
    names: Sequence[str]
    processes: int
    profiles: Mapping[str, ToldProfile | Unknown]
    server: ServerFacts | Unknown
    schema: str | Unknown
    advice: str | Unknown | None
    keys: list[LiveKey] | Unknown
    wrong_keys: list[WrongKey] | Unknown
    traffic: TrafficFacts | Unknown
    absent: Mapping[str, list[str]] | Unknown
    observations: list[Observation] | Unknown
    free: int | Unknown | None
    fingerprint: SecretAnswer | Unknown | None
    captcha: SecretAnswer | Unknown | None


async def gather(
    settings: Settings, policies: Policies, database: Database | Unknown, names: Sequence[str], processes: int
) -> Facts:
    """Ask for everything at once. `names`: of the environment's variables."""
    (
        profiles,
        server,
        schema,
        advice,
        keys,
        wrong_keys,
        traffic,
        absent,
        observations,
        free,
        fingerprint,
        captcha,
    ) = await asyncio.gather(
        _read_profiles(settings, policies),
        _ask(database, _read_server),
        _ask(database, migrate.check),
        _ask(database, lambda opened: pooler.advise(opened, settings.database_pooler)),
        _ask(database, _list_keys),
        _ask(database, lambda opened: find_wrong_keys(opened.operator_pool, settings)),
        _ask(database, _read_traffic),
        _ask(database, lambda opened: list_absent(opened.operator_pool)),
        _ask(database, lambda opened: Observations(opened, policies).list()),
        _within(_read_free(settings.database_url)),
        _within(ask_fingerprint(settings), IMPORT_LIMIT),
        _within(ask_captcha(settings)),
    )
    return Facts(
        settings=settings, policies=policies, names=names, processes=processes, profiles=profiles, server=server,
        schema=schema, advice=advice, keys=keys, wrong_keys=wrong_keys, traffic=traffic,
        absent=absent, observations=observations, free=free, fingerprint=fingerprint, captcha=captcha,
    )  # fmt: skip


async def _within(asked: Awaitable[T], limit: float | None = None) -> T | Unknown:
    limit = limit or LIMIT
    try:
        async with asyncio.timeout(limit):
            return await asked
    except TimeoutError:
        return Unknown(f"no answer within {limit:g} s.")
    except GatewayError as error:
        return Unknown(str(error))
    except Exception as error:  # noqa: BLE001  one question that cannot be asked must not hide all other answers
        return Unknown(f"it could not be asked ({type(error).__name__}).")


async def _ask(database: Database | Unknown, ask: Any) -> Any:
    return database if isinstance(database, Unknown) else await _within(ask(database))


async def _read_profiles(settings: Settings, policies: Policies) -> dict[str, ToldProfile | Unknown]:
    profiles = VerifyProfiles(settings.telnyx_api_key, str(settings.telnyx_base_url))
    named = list_profiles(settings.telnyx_verify_profile_id, policies)
    try:
        if isinstance(failed := await _within(profiles.start(), IMPORT_LIMIT), Unknown):
            return dict.fromkeys(named, failed)
        told = await asyncio.gather(*(_within(_read_profile(settings, profiles, *one)) for one in named.items()))
    finally:
        await profiles.aclose()
    return dict(zip(named, told, strict=True))


async def _read_profile(
    settings: Settings, profiles: VerifyProfiles, profile_id: str, users: Sequence[ProfileUser]
) -> ToldProfile | RefusedProfile:
    try:
        told = await profiles.read(profile_id)
    except ProfileError as error:
        return RefusedProfile(str(error), _measure_ahead(error.told_at))
    return ToldProfile(review(profile_id, users, settings, told.fields), told.fields, _measure_ahead(told.told_at))


def _measure_ahead(told_at: datetime | None) -> float | None:
    # Telnyx's clock is told in whole seconds: half of one is missing on average.
    return (told_at - datetime.now(UTC)).total_seconds() + 0.5 if told_at else None


async def _read_server(database: Database) -> ServerFacts:
    await database.operator_pool.fetchval("select 1")  # the time to connect would count as the clock's
    begun = time.time()
    [row] = await database.operator_pool.fetch(SERVER)
    middle = (begun + time.time()) / 2
    return ServerFacts(
        ahead=row["now"].timestamp() - middle,
        max_connections=row["max_connections"],
        reserved=row["reserved"],
        locks=row["max_locks"] * (row["max_connections"] + row["max_prepared"]),
    )


async def _list_keys(database: Database) -> list[LiveKey]:
    return [LiveKey(*row) for row in await database.operator_pool.fetch(LIVE_KEYS)]


async def _read_traffic(database: Database) -> TrafficFacts:
    [row] = await database.operator_pool.fetch(TRAFFIC)
    return TrafficFacts(row["busiest"], int(row["day"]), row["reported"])


async def _read_free(url: str) -> int | None:
    if not url.startswith(EMBEDDED):
        return None
    return await asyncio.to_thread(_measure_free, Path(url.removeprefix(EMBEDDED)))


def _measure_free(folder: Path) -> int:
    whole = folder.resolve()
    existing = next(place for place in (whole, *whole.parents) if place.exists())
    return shutil.disk_usage(existing).free
