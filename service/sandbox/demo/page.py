"""The sign-up page of a small shop, what its script calls, and the panel beside it that only a sandbox can have.

Mounted by sandbox.main. The browser sees the shop's own small API, and never the gateway or a key of it.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import ClientException, NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody
from litestar.response import Redirect
from litestar.types import ExceptionHandlersMap

from service.channels import CHANNELS, DEFAULT, Channel
from service.operators.explaining.explanations import word_error, words_of
from service.providers.verify.test_numbers import FIXED_CODE, NUMBERS
from service.sandbox.demo.backend import Backend, GatewayAnswer, SignUp
from service.sandbox.demo.numbers import compose_number, read_code, tell_countries, write_countries
from service.sandbox.demo.wording import FIELDS, FORM, Told, tell
from service.sandbox.fingerprint.agent import PATH as STAND_IN
from service.sandbox.fingerprint.service import SimulatedFingerprint
from service.sandbox.pages import CSS, JAVASCRIPT, create_asset, create_page
from service.sandbox.visitors import address_of, keep_address

_STATIC = Path(__file__).with_name("static")
_NOUNS = html.escape(msgspec.json.encode({name: one.noun for name, one in CHANNELS.items()}).decode())
_PAGE = (_STATIC / "demo.html").read_text(encoding="utf-8").replace("{{nouns}}", _NOUNS)
_ASSETS = {"demo.css": CSS, "shop.js": JAVASCRIPT, "panel.js": JAVASCRIPT}
_CDN = "https://fpjscdn.net"
# Fingerprint's own list for a page's policy: its CDN, its API of every region, and where v3 looks at the TLS handshake.
_CONNECTS = (_CDN, "https://*.fpjs.io", "https://*.fptls.com", "https://*.fptls3.com")

# It becomes part of a path: anything but an id could reach other endpoints with the backend's key.
_Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}\Z")]
_Country = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{2}\Z")]


class PageSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the page offers. `fingerprint_key`: Fingerprint's public key; without one the stand-in's agent is used.

    `warning`: what is wrong with the settings, for whoever started the sandbox.
    """

    channels: tuple[Channel, ...]
    countries: tuple[str, ...]
    fingerprint_key: str | None = None
    fingerprint_api: Literal["v4", "v3"] = "v4"
    fingerprint_region: str = "us"
    warning: str | None = None


class RequestForm(msgspec.Struct, frozen=True):
    """What the first form sends. `registered` is the sandbox's own: false asks for a decoy."""

    phone_number: Annotated[str, msgspec.Meta(max_length=80)]
    country: _Country = "US"
    name: Annotated[str, msgspec.Meta(max_length=200)] = ""
    channel: Channel = DEFAULT
    event_id: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | None = None
    registered: bool = True


class CodeForm(msgspec.Struct, frozen=True):
    """What the second form sends."""

    id: _Id
    code: str


class IdForm(msgspec.Struct, frozen=True):
    """The verification that a button is about. `event_id`: the panel's, for what the agent saw."""

    id: _Id
    event_id: str | None = None


def tell_mistake(_: Request[Any, Any, Any], exc: ClientException) -> Response[Told]:
    """Put what is wrong with a form into words for people: a page shows what it is answered."""
    named = exc.extra if isinstance(exc.extra, list) else []
    field = next((one["key"] for one in named if one.get("key") in FIELDS), None)
    return Response(Told(FIELDS[field] if field else FORM, field=field), status_code=exc.status_code)


_MISTAKES: ExceptionHandlersMap = {ClientException: tell_mistake}


@get("/", sync_to_thread=False)
def open_demo() -> Redirect:
    """Redirect the address without a path to the page."""
    return Redirect("/demo")


@get("/demo", sync_to_thread=False)
def show_demo(request: Request[Any, Any, Any], page: NamedDependency[PageSettings]) -> Response[str]:
    """Return the page; a visitor keeps an address until the browser is closed."""
    agent = (STAND_IN, "v4", "") if page.fingerprint_key is None else (
        f"{_CDN}/{page.fingerprint_api}/{page.fingerprint_key}", page.fingerprint_api, page.fingerprint_region
    )  # fmt: skip
    values = dict(zip(("agent", "api", "region"), map(html.escape, agent), strict=True)) | {
        "channels": "".join(map(_write_choice, page.channels)),
        "countries": write_countries(),
        "allowed": tell_countries(page.countries),
        "numbers": "".join(_write_number(one.phone_number, one.meaning) for one in NUMBERS),
        "fixed_code": FIXED_CODE,
        "warning": "" if page.warning is None else f'<p class="note bad">{html.escape(page.warning)}</p>',
    }
    markup = _PAGE
    for name, value in values.items():
        markup = markup.replace(f"{{{{{name}}}}}", value)
    outside = page.fingerprint_key is not None
    response = create_page(
        markup, sources=["'self'"], scripts=[_CDN] if outside else [], connects=_CONNECTS if outside else ()
    )
    response.set_cookie(keep_address(request))
    return response


