"""What the OpenAPI file says beside the handlers: its head, how to authenticate, the problems of each call.

Read by the handlers and app. Nothing here runs in a request.
"""

from __future__ import annotations

from litestar.openapi import OpenAPIConfig
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, Contact, License, SecurityScheme, Tag

from service.api.manual import Manual
from service.api.problems import MEDIA_TYPE, Problem

BEARER: list[dict[str, list[str]]] = [{"apiKey": []}]
ALWAYS = {
    "s400": "The request cannot be read.",
    "s401": "The API key is missing, unknown or revoked.",
    "s413": "The body is over 64 KiB.",
    "s503": "Not available now, for anybody; Retry-After says when to come back.",
}


def problems(**told: str) -> dict[int, ResponseSpec]:
    """Document the problems that a call answers with, as s404="what it means"."""
    return {
        int(name[1:]): ResponseSpec(Problem, generate_examples=False, media_type=MEDIA_TYPE, description=text)
        for name, text in (ALWAYS | told).items()
    }


def openapi(version: str) -> OpenAPIConfig:
    """Describe the API as a whole."""
    return OpenAPIConfig(
        title="verify-gateway",
        version=version,
        summary="Phone verification that tells nobody anything.",
        description="Request a verification of a phone number, judge its code, read where it stands. "
        "Replies never tell whether a number exists, was blocked, or was sent to. "
        "Errors are RFC 9457 problem+json with a stable `type`; every answer carries `X-Request-Id`.",
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        contact=Contact(name="Your operator"),
        tags=[
            Tag(name="Verifications", description="For product backends."),
            Tag(name="Telnyx", description="For Telnyx alone."),
            Tag(name="Health", description="For whatever runs the gateway."),
        ],
        components=Components(
            security_schemes={
                "apiKey": SecurityScheme(
                    type="http", scheme="bearer", description="A key made by `verify-gateway keys create`."
                )
            }
        ),
        create_examples=False,
        path="/schema",
        render_plugins=[JsonRenderPlugin(path="/openapi.json"), Manual()],
    )
