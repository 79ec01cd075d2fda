"""serve: the process that answers and sends.

Checks settings, policy and schema before anything listens, so that a mistake is reported in a sentence.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
import tempfile
from collections.abc import Iterator
from typing import Any

import click
import uvicorn

from service import telemetry
from service.cli.process.descriptors import most_connections, raise_limit
from service.cli.process.ports import check_free
from service.cli.process.startup import announce, check, check_ports, expose_metrics
from service.errors import GatewayError
from service.settings import KEEP_ALIVE, Settings, load

# Seconds that requests which are being answered have after SIGTERM, before app closes what it opened.
SHUTDOWN = 15


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
    # uvicorn raises SIGTERM again once all is done: a clean stop must not look like death by a signal.
    signal.signal(signal.SIGTERM, _end)
    settings = load(Settings)
    telemetry.configure_logs()
    limit = raise_limit()
    place = (host or settings.host, settings.port if port is None else port)
    _check_certificate(ssl_certfile, ssl_keyfile)
    check_ports(settings, *place)
    check_free(*place, "Choose another with --host and --port.")
    policies, schema = asyncio.run(check(settings))
    with _gather_metrics(workers):
        expose_metrics(settings)
        announce(settings, policies, schema=schema, workers=workers, address=f"{place[0]}:{place[1]}")
        uvicorn.run(
            "service.cli.process.application:create",
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


def _check_certificate(certfile: str | None, keyfile: str | None) -> None:
    if keyfile and not certfile:
        raise GatewayError("--ssl-keyfile needs --ssl-certfile.")
    try:
        if certfile:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certfile, keyfile, password="")
    except (OSError, ValueError):
        raise GatewayError("The certificate and its key cannot be read, or do not belong together.") from None


@contextlib.contextmanager
def _gather_metrics(workers: int) -> Iterator[None]:
    """Give several workers a folder for their metrics, for as long as they run."""
    if workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="verify-gateway-metrics-", ignore_cleanup_errors=True) as folder:
        os.environ[telemetry.FOLDER] = folder
        yield
