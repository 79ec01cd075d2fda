"""The console's pages of audits and of clients and keys: page by page; a key is made and revoked here.

Routed by app through the console's router. A key is on the page that made it, once.
"""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from service.api.bodies import AnyRequest
from service.api.console.entry import leave_for
from service.api.console.pages import render
from service.api.console.session import Form, Signed, done, read_signed_form, signed_in
from service.api.fields import read_length
from service.api.paging import read_place, write_cursor
from service.api.problems import Invalid
from service.api.services import Services, services_of
from service.clients.caller import Scope
from service.clients.key_admin import LONGEST_LIFE, NewKey, OtherKind
from service.db.asking import LARGEST_ID
from service.operators.pages import IdPlace
from service.policy.loading import CLIENT

PAGE = 50
MOST_CLIENTS = 200
# Not an operator's: whoever has stolen one could make others, each with limits of its own, that outlive it.
MADE_HERE: tuple[Scope, ...] = ("verify", "metrics")
ACTS = {
    "search": "searched by number",
    "block": "set a block",
    "unblock": "lifted a block",
    "exempt": "set an exemption",
    "unexempt": "lifted an exemption",
    "erase": "erased a number",
    "create_key": "made a key",
    "revoke_key": "revoked a key",
    "sign_in": "signed in to the console",
    "sign_out": "signed out of the console",
    "backtest": "started a backtest",
    "set_callbacks": "set where callbacks go",
    "rotate_callbacks": "made a new secret of callbacks",
    "enable_callbacks": "enabled callbacks",
    "disable_callbacks": "disabled callbacks",
    "remove_callbacks": "removed where callbacks go",
    "replay_callbacks": "had callbacks tried again",
}


@get("/audits")
async def show_audits(request: AnyRequest) -> Response[str]:
    """Show what operators did."""
    signed, place = await signed_in(request), read_place(request, IdPlace)
    page = await services_of(request).records.audits(place, PAGE)
    return render("audits", signed=signed, audits=page.rows, next=write_cursor(page.next), acts=ACTS)


@get("/keys")
async def show_keys(request: AnyRequest) -> Response[str]:
    """Show the keys and clients."""
    signed, place = await signed_in(request), read_place(request, IdPlace)
    return await _show(services_of(request), signed, place=place, did=done(request))


@post("/keys", status_code=200)
async def make_key(request: AnyRequest) -> Response[str]:
    """Make a key, and show it once."""
    signed, form = await read_signed_form(request)
    services = services_of(request)
    try:
        made = await _make(services, signed, form)
    except (Invalid, OtherKind) as error:
        return await _show(services, signed, 422, wrong=str(error))
    return await _show(services, signed, made=made)


@post("/keys/{key_id:int}/revoke", status_code=303)
async def revoke_key(request: AnyRequest, key_id: FromPath[int]) -> Response[Any]:
    """Revoke a key, one's own too: that ends one's session."""
    signed, _ = await read_signed_form(request)
    known = 0 < key_id <= LARGEST_ID
    revoked = known and await services_of(request).key_admin.revoke(key_id, signed.caller.key_id)
    return leave_for(f"/operator/keys?did={'revoked' if revoked else 'ended'}")


async def _make(services: Services, signed: Signed, form: Form) -> NewKey:
    name, life = form.get("client", ""), form.get("duration", "").strip()
    scope = next((one for one in MADE_HERE if one == form.get("scope")), None)
    if not CLIENT.fullmatch(name) or scope is None:
        raise Invalid("client", detail="A client's name has at most 63 of a-z, 0-9, - and _.")
    ends_after = read_length(life, "duration", int(LONGEST_LIFE.total_seconds())) if life else None
    return await services.key_admin.make(
        name, scope, test="test" in form, ends_after=ends_after, by=signed.caller.key_id
    )


async def _show(
    services: Services, signed: Signed, status: int = 200, *, place: IdPlace | None = None, made: NewKey | None = None,
    wrong: str | None = None, did: str | None = None,
) -> Response[str]:  # fmt: skip
    page, clients = await services.records.keys(place, PAGE), await services.records.clients(None, MOST_CLIENTS)
    return render(
        "keys", status, signed=signed, keys=page.rows, next=write_cursor(page.next), clients=clients.rows, made=made,
        wrong=wrong, did=did,
    )  # fmt: skip
