"""The operators' calls on what stands: audits, alerts and clients. Part of operator's router."""

from __future__ import annotations

import msgspec
from litestar import get

from service.api.access.auth import operator_of
from service.api.bodies import AnyRequest
from service.api.openapi.document import ApiCall
from service.api.paging import read_flag, read_limit, read_place, write_cursor
from service.api.problems import Invalid
from service.api.schemas import operator_records as wire
from service.api.services import services_of
from service.errors import Unavailable
from service.operators.pages import IdPlace

PAGED = ("limit", "cursor")
PROBLEMS = (Invalid, Unavailable)


@get(
    "/audits",
    operation_id="listAudits",
    summary="List what operators did",
    description="Searches by number, and every change, for a year: who, when and why. Never for whose number.",
    call=ApiCall(means="The audits.", gives=wire.AuditList, query=PAGED, problems=PROBLEMS),
)
async def list_audits(request: AnyRequest) -> wire.AuditList:
    await operator_of(request)
    page = await services_of(request).records.audits(read_place(request, IdPlace), read_limit(request))
    seen = [msgspec.convert(audit, wire.AuditSeen, from_attributes=True) for audit in page.rows]
    return wire.AuditList(seen, write_cursor(page.next))


@get(
    "/alerts",
    operation_id="listAlerts",
    summary="List alerts",
    description="Those that are open, and those of the last 30 days.",
    call=ApiCall(means="The alerts.", gives=wire.AlertList, query=("open", *PAGED), problems=PROBLEMS),
)
async def list_alerts(request: AnyRequest) -> wire.AlertList:
    await operator_of(request)
    after, most, still_open = read_place(request, IdPlace), read_limit(request), read_flag(request, "open")
    page = await services_of(request).records.alerts(after, most, still_open=still_open)
    seen = [msgspec.convert(alert, wire.AlertSeen, from_attributes=True) for alert in page.rows]
    return wire.AlertList(seen, write_cursor(page.next))


@get(
    "/clients",
    operation_id="listClients",
    summary="List clients",
    description="Every client that ever had a key.",
    call=ApiCall(means="The clients.", gives=wire.ClientList, query=PAGED, problems=PROBLEMS),
)
async def list_clients(request: AnyRequest) -> wire.ClientList:
    await operator_of(request)
    page = await services_of(request).records.clients(read_place(request, IdPlace), read_limit(request))
    seen = [msgspec.convert(client, wire.ClientSeen, from_attributes=True) for client in page.rows]
    return wire.ClientList(seen, write_cursor(page.next))


HANDLERS = [list_audits, list_alerts, list_clients]
