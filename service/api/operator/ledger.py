"""The operators' call on money: what was spent and what was saved, by day. Part of operator's router."""

from __future__ import annotations

import msgspec
from litestar import get

from service.api.access.auth import operator_of
from service.api.bodies import AnyRequest
from service.api.fields import read_window
from service.api.openapi.document import ApiCall
from service.api.paging import read_limit, read_place, write_cursor
from service.api.problems import Invalid
from service.api.schemas import operator_records as wire
from service.api.services import services_of
from service.errors import Unavailable
from service.operators.pages import LedgerPlace

LONGEST = 92 * 86_400


@get(
    "/ledger",
    operation_id="readLedger",
    summary="See what was spent",
    description="Whole days (UTC), from the one in which the window begins, at the policy's prices of that day.",
    call=ApiCall(
        means="The ledger.",
        gives=wire.Ledger,
        query=("ledger_window", "limit", "cursor"),
        problems=(Invalid, Unavailable),
    ),
)
async def read_ledger(request: AnyRequest) -> wire.Ledger:
    services, _ = services_of(request), await operator_of(request)
    window, after, most = read_window(request, "1d", LONGEST), read_place(request, LedgerPlace), read_limit(request)
    ledger = await services.operator_queries.account(window, most, after)
    return wire.Ledger(
        spent=ledger.spent,
        saved=ledger.saved,
        lines=[msgspec.convert(line, wire.LedgerLine, from_attributes=True) for line in ledger.lines.rows],
        next_cursor=write_cursor(ledger.lines.next),
    )


HANDLERS = [read_ledger]
