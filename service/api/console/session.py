"""Who is signed in to the console: their cookie, and the token that each of their forms carries.

Used by the modules beside it. A key is read once, from the form of the sign-in, and stands in no cookie, URL or log.
"""

from __future__ import annotations

import hmac
import re
from urllib.parse import parse_qsl

import msgspec
from litestar.datastructures import Cookie

from service.api.access.auth import NOTED, Connection
from service.api.access.source import came_by_https
from service.api.bodies import AnyRequest, read_bytes
from service.api.fields import read_reason
from service.api.problems import Forbidden, Invalid, MalformedRequest
from service.api.services import services_of
from service.clients.caller import Caller
from service.errors import NotAuthorized

COOKIE = "operator_session"
# Under this name a call's state holds who is signed in, for the page that says what went wrong.
SIGNED = "signed"
FORM_TOKEN = "form"  # noqa: S105 (a field's name)
FORM_TYPE = re.compile(r"\s*application/x-www-form-urlencoded\s*(;|$)", re.IGNORECASE)
MOST_FIELDS = 100
# Browsers say where a request comes from, and a page cannot change that. Old ones say nothing.
OWN = {"same-origin", "none"}

Form = dict[str, str]
SHORTEST_REASON, LONGEST_REASON = 3, 200
# What a page says after an act; its address holds the word, and nothing of what was done.
DONE = {
    "set": "Done: it is in force from now on.",
    "lifted": "Lifted.",
    "ended": "It had ended already.",
    "replayed": "They are tried again now.",
    "changed": "Done.",
    "revoked": "The key is revoked, in every process.",
}


class Signed(msgspec.Struct, frozen=True):
    """Somebody who is signed in. `form`: what their forms must carry."""

    caller: Caller
    token: str
    form: str


async def signed_in(connection: Connection, *, search: bool = False) -> Signed:
    """Return who is signed in, and count the call as the operator API does.

    Raises NotAuthorized, and Limited for a key that calls too often. `search`: a search by number.
    """
    services, token = services_of(connection), connection.cookies.get(COOKIE, "")
    caller = connection.scope["state"][NOTED] = await services.sessions.find(token)
    signed = connection.scope["state"][SIGNED] = Signed(caller, token, services.sessions.form_token(token))
    await services.keys.enter(caller, search=search)
    return signed


async def read_form(request: AnyRequest) -> Form:
    """Read a form that a page of ours sent. Raises Forbidden for another site's, Malformed."""
    if request.headers.get("sec-fetch-site", "none") not in OWN:
        raise Forbidden
    if not FORM_TYPE.match(request.headers.get("content-type", "")):
        raise MalformedRequest
    body = await read_bytes(request)
    try:
        return dict(
            parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, strict_parsing=bool(body))
        )
    except ValueError:  # `from None`: its text may hold what was typed
        raise MalformedRequest from None


async def read_signed_form(request: AnyRequest, *, search: bool = False) -> tuple[Signed, Form]:
    """Read a form of somebody who is signed in. Raises also Forbidden unless it carries their token."""
    signed, form = await signed_in(request, search=search), await read_form(request)
    if not hmac.compare_digest(form.pop(FORM_TOKEN, "").encode(), signed.form.encode()):
        raise Forbidden
    return signed, form


def read_why(form: Form) -> str:
    """Read the reason of an act, as the operator API does. Raises Invalid."""
    text = form.get("reason", "").strip()
    if not SHORTEST_REASON <= len(text) <= LONGEST_REASON or "\x00" in text:
        raise Invalid("reason", detail="Give a reason, of 3 to 200 characters.")
    return read_reason(text)


def done(request: AnyRequest) -> str | None:
    """Return the sentence that says what was just done, if the address names an act."""
    return DONE.get(request.query_params.get("did", ""))


def make_cookie(connection: Connection, token: str | None) -> Cookie:
    """Make the session's cookie, or with None the one that removes it."""
    https = came_by_https(connection, services_of(connection).webhooks.trusted_proxies)
    return Cookie(
        COOKIE, path="/operator", value=token or "", max_age=None if token else 0, secure=https, httponly=True,
        samesite="strict",
    )  # fmt: skip


def token_of(connection: Connection) -> str:
    """Return the token of the cookie. Raises NotAuthorized."""
    token = connection.cookies.get(COOKIE, "")
    if not token:
        raise NotAuthorized
    return token
