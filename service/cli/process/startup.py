"""What a process does before it works: check its settings, log what it is, and warn of each unsafe setting.

Called by serving, once for all workers, and by dispatching. Never logs a secret value.
"""

from __future__ import annotations

import gc
import os
from importlib.metadata import version

from prometheus_client import start_http_server

from service import telemetry, tracing
from service.db import pooler as pooling
from service.db.engine import open_database
from service.db.schema import migrate
from service.errors import GatewayError
from service.fraud.gathering.captchas import check_provider
from service.operators.doctor.safety import find_unknown, find_unsafe
from service.operators.known_keys import note_keys
from service.policy import loading
from service.policy.model import Policies
from service.policy.neighbours import find_neighbours
from service.settings import Settings

METRICS_HOST = "127.0.0.1"
LOCAL = {"localhost": METRICS_HOST}
EVERYWHERE = {"0.0.0.0", "::", ""}  # noqa: S104 (compared with, not bound to)


async def check(settings: Settings) -> tuple[Policies, str]:
    """Read the policy and ask the database for its schema: return both. Raises GatewayError where one is unfit."""
    tracing.check()
    policies = loading.load(settings.policy_file)
    check_provider(policies, configured=settings.captcha_provider is not None)
    database = await open_database(settings.database_url, pooler=settings.database_pooler)
    try:
        revision = await migrate.check(database)
        if (advice := await pooling.advise(database, settings.database_pooler)) is not None:
            telemetry.log.warning("statement_timeout", advice=advice)
        for wrong in await note_keys(database.pool, settings):
            telemetry.log.warning("wrong_key", setting=wrong.setting, risk=wrong.risk, remedy=wrong.remedy)
        return policies, revision
    finally:
        await database.aclose()


def check_ports(settings: Settings, host: str, port: int) -> None:
    """Raise GatewayError where the calls and the metrics would be answered on one and the same port."""
    hosts = {LOCAL.get(one, one) for one in (host, settings.metrics_host or METRICS_HOST)}
    if settings.metrics_port == port and (len(hosts) == 1 or hosts & EVERYWHERE):
        raise GatewayError(f"METRICS_PORT and PORT are both {port}: /metrics needs a port of its own.")


def expose_metrics(settings: Settings) -> None:
    """Serve the metrics of all workers on METRICS_PORT, where it is set. Raises GatewayError."""
    if settings.metrics_port is None:
        return
    host = settings.metrics_host or METRICS_HOST
    try:
        start_http_server(settings.metrics_port, addr=host, registry=telemetry.registry())
    except OSError as error:
        raise GatewayError(f"METRICS_PORT {settings.metrics_port} cannot be listened on ({error.strerror}).") from None


def settle_memory() -> None:
    """Exempt everything made at the start from garbage collection: walking it would stop the process for 0.15 s."""
    gc.collect()
    gc.freeze()


def announce(settings: Settings, policies: Policies, *, schema: str, workers: int, address: str | None) -> None:
    """Log the line and the warnings. `address`: where the process listens, None if it does not."""
    telemetry.log.info(
        "starting", version=version("verify-gateway"), address=address, schema=schema, workers=workers,
        policy=policies.default.version,
    )  # fmt: skip
    for unsafe in find_unsafe(settings):
        telemetry.log.warning("unsafe", setting=unsafe.setting, risk=unsafe.risk, remedy=unsafe.remedy)
    for named in policies.renamed:
        telemetry.log.warning("renamed_setting", setting=named.old, line=named.line, remedy=named.remedy)
    for neighbours in find_neighbours(policies):
        telemetry.log.warning(
            "countries_not_allowed", client=neighbours.client, calling_code=f"+{neighbours.code}",
            allowed=neighbours.allowed, not_allowed=neighbours.not_allowed,
            remedy="Add those whose people you verify to countries.allow: each is a country of its own.",
        )  # fmt: skip
    for name in find_unknown(os.environ):
        telemetry.log.warning(
            "unknown_setting",
            setting=name,
            remedy="Correct or remove it: there is no setting of this name.",
        )
