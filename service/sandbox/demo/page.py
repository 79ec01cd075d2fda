"""The demo page and what its script calls: enter a number, get the code from the inbox, be verified.

Mounted by sandbox.main. The browser sees a product's own small API, and never the gateway or its key.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody
from litestar.response import Redirect

from service.channels import CHANNELS, DEFAULT, Channel
from service.providers.verify.test_numbers import FIXED_CODE, NUMBERS
from service.sandbox.demo.backend import Backend, GatewayAnswer, Visitor, draw_address
from service.sandbox.pages import create_page

_NOUNS = msgspec.json.encode({channel: traits.noun for channel, traits in CHANNELS.items()}).decode()
_PAGE = Path(__file__).with_name("demo.html").read_text(encoding="utf-8").replace("{{channels}}", _NOUNS)
_COOKIE = "demo_address"
_ADDRESS = re.compile(r"2001:db8:[0-9a-f]{1,4}:[0-9a-f]{1,4}::1")

# It becomes part of a path: anything but an id could reach other endpoints with the backend's key.
_Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]


class RequestForm(msgspec.Struct, frozen=True):
    """What the first form sends."""

    phone_number: str
    channel: Channel = DEFAULT
    visitor: Visitor = "person"


class CodeForm(msgspec.Struct, frozen=True):
    """What the second form sends."""

    id: _Id
    code: str


class IdForm(msgspec.Struct, frozen=True):
    """The verification that a button is about."""

    id: _Id


class ScriptedExample(msgspec.Struct, frozen=True):
    """One test number, for the page's list."""

    phone_number: str
    meaning: str


class Examples(msgspec.Struct, frozen=True):
    """The test numbers, and the code that they receive."""

    code: str
    numbers: list[ScriptedExample]


@get("/", sync_to_thread=False)
def open_demo() -> Redirect:
    """Redirect the address without a path to the demo."""
    return Redirect("/demo")


@get("/demo", sync_to_thread=False)
def show_demo(backend: NamedDependency[Backend]) -> Response[str]:
    """Return the page; each time it is opened, its visitor has a new address."""
    response = create_page(_PAGE.replace("{{choices}}", "".join(map(_write_choice, backend.channels))))
    response.set_cookie(Cookie(_COOKIE, value=draw_address(), httponly=True, samesite="strict", path="/demo"))
    return response


@get("/demo/numbers", sync_to_thread=False)
def list_examples() -> Examples:
    """Return the test numbers."""
    return Examples(FIXED_CODE, [ScriptedExample(one.phone_number, one.meaning) for one in NUMBERS])


@post("/demo/request")
async def request_code(
    data: JSONBody[RequestForm], backend: NamedDependency[Backend], request: Request[Any, Any, Any]
) -> Response[Any]:
    """Request a verification for the number in the form."""
    given = request.cookies.get(_COOKIE, "")
    address = given if _ADDRESS.fullmatch(given) else draw_address()
    return _pass_on(await backend.request(data.phone_number, data.channel, data.visitor, address))


@post("/demo/verify")
async def verify_code(data: JSONBody[CodeForm], backend: NamedDependency[Backend]) -> Response[Any]:
    """Check the code in the form."""
    return _pass_on(await backend.verify(data.id, data.code))


@post("/demo/fallback")
async def use_fallback(data: JSONBody[IdForm], backend: NamedDependency[Backend]) -> Response[Any]:
    return _pass_on(await backend.use_fallback(data.id))


@post("/demo/status")
async def read_status(data: JSONBody[IdForm], backend: NamedDependency[Backend]) -> Response[Any]:
    return _pass_on(await backend.read(data.id))


def _write_choice(channel: Channel) -> str:
    traits = CHANNELS[channel]
    how = "" if traits.typed else ": the code is the caller's last digits"
    return f'<option value="{channel}">{traits.noun[:1].upper()}{traits.noun[1:]}{how}</option>'


def _pass_on(answer: GatewayAnswer) -> Response[Any]:
    headers = {"retry-after": answer.retry_after} if answer.retry_after else {}
    return Response(answer.body, status_code=answer.status, headers=headers)


def list_demo_routes() -> list[HTTPRouteHandler]:
    """Return this module's handlers, which use `backend`."""
    return [open_demo, show_demo, list_examples, request_code, verify_code, use_fallback, read_status]
