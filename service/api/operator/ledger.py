"""The operators' call on money: what was spent and what was saved, by day. Part of operator's router."""

from __future__ import annotations

import msgspec
from litestar import get

from service.api.access.auth import operator_of
from service.api.bodies import AnyRequest
from service.api.fields import read_window
from service.api.openapi.document import ApiCall
from service.api.problems import Invalid
from service.api.schemas import operator as wire
from service.api.services import services_of
from service.errors import Unavailable

LONGEST = 92 * 86_400


@get(
    "/ledger",
    operation_id="readLedger",
    summary="See what was spent",
    description="Whole days (UTC), from the one in which the window begins, at the policy's prices of that day.",
    call=ApiCall(means="The ledger.", gives=wire.Ledger, query=("window",), problems=(Invalid, Unavailable)),
)
async def read_ledger(request: AnyRequest) -> wire.Ledger:
    services, _ = services_of(request), await operator_of(request)
    lines = await services.operator_queries.account(read_window(request, "1d", LONGEST))
    return wire.Ledger(
        spent=sum(line.spent for line in lines),
        saved=sum(line.saved for line in lines),
        lines=[msgspec.convert(line, wire.LedgerLine, from_attributes=True) for line in lines],
    )


HANDLERS = [read_ledger]
