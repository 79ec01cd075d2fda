"""The operators' calls on exemptions: see them, set one, lift one. Part of operator's router."""

from __future__ import annotations

import msgspec
from litestar import delete, get, post
from litestar.params import FromPath

from service.api.access.auth import operator_of
from service.api.bodies import AnyRequest, read_body
from service.api.fields import read_length, read_number, read_reason
from service.api.openapi.document import ApiCall
from service.api.options import list_methods
from service.api.paging import read_limit, read_place, write_cursor
from service.api.problems import Invalid
from service.api.schemas import exemptions as wire
from service.api.services import services_of
from service.errors import NotFound, Unavailable
from service.fraud.decision import ALL_RULES
from service.operators.overrides.exemptions import LONGEST, WIDE, NotExemptable
from service.operators.pages import OverridePlace

EXEMPTION = msgspec.json.Decoder(wire.ExemptionOrder)


@get(
    "/exemptions",
    operation_id="listExemptions",
    summary="List exemptions",
    description="Those in force, and those that ended or were lifted within a day.",
    call=ApiCall(
        means="The exemptions.", gives=wire.ExemptionList, query=("limit", "cursor"), problems=(Invalid, Unavailable)
    ),
)
async def list_exemptions(request: AnyRequest) -> wire.ExemptionList:
    await operator_of(request)
    after, most = read_place(request, OverridePlace), read_limit(request)
    page = await services_of(request).exemptions.list(after, most)
    seen = [msgspec.convert(one, wire.ExemptionSeen, from_attributes=True) for one in page.rows]
    return wire.ExemptionList(seen, write_cursor(page.next))


@post(
    "/exemptions",
    status_code=201,
    operation_id="setExemption",
    summary="Exempt a number, a range or a country",
    description="A number, from chosen rules, from limits, or from lockouts, for an hour at most: for somebody who is "
    "known to be a person. A number or a range that is known to be safe, from rules, for 90 days at most: limits and "
    "budgets hold. A country, from what judges the whole country, for 90 days at most. It applies to what is requested "
    "from now on, for every client; that of a range or a country, within seconds.",
    call=ApiCall(means="The exemption is in force.", takes=wire.ExemptionOrder, gives=wire.ExemptionSeen),
)
async def set_exemption(request: AnyRequest) -> wire.ExemptionSeen:
    services, operator = services_of(request), await operator_of(request)
    data = await read_body(request, EXEMPTION)
    number = read_number(data.phone_number) if data.phone_number is not None else None
    reason = read_reason(data.reason)
    waived = [*data.rules, *(name for name in WIDE if getattr(data, name)), *([ALL_RULES] if data.safe else [])]
    length = read_length(data.duration, "duration", round(LONGEST.total_seconds()))
    try:
        target = services.exemptions.choose(number, data.prefix, data.country)
        exemption = await services.exemptions.set(operator.key_id, target, waived, reason, length)
    except NotExemptable as error:
        raise Invalid(*error.fields, detail=str(error)) from None
    await services.countries.read_alarms()
    return msgspec.convert(exemption, wire.ExemptionSeen, from_attributes=True)


@delete(
    "/exemptions/{exemption_id:int}",
    status_code=200,
    operation_id="liftExemption",
    summary="Lift an exemption",
    description="At once, for what is requested from now on; that of a range or a country, within seconds.",
    call=ApiCall(means="Lifted.", gives=wire.ExemptionSeen, problems=(NotFound, Unavailable)),
)
async def lift_exemption(request: AnyRequest, exemption_id: FromPath[int]) -> wire.ExemptionSeen:
    services, operator = services_of(request), await operator_of(request)
    exemption = await services.exemptions.lift(operator.key_id, exemption_id)
    await services.countries.read_alarms()
    return msgspec.convert(exemption, wire.ExemptionSeen, from_attributes=True)


HANDLERS = [list_methods("/exemptions", "GET", "POST"), list_exemptions, set_exemption, lift_exemption]
