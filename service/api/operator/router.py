"""The operators' calls: see a verification, search by number, summarise traffic.

Routed by app, with the calls of the modules beside it; every one needs a key of the scope operator. A number comes in a
body, never in a URL, and leaves masked.
"""

from __future__ import annotations

from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.params import FromPath

from service.api.access.auth import operator_of
from service.api.bodies import AnyRequest, read_body
from service.api.fields import read_number, read_window
from service.api.openapi.document import BEARER, ApiCall
from service.api.operator import blocks, exemptions, insight, keys, ledger, outcomes, records, review_numbers, standing
from service.api.paging import decode_cursor, write_cursor
from service.api.problems import Invalid
from service.api.schemas import operator as wire
from service.api.services import services_of
from service.errors import NotFound, Unavailable
from service.operators.pages import MatchPlace

SEARCH = msgspec.json.Decoder(wire.NumberSearch)
LONGEST_WINDOW = 86_400


@get(
    "/verifications/{verification_id:uuid}",
    operation_id="inspectVerification",
    summary="See a verification in full",
    description="Of any client: its decisions with every finding, its sends and deliveries, and what happened when.",
    call=ApiCall(means="All that is known of it.", gives=wire.VerificationSeen, problems=(NotFound, Unavailable)),
)
async def inspect_verification(request: AnyRequest, verification_id: FromPath[UUID]) -> wire.VerificationSeen:
    await operator_of(request)
    detail = await services_of(request).operator_queries.read(verification_id)
    return msgspec.convert(detail, wire.VerificationSeen, from_attributes=True)


@post(
    "/search",
    status_code=200,
    operation_id="searchNumber",
    summary="List a number's verifications",
    description="Of every client. The search is recorded: whose key, when, and the number's hash.",
    call=ApiCall(means="The verifications.", takes=wire.NumberSearch, gives=wire.NumberFound),
)
async def search_number(request: AnyRequest) -> wire.NumberFound:
    services, operator = services_of(request), await operator_of(request, search=True)
    data = await read_body(request, SEARCH)
    number, after = read_number(data.phone_number), None
    if data.cursor is not None:
        after = decode_cursor(data.cursor, MatchPlace)
    page = await services.operator_queries.search(operator.key_id, number, data.limit, after)
    seen = [msgspec.convert(match, wire.MatchSeen, from_attributes=True) for match in page.rows]
    return wire.NumberFound(seen, write_cursor(page.next))


@get(
    "/summary",
    operation_id="summariseTraffic",
    summary="Summarise the traffic",
    description="Requests, sends and what rules suppressed, by country, channel and rule.",
    call=ApiCall(means="The sums.", gives=wire.TrafficSummary, query=("window",), problems=(Invalid, Unavailable)),
)
async def summarise_traffic(request: AnyRequest) -> wire.TrafficSummary:
    services, _ = services_of(request), await operator_of(request)
    summary = await services.operator_queries.summarise(read_window(request, "1h", LONGEST_WINDOW))
    share = summary.verified / summary.sent_to if summary.sent_to else None
    return msgspec.convert(
        msgspec.structs.asdict(summary) | {"verified_share": share}, wire.TrafficSummary, from_attributes=True
    )


router = Router(
    "/v1/operator",
    route_handlers=[
        inspect_verification,
        search_number,
        summarise_traffic,
        *blocks.HANDLERS,
        *exemptions.HANDLERS,
        *insight.HANDLERS,
        *keys.HANDLERS,
        *ledger.HANDLERS,
        *records.HANDLERS,
        *outcomes.HANDLERS,
        *review_numbers.HANDLERS,
        *standing.HANDLERS,
    ],
    security=BEARER,
    tags=["Operators"],
)