@get("/demo/{name:str}", sync_to_thread=False)
def load_asset(name: FromPath[str]) -> Response[str]:
    """Return the page's style or one of its scripts."""
    if name not in _ASSETS:
        raise NotFoundException
    return create_asset((_STATIC / name).read_text(encoding="utf-8"), _ASSETS[name])


@post("/demo/request", status_code=202, exception_handlers=_MISTAKES)
async def request_code(
    data: JSONBody[RequestForm], backend: NamedDependency[Backend], request: Request[Any, Any, Any]
) -> Response[Any]:
    """Request a verification for the number in the form."""
    number = compose_number(data.phone_number, data.country)
    if number is None:
        return Response(Told(FIELDS["phone_number"], field="phone_number"), status_code=422)
    sign_up = SignUp(
        phone_number=number, channel=data.channel, address=address_of(request), event_id=data.event_id,
        registered=data.registered,
    )  # fmt: skip
    answer = await backend.request(sign_up)
    if answer.ok:
        # The page shows the number as it was understood.
        return Response(answer.body | {"phone_number": number}, status_code=202)
    return _pass_on(answer)


@post("/demo/verify", status_code=200, exception_handlers=_MISTAKES)
async def verify_code(data: JSONBody[CodeForm], backend: NamedDependency[Backend]) -> Response[Any]:
    """Check the code in the form."""
    return _pass_on(await backend.verify(data.id, read_code(data.code)))


@post("/demo/fallback", status_code=202, exception_handlers=_MISTAKES)
async def use_fallback(data: JSONBody[IdForm], backend: NamedDependency[Backend]) -> Response[Any]:
    return _pass_on(await backend.use_fallback(data.id))


@post("/demo/status", status_code=200, exception_handlers=_MISTAKES)
async def read_status(data: JSONBody[IdForm], backend: NamedDependency[Backend]) -> Response[Any]:
    return _pass_on(await backend.read(data.id))


@post("/demo/decided", status_code=200)
async def show_decided(
    data: JSONBody[IdForm], backend: NamedDependency[Backend], fingerprint: NamedDependency[SimulatedFingerprint]
) -> Response[Any]:
    """Return what an operator sees of a verification: for the sandbox's panel, and never for a product's page."""
    answer = await backend.inspect(data.id)
    event = fingerprint.find(data.event_id) if data.event_id is not None else None
    if not answer.ok:
        return _pass_on(answer)
    marks = event.order.tags.get("marks") if event else None
    words = {"means": _explain(answer.body), "errors": _explain_errors(answer.body)}
    return Response(answer.body | {"marks": marks, "console": backend.console(data.id)} | words)


def _pass_on(answer: GatewayAnswer) -> Response[Any]:
    body = answer.body if answer.ok else tell(answer)
    return Response(body, status_code=answer.status)


def _explain(seen: dict[str, Any]) -> dict[str, str]:
    """Say what each rule that objected means, in the words of the operators' console."""
    decisions = [send["decision"] for send in seen.get("sends", ()) if send["decision"]]
    rules = {one["rule"] for decision in decisions for one in decision["findings"]}
    return {rule: words_of(rule).means for rule in rules}


def _explain_errors(seen: dict[str, Any]) -> dict[str, str]:
    return {send["error"]: word_error(send["error"]) for send in seen.get("sends", ()) if send["error"]}


def _write_choice(channel: Channel) -> str:
    noun = CHANNELS[channel].noun
    return f'<option value="{channel}">{noun[:1].upper()}{noun[1:]}</option>'


def _write_number(number: str, meaning: str) -> str:
    pick = f'<button type="button" class="link" data-number="{number}">{number}</button>'
    return f"<dt>{pick}</dt><dd>{html.escape(meaning)}</dd>"


def list_demo_routes() -> list[HTTPRouteHandler]:
    """Return this module's handlers, which use `backend`, `page` and `fingerprint`."""
    return [open_demo, show_demo, load_asset, request_code, verify_code, use_fallback, read_status, show_decided]
