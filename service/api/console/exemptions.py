"""The console's page of exemptions: those in force, set one, lift one.

Routed by app through the console's router. A number comes in a form, and is shown masked; whole only where that
form is refused.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from service.api.bodies import AnyRequest
from service.api.console.entry import leave_for
from service.api.console.pages import render
from service.api.console.session import Form, Signed, done, read_signed_form, read_why, signed_in
from service.api.fields import read_length, read_number
from service.api.paging import read_place, write_cursor
from service.api.problems import Invalid
from service.api.services import Services, services_of
from service.errors import NotFound
from service.fraud.decision import ALL_RULES
from service.operators.explaining.verification_detail import stopping
from service.operators.overrides.exemptions import (
    LONGEST,
    LONGEST_OF_PERSON,
    RULES,
    WIDE,
    ExemptionTarget,
    NotExemptable,
)
from service.operators.pages import OverridePlace

PAGE = 50
PREFIX = "rule-"


@get("/exemptions")
async def show_exemptions(request: AnyRequest) -> Response[str]:
    """Show those in force, and those that ended within a day."""
    signed, place = await signed_in(request), read_place(request, OverridePlace)
    return await _show(services_of(request), signed, place=place, did=done(request))


@post("/exemptions", status_code=303)
async def set_exemption(request: AnyRequest) -> Response[Any]:
    """Exempt a number, a range or a country."""
    signed, form = await read_signed_form(request)
    services = services_of(request)
    try:
        target, waived, reason = _read_target(services, form), _read_waived(form), read_why(form)
        length = read_length(form.get("duration", ""), "duration", round(LONGEST.total_seconds()))
        await services.exemptions.set(signed.caller.key_id, target, waived, reason, length)
    except (Invalid, NotExemptable) as error:
        return await _show(services, signed, 422, wrong=str(error), typed=form)
    return leave_for("/operator/exemptions?did=set")


@post("/exemptions/{exemption_id:int}/lift", status_code=303)
async def lift_exemption(request: AnyRequest, exemption_id: FromPath[int]) -> Response[Any]:
    """Lift one; where it has ended meanwhile, nothing is left to do."""
    signed, _ = await read_signed_form(request)
    try:
        await services_of(request).exemptions.lift(signed.caller.key_id, exemption_id)
    except NotFound:
        return leave_for("/operator/exemptions?did=ended")
    return leave_for("/operator/exemptions?did=lifted")


@post("/verifications/{verification_id:uuid}/exempt", status_code=303)
async def exempt_number(request: AnyRequest, verification_id: FromPath[UUID]) -> Response[Any]:
    """Exempt a verification's number from the rules that stopped it, and from limits, for an hour."""
    signed, form = await read_signed_form(request)
    services = services_of(request)
    reason = read_why(form)
    detail = await services.operator_queries.read(verification_id)
    stopped = {one.rule for send in detail.sends for one in stopping(send.decision)} & RULES
    target = await services.exemptions.number_of(detail)
    await services.exemptions.set(signed.caller.key_id, target, {*stopped, "limits"}, reason, LONGEST_OF_PERSON)
    return leave_for("/operator/exemptions?did=set")


async def _show(
    services: Services, signed: Signed, status: int = 200, *, place: OverridePlace | None = None,
    wrong: str | None = None, did: str | None = None, typed: Form | None = None,
) -> Response[str]:  # fmt: skip
    page = await services.exemptions.list(place, PAGE)
    return render(
        "exemptions", status, signed=signed, found=page.rows, next=write_cursor(page.next), rules=sorted(RULES),
        wrong=wrong, did=did, typed=typed or {},
    )  # fmt: skip


def _read_target(services: Services, form: Form) -> ExemptionTarget:
    """Return whom it is for: of the page's form a number, a range or a country; of a number's page the number."""
    kind = form.get("kind", "number")
    target = form.get("target", "").strip()
    if kind == "number":
        return services.exemptions.number(read_number(target))
    return services.exemptions.choose(None, target if kind == "range" else None, target if kind != "range" else None)


def _read_waived(form: Form) -> set[str]:
    """Return what is to be waived; the operators' part says whether that may be."""
    rules = {name.removeprefix(PREFIX) for name in form if name.startswith(PREFIX)} | {form.get("rule", "")}
    return {*rules, *(name for name in WIDE if name in form), *([ALL_RULES] if "safe" in form else [])} - {""}
