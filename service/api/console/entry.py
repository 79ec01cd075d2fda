"""Signing in to the console and out of it, and what a page says where something goes wrong.

Routed by app through the console's router. Tries are counted by address, as unknown API keys are.
"""

from __future__ import annotations

import math
import re
from http import HTTPStatus
from typing import Any

from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.response import Redirect

from service import telemetry
from service.api.access.auth import NOTED, identify
from service.api.answers import kind_of
from service.api.bodies import AnyRequest
from service.api.console.pages import HEADERS, render
from service.api.console.session import SIGNED, make_cookie, read_form, read_signed_form, signed_in, token_of
from service.api.problems import UNEXPECTED, Forbidden
from service.api.services import services_of
from service.errors import Limited, NotAuthorized

HOME, SIGN_IN = "/operator", "/operator/sign-in"
# Where somebody may be sent once they have signed in: a page of ours, and nowhere else.
OWN_PAGE = re.compile(r"/operator(/[a-z0-9-]{1,64}){0,3}", re.ASCII)


@get("/sign-in")
async def show_sign_in(request: AnyRequest) -> Response[str]:
    """Show the form."""
    return render("sign_in", wrong=None, to=own_page(request.query_params.get("to", HOME)))


@post("/sign-in", status_code=303)
async def sign_in(request: AnyRequest) -> Response[Any]:
    """Begin a session for an operator's key."""
    services, form = services_of(request), await read_form(request)
    to = own_page(form.get("to", HOME))
    try:
        caller = request.scope["state"][NOTED] = await identify(request, form.get("key", "").strip())
        if caller.scope != "operator":
            return render("sign_in", HTTPStatus.FORBIDDEN, wrong="This key is not an operator's.", to=to)
        await services.keys.enter(caller)
    except NotAuthorized:
        return render("sign_in", HTTPStatus.UNAUTHORIZED, wrong="This is no valid key.", to=to)
    except Limited as error:
        wrong = f"Too many tries. Wait {math.ceil(error.retry_after)} s."
        return _bid_wait(render("sign_in", HTTPStatus.TOO_MANY_REQUESTS, wrong=wrong, to=to), error.retry_after)
    token = await services.sessions.begin(caller.key_id)
    return leave_for(to, cookies=[make_cookie(request, token)])


@get("/{rest:path}")
async def show_nothing(request: AnyRequest) -> Response[str]:
    """Say on a page that there is none here; without a session, lead to the sign-in."""
    await signed_in(request)
    raise NotFoundException


@post("/sign-out", status_code=303)
async def sign_out(request: AnyRequest) -> Response[Any]:
    """End the session, in the database: a copy of its cookie opens nothing either."""
    await read_signed_form(request)
    await services_of(request).sessions.end(token_of(request))
    return leave_for(SIGN_IN, cookies=[make_cookie(request, None)])


def leave_for(path: str, **more: Any) -> Redirect:
    """Send the browser to another page of ours."""
    return Redirect(path, status_code=303, headers=HEADERS, **more)


def own_page(path: str) -> str:
    """Return a path if it is one of the console's pages, else the first page."""
    return path if OWN_PAGE.fullmatch(path) else HOME


def answer_page(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Turn an exception into a page; without a session, into the sign-in."""
    if isinstance(error, NotAuthorized):
        to = own_page(request.url.path) if request.method == "GET" else HOME
        return leave_for(SIGN_IN if to == HOME else f"{SIGN_IN}?to={to}")
    kind = kind_of(error)
    if kind is UNEXPECTED:
        telemetry.log.error("unexpected", route=request.scope.get("path_template", ""), exc_info=error)
    said = str(error) if getattr(error, "fields", None) is not None else kind.detail
    if isinstance(error, Forbidden):
        said = "This form is not from a page of this session. Load the page again."
    page = render("error", kind.status, title=kind.title, said=said, signed=request.scope["state"].get(SIGNED))
    page.headers.update(getattr(error, "headers", None) or {})
    return _bid_wait(page, getattr(error, "retry_after", None))


def _bid_wait(page: Response[str], wait: float | None) -> Response[str]:
    """Say when the next try may be made, if that is known."""
    if wait is not None:
        page.headers["Retry-After"] = str(max(1, math.ceil(wait)))
    return page
