"""The operators' calls on review numbers: see them, set one, lift one. Part of operator's router.

The code is in the reply to the call that sets it, and in no other.
"""

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
from service.api.schemas import review_numbers as wire
from service.api.services import services_of
from service.errors import NotFound, Unavailable
from service.operators.overrides.review_numbers import LONGEST, NotReviewable, ReviewNumber
from service.operators.pages import OverridePlace

ORDER = msgspec.json.Decoder(wire.ReviewNumberOrder)


@get(
    "/review-numbers",
    operation_id="listReviewNumbers",
    summary="List review numbers",
    description="Those in force, and those that ended or were lifted within a day. Codes are not shown.",
    call=ApiCall(
        means="The review numbers.",
        gives=wire.ReviewNumberList,
        query=("limit", "cursor"),
        problems=(Invalid, Unavailable),
    ),
)
async def list_review_numbers(request: AnyRequest) -> wire.ReviewNumberList:
    await operator_of(request)
    after, most = read_place(request, OverridePlace), read_limit(request)
    page = await services_of(request).review_numbers.list(after, most)
    return wire.ReviewNumberList([_see(one) for one in page.rows], write_cursor(page.next))


@post(
    "/review-numbers",
    status_code=201,
    operation_id="setReviewNumber",
    summary="Set a review number",
    description="A number and a code that are fixed for one production client until a time, 90 days at most: for those "
    "who review its app. Nothing is ever sent to it. The number must be one that is kept for fiction. Limits and "
    "wrong-code budgets hold. Without a code, one is made; it is shown this once. Set again, it replaces the last one.",
    call=ApiCall(means="It is in force.", takes=wire.ReviewNumberOrder, gives=wire.ReviewNumberMade),
)
async def set_review_number(request: AnyRequest) -> wire.ReviewNumberMade:
    services, operator = services_of(request), await operator_of(request)
    data = await read_body(request, ORDER)
    number, reason = read_number(data.phone_number), read_reason(data.reason)
    length = read_length(data.duration, "duration", round(LONGEST.total_seconds()))
    try:
        made, code = await services.review_numbers.set(operator.key_id, data.client, number, reason, length, data.code)
    except NotReviewable as error:
        raise Invalid(error.field, detail=str(error)) from None
    return wire.ReviewNumberMade(_see(made), code)


@delete(
    "/review-numbers/{review_number_id:int}",
    status_code=200,
    operation_id="liftReviewNumber",
    summary="Lift a review number",
    description="At once: its code is not right any more, also for what was requested before.",
    call=ApiCall(means="Lifted.", gives=wire.ReviewNumberSeen, problems=(NotFound, Unavailable)),
)
async def lift_review_number(request: AnyRequest, review_number_id: FromPath[int]) -> wire.ReviewNumberSeen:
    services, operator = services_of(request), await operator_of(request)
    return _see(await services.review_numbers.lift(operator.key_id, review_number_id))


def _see(one: ReviewNumber) -> wire.ReviewNumberSeen:
    return msgspec.convert(one, wire.ReviewNumberSeen, from_attributes=True)


HANDLERS = [list_methods("/review-numbers", "GET", "POST"), list_review_numbers, set_review_number, lift_review_number]
