"""The page that shows the API, drawn in the browser from /schema/openapi.json, with nothing from outside.

Routed by app, open to everybody. Static texts; says nothing of traffic.
"""

from __future__ import annotations

from importlib import resources
from importlib.metadata import version
from typing import Any

from litestar import Request, Response, get

from service.api.openapi.document import write_document

PAGES = resources.files("service.api.openapi").joinpath("pages")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
DOCUMENT = "verify_gateway_document"


@get("/schema", sync_to_thread=False)
def read_page() -> Response[str]:
    """Give the page; it fetches the rest by itself."""
    return _page("manual.html", "text/html")


@get("/schema/manual.css", sync_to_thread=False)
def read_style() -> Response[str]:
    """Give its style."""
    return _page("manual.css", "text/css")


@get("/schema/manual.js", sync_to_thread=False)
def read_script() -> Response[str]:
    """Give its script."""
    return _page("manual.js", "text/javascript")


@get("/schema/openapi.json", sync_to_thread=False)
def read_document(request: Request[Any, Any, Any]) -> Response[str]:
    """Give the OpenAPI file, written when it is first asked for."""
    state = request.app.state
    if DOCUMENT not in state:
        state[DOCUMENT] = write_document(request.app, version("verify-gateway"))
    return Response(state[DOCUMENT], media_type="application/json", headers=HEADERS)


def _page(name: str, media_type: str) -> Response[str]:
    return Response(PAGES.joinpath(name).read_text(encoding="utf-8"), media_type=media_type, headers=HEADERS)
