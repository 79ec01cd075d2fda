"""The API's documentation page, drawn in the browser from /schema/openapi.json, with no external source.

Routed by app, open to everybody. Static texts; reveals nothing about traffic.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from importlib.metadata import distribution, version
from pathlib import Path
from typing import Any

from litestar import Request, Response, get

from service.api.openapi.document import write_document

PAGES = resources.files("service.api.openapi").joinpath("pages")
# Found without an import: the package would read all that it carries, several megabytes, into memory.
VIEWER = Path(str(distribution("offapi").locate_file("offapi")))
# People type API keys into this page: it must be able to send them nowhere else, whatever the viewer does.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
}
DOCUMENT = "verify_gateway_document"


@get("/schema", sync_to_thread=False)
def read_page() -> Response[bytes]:
    """Return the page, which fetches the rest by itself."""
    return Response(_read("manual.html"), media_type="text/html", headers=HEADERS)


@get("/schema/manual.css", sync_to_thread=False)
def read_style() -> Response[bytes]:
    """Give what the page changes of the viewer's style."""
    return Response(_read("manual.css"), media_type="text/css", headers=HEADERS)


@get("/schema/manual.js", sync_to_thread=False)
def read_script() -> Response[bytes]:
    """Give the script that starts the viewer."""
    return Response(_read("manual.js"), media_type="text/javascript", headers=HEADERS)


@get("/schema/viewer.css", sync_to_thread=False)
def read_viewer_style() -> Response[bytes]:
    """Give the viewer's own style."""
    return Response(_read_viewer("swagger_style.css"), media_type="text/css", headers=HEADERS)


@get("/schema/viewer.js", sync_to_thread=False)
def read_viewer() -> Response[bytes]:
    """Give the viewer."""
    return Response(_read_viewer("swagger_bundle.js"), media_type="text/javascript", headers=HEADERS)


@get("/schema/openapi.json", sync_to_thread=False)
def read_document(request: Request[Any, Any, Any]) -> Response[str]:
    """Return the OpenAPI file, written when it is first requested."""
    state = request.app.state
    if DOCUMENT not in state:
        state[DOCUMENT] = write_document(request.app, version("verify-gateway"))
    return Response(state[DOCUMENT], media_type="application/json", headers=HEADERS)


# Read once, and the same bytes for all: of connections that do not read, each would hold megabytes of its own.
@cache
def _read(name: str) -> bytes:
    return PAGES.joinpath(name).read_bytes()


@cache
def _read_viewer(name: str) -> bytes:
    return VIEWER.joinpath(name).read_bytes()
