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
from service.api.schemas import operator as wire
from service.api.services import services_of
from service.errors import NotFound, Unavailable
from service.operators.exemptions import WIDE
from service.operators.pages import OverridePlace
from service.policy.model import Rules

EXEMPTION = msgspec.json.Decoder(wire.ExemptionOrder)
# For one person who is trying now. A longer one would be forgotten, and stand open to an attack.
LONGEST = 3600
NAMES = frozenset(field.name for field in msgspec.structs.fields(Rules))


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
    summary="Exempt a number",
    description="From chosen rules, from limits, or from lockouts, for an hour at most: for somebody who is known to "
    "be a person. It applies to what is requested from now on, for every client.",
    call=ApiCall(means="The exemption is in force.", takes=wire.ExemptionOrder, gives=wire.ExemptionSeen),
)
async def set_exemption(request: AnyRequest) -> wire.ExemptionSeen:
    services, operator = services_of(request), await operator_of(request)
    data = await read_body(request, EXEMPTION)
    number, waived, reason = read_number(data.phone_number), _waived(data), read_reason(data.reason)
    length = read_length(data.duration, "duration", LONGEST)
    exemption = await services.exemptions.set(operator.key_id, number, waived, reason, length)
    return msgspec.convert(exemption, wire.ExemptionSeen, from_attributes=True)


@delete(
    "/exemptions/{exemption_id:int}",
    status_code=200,
    operation_id="liftExemption",
    summary="Lift an exemption",
    description="At once, for what is requested from now on.",
    call=ApiCall(means="Lifted.", gives=wire.ExemptionSeen, problems=(NotFound, Unavailable)),
)
async def lift_exemption(request: AnyRequest, exemption_id: FromPath[int]) -> wire.ExemptionSeen:
    operator = await operator_of(request)
    exemption = await services_of(request).exemptions.lift(operator.key_id, exemption_id)
    return msgspec.convert(exemption, wire.ExemptionSeen, from_attributes=True)


HANDLERS = [list_methods("/exemptions", "GET", "POST"), list_exemptions, set_exemption, lift_exemption]


def _waived(data: wire.ExemptionOrder) -> list[str]:
    """Return what is to be waived. Raises Invalid for nothing, or for a rule that does not exist."""
    if set(data.rules) - NAMES:
        raise Invalid("rules", detail=f"There is no such rule. The rules are {', '.join(sorted(NAMES))}.")
    waived = sorted({*data.rules, *(name for name in WIDE if getattr(data, name))})
    if not waived:
        raise Invalid("rules", *WIDE, detail="Name what is to be waived: rules, limits or lockouts.")
    return waived
