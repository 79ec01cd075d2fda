"""The console's page of callbacks: whose backend is told, what waits, and having it tried again.

Routed by app through the console's router. A receiver's address and secrets are not shown, but for a new secret, once.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from service.api.bodies import AnyRequest
from service.api.console.entry import leave_for
from service.api.console.pages import render
from service.api.console.session import Form, Signed, done, read_signed_form, signed_in
from service.api.fields import read_length
from service.api.problems import Invalid
from service.api.services import Services, services_of
from service.callbacks.endpoints import list_endpoints
from service.errors import GatewayError, NotFound
from service.policy.loading import CLIENT

LONGEST_REPLAY = 7 * 86_400
OVERLAP = timedelta(days=1)
NO_CLIENT = "There is no client of this name. Their names stand under Clients and keys."


@get("/callbacks")
async def show_callbacks(request: AnyRequest) -> Response[str]:
    """Show the receivers, each with what waits for it."""
    return await _show(services_of(request), await signed_in(request), did=done(request))


@post("/callbacks", status_code=200)
async def set_receiver(request: AnyRequest) -> Response[str]:
    """Set a client's receiver, or make it a new secret, and show the secret once."""
    signed, form = await read_signed_form(request)
    services, client = services_of(request), form.get("client", "")
    try:
        secret = await _make_secret(services, _known(client), form, signed.caller.key_id)
    except NotFound:
        wrong = "It has no receiver any more: set one." if "rotate" in form else NO_CLIENT
        return await _show(services, signed, 422, wrong=wrong, typed=form)
    except GatewayError as error:
        return await _show(services, signed, 422, wrong=str(error), typed=form)
    return await _show(services, signed, secret=secret, whose=client)


@post("/callbacks/{client:str}/{act:str}", status_code=303)
async def change_receiver(request: AnyRequest, client: FromPath[str], act: FromPath[str]) -> Response[Any]:
    """Enable or disable a receiver, remove it, or have callbacks tried again."""
    signed, form = await read_signed_form(request)
    services, key = services_of(request), signed.caller.key_id
    try:
        _known(client)
        if act == "replay":
            await services.callbacks.replay(client, **_read_chosen(form), taken="taken" in form, key=key)
            return leave_for("/operator/callbacks?did=replayed")
    except NotFound:
        return leave_for("/operator/callbacks?did=ended")
    except Invalid as error:
        return await _show(services, signed, 422, wrong=str(error))
    changed = act in ("enable", "disable") and await services.callbacks.enable(client, key, on=act == "enable")
    changed = changed or (act == "remove" and await services.callbacks.remove(client, key))
    return leave_for(f"/operator/callbacks?did={'changed' if changed else 'ended'}")


async def _make_secret(services: Services, client: str, form: Form, key: int) -> str:
    if "rotate" in form:
        return await services.callbacks.rotate(client, OVERLAP, key)
    return await services.callbacks.set(client, form.get("url", "").strip(), key)


def _known(client: str) -> str:
    """Return what may be a client's name. Raises NotFound."""
    if not CLIENT.fullmatch(client):
        raise NotFound
    return client


def _read_chosen(form: Form) -> dict[str, Any]:
    """Return which callbacks are meant: one by its id, or those of a time. Raises Invalid."""
    what = form.get("what", "").strip()
    if what.startswith("msg_"):
        try:
            return {"callback": UUID(what.removeprefix("msg_"))}
        except ValueError:
            raise Invalid("what", detail="That is no webhook-id.") from None
    return {"since": datetime.now(UTC) - read_length(what, "what", LONGEST_REPLAY)}


async def _show(
    services: Services, signed: Signed, status: int = 200, *, secret: str | None = None, whose: str | None = None,
    wrong: str | None = None, did: str | None = None, typed: Form | None = None,
) -> Response[str]:  # fmt: skip
    found = await list_endpoints(services.database.pool)
    return render(
        "callbacks", status, signed=signed, found=found, secret=secret, whose=whose, wrong=wrong, did=did,
        typed=typed or {}, allow_private=services.callbacks.allow_private,
    )  # fmt: skip
