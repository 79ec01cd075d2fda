"""serve and dispatch: the process that answers and sends, and the one that only sends.

Checks settings, policy and schema before anything listens, so that what is wrong is said in a sentence.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from typing import TYPE_CHECKING, Any

import click

from service import telemetry
from service.errors import GatewayError
from service.settings import Settings, load

if TYPE_CHECKING:
    from litestar.types import ASGIApp

# A request that is being answered, then the sends that run: what SIGTERM waits for at most, in seconds.
SHUTDOWN = 15


@click.command()
@click.option("--host", help="Address to listen on; else HOST, else 127.0.0.1.")
@click.option("--port", type=int, help="Port to listen on; else PORT, else 8080.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes.")
@click.option("--ssl-certfile", type=click.Path(exists=True), help="Serve HTTPS with this certificate.")
@click.option("--ssl-keyfile", type=click.Path(exists=True), help="And this key.")
def serve(host: str | None, port: int | None, workers: int, ssl_certfile: str | None, ssl_keyfile: str | None) -> None:
    """Answer requests and send."""
    import uvicorn  # noqa: PLC0415 (a tenth of a second that other commands should not pay)

    settings = load(Settings)
    telemetry.configure_logs()
    asyncio.run(_check(settings))
    if workers > 1:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="verify-gateway-metrics-")
    _expose(settings)
    uvicorn.run(
        "service.cli.serving:application",
        factory=True,
        host=host or settings.host,
        port=settings.port if port is None else port,
        workers=workers,
        ssl_certfile=ssl_certfile,
        ssl_keyfile=ssl_keyfile,
        **UVICORN,
    )


UVICORN: dict[str, Any] = {
    "loop": "uvloop",
    "http": "service.api.protocol:Protocol",
    "ws": "none",
    "access_log": False,
    "log_config": None,
    "proxy_headers": False,  # who is behind a proxy is decided by TRUSTED_PROXIES alone
    "server_header": False,
    "lifespan": "on",
    "timeout_graceful_shutdown": SHUTDOWN,
    "timeout_keep_alive": 75,
}


@click.command()
def dispatch() -> None:
    """Send what is due, and answer nothing."""
    settings = load(Settings)
    telemetry.configure_logs()
    _expose(settings)
    asyncio.run(_dispatch(settings))


def application() -> ASGIApp:
    """Make the app in a worker process; called by uvicorn."""
    from service.app import create_app  # noqa: PLC0415 (in the process that serves, after the checks)

    telemetry.configure_logs()
    return create_app(load(Settings))


async def _check(settings: Settings) -> None:
    from service.db import migrate  # noqa: PLC0415 (alembic and asyncpg, for these commands alone)
    from service.db.engine import open_database  # noqa: PLC0415
    from service.fraud import policy_file  # noqa: PLC0415

    policy_file.load(settings.policy_file)
    database = await open_database(settings.database_url, pooler=settings.database_pooler)
    try:
        await migrate.check(database)
    finally:
        await database.aclose()


async def _dispatch(settings: Settings) -> None:
    from service.app import open_house  # noqa: PLC0415 (as above)

    stopped = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    async with open_house(settings):
        telemetry.log.info("dispatching")
        await stopped.wait()


def _expose(settings: Settings) -> None:
    if settings.metrics_port is None:
        return
    from prometheus_client import start_http_server  # noqa: PLC0415 (only where it is asked for)

    try:
        start_http_server(settings.metrics_port, addr="127.0.0.1", registry=telemetry.registry())
    except OSError as error:
        raise GatewayError(f"METRICS_PORT {settings.metrics_port} cannot be listened on.") from error
