"""The doctor's list: every point in order, and an examination that judges them all.

Called by cli.doctor, and by whatever shows the list on a page. It must never raise for what it finds, nor wait longer
than the limits of what it asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from service.db.engine import Database
from service.errors import GatewayError
from service.operators.doctor import deployment, guide, server
from service.operators.doctor.diagnosis import Diagnosis, Status, Unknown, doubtful, rank, unfit
from service.operators.doctor.gathering import Facts, gather
from service.policy.model import Policies
from service.settings import Settings

Judge = Callable[[Facts], Diagnosis]


class Point(msgspec.Struct, frozen=True):
    """One point as it was found. `guide`: whether it is of the guide's sixteen.

    `accepted`: it would warn, and DOCTOR_ACCEPTED names it. `remedy`: what to do, None where there is nothing.
    """

    name: str
    title: str
    guide: bool
    status: Status
    seen: str
    remedy: str | None = None
    accepted: bool = False


def _judge_settings(facts: Facts) -> Diagnosis:
    return deployment.judge_settings(facts, GUIDE | BEYOND)


GUIDE: dict[str, tuple[str, Judge]] = {
    "phone_limit": ("Limit for each phone number", guide.judge_phone_limit),
    "ip_limit": ("Limit for each address", guide.judge_ip_limit),
    "account_limit": ("Limit for each account", guide.judge_account_limit),
    "volume": ("Alert on the volume of all numbers", guide.judge_volume),
    "destinations": ("Countries of the Verify profile", guide.judge_destinations),
    "captcha": ("Captcha before a verification", guide.judge_captcha),
    "authentication": ("Keys for every call", guide.judge_authentication),
    "pumping": ("Detection of SMS pumping", guide.judge_pumping),
    "code_length": ("Length of codes", guide.judge_code_length),
    "time_limit": ("Time for which a code is valid", guide.judge_time_limit),
    "lockout": ("Lockout after wrong codes", guide.judge_lockout),
    "silence": ("Same reply for every number", guide.judge_silence),
    "webhook_https": ("Webhooks over HTTPS", guide.judge_webhook_https),
    "webhook_source": ("Webhooks from Telnyx's network", guide.judge_webhook_source),
    "server_side": ("Codes checked by Telnyx alone", guide.judge_server_side),
    "monitoring": ("Logging and monitoring", guide.judge_monitoring),
}
BEYOND: dict[str, tuple[str, Judge]] = {
    "telnyx": ("Telnyx's key and Verify profiles", deployment.judge_telnyx),
    "profile": ("All else in the Verify profiles", deployment.judge_profile),
    "signature": ("Signature of webhooks", deployment.judge_signature),
    "webhooks_arrive": ("Arrival of webhooks", deployment.judge_reports),
    "keys": ("Our own keys", deployment.judge_keys),
    "captcha_secret": ("The captcha's secret", deployment.judge_captcha_secret),
    "fingerprint": ("Fingerprint's key", deployment.judge_fingerprint),
    "signals": ("Signals of device events", deployment.judge_signals),
    "territories": ("Countries beside the allowed ones", deployment.judge_territories),
    "prices": ("Price list", deployment.judge_prices),
    "alerts": ("Where alerts go", deployment.judge_alerts),
    "schema": ("Database and schema", server.judge_schema),
    "database_clock": ("The database's clock", server.judge_database_clock),
    "telnyx_clock": ("Telnyx's clock", deployment.judge_telnyx_clock),
    "pooler": ("Time limit of statements", server.judge_pooler),
    "connections": ("Connections of the database", server.judge_connections),
    "locks": ("Locks of the database", server.judge_locks),
    "disk": ("Disk of an embedded database", server.judge_disk),
    "settings": ("Settings", _judge_settings),
}


async def examine(
    settings: Settings,
    policies: Policies,
    database: Database | Unknown,
    names: Sequence[str] = (),
    processes: int = 1,
) -> list[Point]:
    """Gather the facts, then judge every point. `names`: of the environment's variables.

    `processes`: of serve and dispatch, each worker one, that share the database.
    """
    return judge(await gather(settings, policies, database, names, processes))


def judge(facts: Facts) -> list[Point]:
    """Judge every point by facts that were gathered."""
    accepted = frozenset(facts.settings.doctor_accepted)
    return [
        _judge_one(facts, name, title, judge_point, guide=name in GUIDE, accepted=name in accepted)
        for name, (title, judge_point) in (GUIDE | BEYOND).items()
    ]


def refuse(name: str, title: str, error: GatewayError) -> list[Point]:
    """Make the list of one point, without which no other can be judged."""
    found = unfit(str(error), "Correct that, then run doctor again.")
    return [Point(name, title, guide=False, status=found.status, seen=found.seen, remedy=found.remedy)]


def summarise(points: Sequence[Point]) -> Status:
    """Return the worst status of a list."""
    return max((point.status for point in points), key=rank, default="pass")


def _judge_one(facts: Facts, name: str, title: str, judge_point: Judge, *, guide: bool, accepted: bool) -> Point:
    try:
        found = judge_point(facts)
    except Exception as error:  # noqa: BLE001  a defect in one point must not hide all others
        found = doubtful(f"It could not be judged ({type(error).__name__}).", "Report this as a defect.")
    accept = accepted and found.status == "warn"
    return Point(
        name=name, title=title, guide=guide, status="pass" if accept else found.status, seen=found.seen,
        remedy=found.remedy, accepted=accept,
    )  # fmt: skip
