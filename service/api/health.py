"""Whether the process answers, whether it can serve requests, and the metrics for those who watch it.

Routed by app. Says nothing of traffic without a key for the metrics, or an operator's.
"""

from __future__ import annotations

from typing import Any

from litestar import HttpMethod, Request, Response, get, route
from litestar.connection import ASGIConnection
from litestar.exceptions import NotFoundException
from litestar.handlers import BaseRouteHandler
from prometheus_client import CONTENT_TYPE_LATEST

from service import telemetry
from service.api.access.auth import needs_metrics
from service.api.openapi.document import ApiCall
from service.api.schemas.product import Health
from service.api.services import services_of
from service.db.schema import migrate
from service.errors import Unavailable

PROBED = [HttpMethod.GET, HttpMethod.HEAD]


@route(
    "/healthz",
    http_method=PROBED,
    operation_id="readHealth",
    summary="Check that the process answers",
    description="Looks at nothing beyond the process itself: restart it when this fails.",
    tags=["Health"],
    call=ApiCall(means="The process answers.", gives=Health, problems=()),
)
async def read_health() -> Health:
    """Answer without looking at anything."""
    # Not at the database either: while that is away, an orchestrator would restart every process again and again.
    return Health()


@route(
    "/readyz",
    http_method=PROBED,
    operation_id="readReadiness",
    summary="Check that requests can be served",
    description="Send it no requests while this fails.",
    tags=["Health"],
    call=ApiCall(means="Requests can be served.", gives=Health),
)
async def read_readiness(request: Request[Any, Any, Any]) -> Health:
    """Answer if the database does, and has the right schema."""
    try:
        await migrate.check(services_of(request).database)
    # Whatever it is: a probe that gets a 500 would be logged as a defect, each few seconds.
    except Exception as error:
        reason = "the database does not answer, or its schema is too old"
        raise Unavailable(reason) from error
    return Health()


async def needs_metrics_here(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Hide the metrics where they have a port of their own. Raises NotFoundException."""
    if not services_of(connection).metrics_here:
        # As if there were none: a 401 would tell strangers that metrics are here to be tried.
        raise NotFoundException


@get("/metrics", guards=[needs_metrics_here, needs_metrics])
async def read_metrics() -> Response[bytes]:
    """Return the metrics."""
    return Response(telemetry.render_metrics(), media_type=CONTENT_TYPE_LATEST)
