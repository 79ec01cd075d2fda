"""The console's page of blocks: those in force, set one, lift one.

Routed by app through the console's router. Numbers, addresses and devices come in forms, and are shown again only where
a form is refused.
"""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post
from litestar.params import FromPath

from service.api.bodies import AnyRequest
from service.api.console.entry import leave_for
from service.api.console.pages import render
from service.api.console.session import Form, Signed, done, read_signed_form, read_why, signed_in
from service.api.fields import read_length
from service.api.operator.blocks import LONGEST_BLOCK, find_target
from service.api.paging import read_place, write_cursor
from service.api.problems import Invalid
from service.api.schemas.operator import BlockOrder
from service.api.services import Services, services_of
from service.errors import NotFound
from service.operators.pages import OverridePlace

PAGE = 50
KINDS = {"range": "phone_number", "country": "country", "ip": "ip_address", "device": "visitor_id"}


@get("/blocks")
async def show_blocks(request: AnyRequest) -> Response[str]:
    """Show those in force, and those that ended within a day."""
    signed, place = await signed_in(request), read_place(request, OverridePlace)
    return await _show(services_of(request), signed, place=place, did=done(request))


@post("/blocks", status_code=303)
async def set_block(request: AnyRequest) -> Response[Any]:
    """Block a range, a country, an address or a device."""
    signed, form = await read_signed_form(request)
    services = services_of(request)
    try:
        target, reason = find_target(services, _read_order(form)), read_why(form)
        length = read_length(form.get("duration", ""), "duration", LONGEST_BLOCK)
    except Invalid as error:
        return await _show(services, signed, 422, wrong=str(error), typed=form)
    await services.blocks.set(signed.caller.key_id, target, reason, length)
    return leave_for("/operator/blocks?did=set")


@post("/blocks/{block_id:int}/lift", status_code=303)
async def lift_block(request: AnyRequest, block_id: FromPath[int]) -> Response[Any]:
    """Lift one; where it has ended meanwhile, nothing is left to do."""
    signed, _ = await read_signed_form(request)
    try:
        await services_of(request).blocks.lift(signed.caller.key_id, block_id)
    except NotFound:
        return leave_for("/operator/blocks?did=ended")
    return leave_for("/operator/blocks?did=lifted")


async def _show(
    services: Services, signed: Signed, status: int = 200, *, place: OverridePlace | None = None,
    wrong: str | None = None, did: str | None = None, typed: Form | None = None,
) -> Response[str]:  # fmt: skip
    page = await services.blocks.list(place, PAGE)
    return render(
        "blocks", status, signed=signed, found=page.rows, next=write_cursor(page.next), wrong=wrong, did=did,
        typed=typed or {},
    )  # fmt: skip


def _read_order(form: Form) -> BlockOrder:
    kind, digits = form.get("kind", ""), form.get("digits", "")
    if kind not in KINDS:
        raise Invalid("kind", detail="Say what is to be blocked.")
    order = BlockOrder(duration="", reason="")
    given = form.get("target", "").strip()
    setattr(order, KINDS[kind], given.upper() if kind == "country" else given)
    if kind == "range":
        order.digits = int(digits) if digits in {"4", "5", "6"} else 4
    return order
