"""OPTIONS for paths with several handlers: Litestar's own reply would list the methods of only one of them.

Called by the modules that route such paths; it must come before their other handlers.
"""

from __future__ import annotations

from litestar import HttpMethod, Response
from litestar.handlers import HTTPRouteHandler


def list_methods(path: str, *methods: str) -> HTTPRouteHandler:
    """Make the handler that lists a path's methods."""
    allowed = ", ".join(sorted({*methods, "OPTIONS"}))

    def read_methods() -> Response[None]:
        return Response(None, status_code=204, headers={"Allow": allowed})

    return HTTPRouteHandler(
        path, http_method=HttpMethod.OPTIONS, status_code=204, include_in_schema=False, sync_to_thread=False
    )(read_methods)
