"""The page that shows the API: rendered in the browser from /schema/openapi.json, with nothing from outside.

Routed by Litestar's OpenAPI support and app. Static files; says nothing of traffic.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

from litestar import MediaType, Request, Response, get
from litestar.openapi.plugins import OpenAPIRenderPlugin

PAGES = resources.files("service.api").joinpath("pages")


class Manual(OpenAPIRenderPlugin):
    """The page itself, at the root of /schema."""

    def __init__(self) -> None:
        """Stand at the root."""
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:  # noqa: ARG002 (Litestar's)
        """Give the page; it fetches the schema by itself."""
        return PAGES.joinpath("manual.html").read_bytes()


@get("/schema/manual.css", include_in_schema=False, sync_to_thread=False)
def read_style() -> Response[str]:
    """Give its style."""
    return Response(PAGES.joinpath("manual.css").read_text(), media_type=MediaType.CSS)


@get("/schema/manual.js", include_in_schema=False, sync_to_thread=False)
def read_script() -> Response[str]:
    """Give its script."""
    return Response(PAGES.joinpath("manual.js").read_text(), media_type="text/javascript")
