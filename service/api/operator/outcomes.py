"""The operators' calls on what rules did to people: outcomes by client and rule, and reports on observed clients.

Part of operator's router.
"""

from __future__ import annotations

import msgspec
from litestar import get

from service.api.access.auth import operator_of
from service.api.bodies import AnyRequest
from service.api.fields import read_window
from service.api.openapi.document import ApiCall
from service.api.problems import Invalid
from service.api.schemas import outcomes as wire
from service.api.services import services_of
from service.errors import Unavailable
from service.operators.reports.observations import ObservationReport
from service.operators.reports.outcomes import Outcome

LONGEST = 30 * 86_400


@get(
    "/outcomes",
    operation_id="readOutcomes",
    summary="See who of those that rules stopped were people",
    description="For each client and rule: the numbers that it stopped (enforce) or would have stopped (observe), and "
    "how many of them were verified within a day, in whatever way. Of those that were stopped, this is the least that "
    "can be known. A window with very many requests takes too long (503): ask for a shorter one, or use "
    "`verify-gateway policy outcomes`.",
    call=ApiCall(means="The outcomes.", gives=wire.OutcomeList, query=("window",), problems=(Invalid, Unavailable)),
)
async def read_outcomes(request: AnyRequest) -> wire.OutcomeList:
    services, _ = services_of(request), await operator_of(request)
    found = await services.outcomes.read(read_window(request, "1d", LONGEST))
    return wire.OutcomeList([_outcome(one) for one in found])


@get(
    "/observations",
    operation_id="listObservations",
    summary="See what would have been stopped of observed clients",
    description="Clients whose rules only observe (`enforce_from`, `keys create --observe`), or did within the last "
    "weeks: what the rules that are enforced afterwards would have stopped.",
    call=ApiCall(means="The reports.", gives=wire.ObservationList, problems=(Unavailable,)),
)
async def list_observations(request: AnyRequest) -> wire.ObservationList:
    services, _ = services_of(request), await operator_of(request)
    observations = services.observations
    reports = [await observations.report(one) for one in await observations.list()]
    return wire.ObservationList([_report(report) for report in reports])


HANDLERS = [read_outcomes, list_observations]


def _outcome(one: Outcome) -> wire.OutcomeSeen:
    share = one.verified / one.numbers
    return msgspec.convert(msgspec.structs.asdict(one) | {"verified_share": share}, wire.OutcomeSeen)


def _report(report: ObservationReport) -> wire.ObservationSeen:
    one = report.observation
    return wire.ObservationSeen(
        client=one.client,
        since=one.since,
        until=one.until,
        set_by=one.set_by,
        over=one.over,
        numbers=report.numbers,
        suppressed=report.suppressed,
        verified=report.verified,
        open=report.open,
        rules=[_outcome(rule) for rule in report.rules],
    )
