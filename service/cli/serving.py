"""serve and dispatch: the process that answers and sends, and the one that only sends.

Checks settings, policy and schema before anything listens, so that a mistake is reported in a sentence.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import ssl
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from service import telemetry
from service.cli.process.descriptors import most_connections, raise_limit
from service.cli.process.ports import check_free
from service.cli.process.startup import announce
from service.errors import GatewayError
from service.policy.model import Policies
from service.settings import KEEP_ALIVE, Settings, load

if TYPE_CHECKING:
    from litestar.types import ASGIApp

# Seconds that requests which are being answered have after SIGTERM, before app closes what it opened.
SHUTDOWN = 15
# Objects made since the last garbage collection beyond those freed: a few MB at most.
NEW_OBJECTS = 20_000


@click.command()
@click.option("--host", help="Address to listen on. Default: HOST, else 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on. Default: PORT, else 8080.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="How many processes serve.")
@click.option("--ssl-certfile", type=click.Path(exists=True), help="Serve HTTPS with this certificate (and its chain).")
@click.option("--ssl-keyfile", type=click.Path(exists=True), help="The certificate's key, if it is in a separate file.")
def serve(host: str | None, port: int | None, workers: int, ssl_certfile: str | None, ssl_keyfile: str | None) -> None:
    """Answer requests and send codes.

    Settings come from the environment: DATABASE_URL, SECRET_KEY, INDEX_KEY, TELNYX_API_KEY and
    TELNYX_VERIFY_PROFILE_ID are required. The schema must be up to date: see `migrate`.
    """
    import uvicorn  # noqa: PLC0415 (a tenth of a second that other commands should not pay)

    # uvicorn raises SIGTERM again once all is done: a clean stop must not look like death by a signal.
    signal.signal(signal.SIGTERM, _end)
    settings = load(Settings)
    telemetry.configure_logs()
    limit = raise_limit()
    place = (host or settings.host, settings.port if port is None else port)
    _check_certificate(ssl_certfile, ssl_keyfile)
    check_free(*place, "Choose another with --host and --port.")
    policies, schema = asyncio.run(_check(settings))
    with _gather_metrics(workers):
        _expose(settings)
        announce(settings, policies, schema=schema, workers=workers, address=f"{place[0]}:{place[1]}")
        uvicorn.run(
            "service.cli.serving:application",
            factory=True,
            host=place[0],
            port=place[1],
            workers=workers,
            ssl_certfile=ssl_certfile,
            ssl_keyfile=ssl_keyfile,
            **UVICORN
            | {
                "limit_concurrency": most_connections(
                    settings.max_connections, limit, sends=settings.max_sends, pool=settings.database_pool_size
                ),
                "timeout_keep_alive": settings.keep_alive,
            },
        )


UVICORN: dict[str, Any] = {
    "loop": "service.cli.process.loop:Loop",
    "http": "service.api.server.protocol:Protocol",
    "ws": "none",
    "access_log": False,
    "log_config": None,
    "proxy_headers": False,  # only TRUSTED_PROXIES decides who is behind a proxy
    "server_header": False,
    "lifespan": "on",
    # As many as the kernel accepts: if this overflows, a client retries its connection after 1, 3, 7 and 15 s.
    "backlog": 16_384,
    "timeout_graceful_shutdown": SHUTDOWN,
    "timeout_keep_alive": KEEP_ALIVE,
    # On every reply, including those that protocol gives in the app's stead.
    "headers": [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")],
}


def _end(*_: object) -> None:
    raise SystemExit(0)


@click.command()
def dispatch() -> None:
    """Send what is due, without answering requests.

    It needs the same settings as serve. Any number of these processes may run beside it, on one database.
    """
    settings = load(Settings)
    if settings.max_sends == 0:
        raise GatewayError("MAX_SENDS is 0: this process would do nothing. Give it a MAX_SENDS of its own.")
    telemetry.configure_logs()
    raise_limit()
    policies, schema = asyncio.run(_check(settings))
    _expose(settings)
    announce(settings, policies, schema=schema, workers=1, address=None)
    asyncio.run(_dispatch(settings))


def application() -> ASGIApp:
    """Make the app in a worker process; called by uvicorn."""
    from service.app import create_app  # noqa: PLC0415 (in the process that serves, after the checks)

    telemetry.configure_logs()
    return create_app(load(Settings), settle_memory)


def _check_certificate(certfile: str | None, keyfile: str | None) -> None:
    if keyfile and not certfile:
        raise GatewayError("--ssl-keyfile needs --ssl-certfile.")
    try:
        if certfile:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certfile, keyfile, password="")
    except (OSError, ValueError):
        raise GatewayError("The certificate and its key cannot be read, or do not belong together.") from None


def settle_memory() -> None:
    """Exempt everything made at the start from garbage collection: walking it would stop the process for 0.15 s.

    Also collect new garbage less often than Python would by default: that took a tenth of all CPU time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, 20, 20)


@contextlib.contextmanager
def _gather_metrics(workers: int) -> Iterator[None]:
    """Give several workers a folder for their metrics, for as long as they run."""
    if workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="verify-gateway-metrics-", ignore_cleanup_errors=True) as folder:
        os.environ[telemetry.FOLDER] = folder
        yield


async def _check(settings: Settings) -> tuple[Policies, str]:
    from service.db import pooler as pooling  # noqa: PLC0415 (alembic and asyncpg, for these commands alone)
    from service.db.engine import open_database  # noqa: PLC0415
    from service.db.schema import migrate  # noqa: PLC0415 (alembic and asyncpg, for these commands alone)
    from service.fraud.gathering.captchas import check_provider  # noqa: PLC0415
    from service.policy import loading  # noqa: PLC0415

    policies = loading.load(settings.policy_file)
    check_provider(policies, configured=settings.captcha_provider is not None)
    database = await open_database(settings.database_url, pooler=settings.database_pooler)
    try:
        revision = await migrate.check(database)
        if (advice := await pooling.advise(database, settings.database_pooler)) is not None:
            telemetry.log.warning("statement_timeout", advice=advice)
        return policies, revision
    finally:
        await database.aclose()


async def _dispatch(settings: Settings) -> None:
    from service.app import open_gateway  # noqa: PLC0415 (as above)

    stopped = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    async with open_gateway(settings):
        settle_memory()
        telemetry.log.info("dispatching")
        await stopped.wait()


def _expose(settings: Settings) -> None:
    if settings.metrics_port is None:
        return
    from prometheus_client import start_http_server  # noqa: PLC0415 (only where it is asked for)

    try:
        start_http_server(settings.metrics_port, addr="127.0.0.1", registry=telemetry.registry())
    except OSError as error:
        raise GatewayError(f"METRICS_PORT {settings.metrics_port} cannot be listened on ({error.strerror}).") from None
