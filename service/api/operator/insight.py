"""The operators' calls on what the service did, on a number's limits, and on backtests. Part of operator's router."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath

from service.api.access.auth import operator_of
from service.api.bodies import AnyRequest, read_body
from service.api.fields import read_length, read_number
from service.api.openapi.document import ApiCall
from service.api.problems import Invalid
from service.api.schemas import insight as wire
from service.api.services import services_of
from service.errors import NotFound, PolicyError, Unavailable
from service.operators.backtesting.backtest import Changes
from service.operators.backtesting.backtests import Running
from service.operators.reports.activity import Length

LIMITS = msgspec.json.Decoder(wire.LimitsOrder)
BACKTEST = msgspec.json.Decoder(wire.BacktestOrder)
# The steps of a window, and over which span it is summed up by client, country and channel.
WINDOWS = {
    "1h": (Length("minute", 60), Length("hour", 2)),
    "24h": (Length("hour", 24), Length("hour", 24)),
    "30d": (Length("day", 30), Length("day", 30)),
}
MOST_PARTS = 100
LONGEST = 30 * 86_400


@get(
    "/activity",
    operation_id="readActivity",
    summary="See what the service did",
    description="By minute (1h), hour (24h) or day (30d), and by client, country and channel: for 1h, of this hour and "
    "the one before. From sums, however many verifications there are.",
    call=ApiCall(
        means="The sums.", gives=wire.ActivitySeen, query=("activity_window",), problems=(Invalid, Unavailable)
    ),
)
async def read_activity(request: AnyRequest) -> wire.ActivitySeen:
    await operator_of(request)
    given = request.query_params.getall("window", ["1h"])
    if len(given) != 1 or given[0] not in WINDOWS:
        raise Invalid("window", detail=f"One of {', '.join(WINDOWS)}.")
    steps, whole = WINDOWS[given[0]]
    activity = services_of(request).activity
    clients, countries, channels = (
        [msgspec.convert(part, wire.ActivityPart, from_attributes=True) for part in parts]
        for parts in (await activity.parts(whole, MOST_PARTS)).values()
    )
    series = await activity.series(steps)
    seen = [msgspec.convert(step, wire.ActivityStep, from_attributes=True) for step in series]
    return wire.ActivitySeen(seen, clients, countries, channels)


@post(
    "/limits",
    status_code=200,
    operation_id="readLimits",
    summary="See what limits do to a number",
    description="Requests that a limit refused are no verifications, and no search finds them: here they are.",
    call=ApiCall(means="The limits.", takes=wire.LimitsOrder, gives=wire.LimitsSeen),
)
async def read_limits(request: AnyRequest) -> wire.LimitsSeen:
    services, operator = services_of(request), await operator_of(request, search=True)
    data = await read_body(request, LIMITS)
    found = await services.number_limits.look_up(operator.key_id, read_number(data.phone_number))
    return msgspec.convert(found, wire.LimitsSeen, from_attributes=True)


@post(
    "/backtests",
    status_code=202,
    operation_id="startBacktest",
    summary="Try a policy on recorded sends",
    description="Runs beside the requests, slowly; one at a time. It changes nothing.",
    call=ApiCall(means="It runs.", takes=wire.BacktestOrder, gives=wire.BacktestStarted),
)
async def start_backtest(request: AnyRequest) -> wire.BacktestStarted:
    services, operator = services_of(request), await operator_of(request)
    data = await read_body(request, BACKTEST)
    length: timedelta = read_length(data.window, "window", LONGEST)
    try:
        return wire.BacktestStarted(await services.backtests.begin(operator.key_id, data.policy, length))
    except (PolicyError, Running) as error:
        raise Invalid("policy", detail=str(error)) from None


@get(
    "/backtests/{backtest_id:uuid}",
    operation_id="readBacktest",
    summary="See how far a backtest is",
    description="And what came of it, once it has ended. Kept for 30 days.",
    call=ApiCall(means="The backtest.", gives=wire.BacktestSeen, problems=(NotFound, Unavailable)),
)
async def read_backtest(request: AnyRequest, backtest_id: FromPath[UUID]) -> wire.BacktestSeen:
    await operator_of(request)
    run = await services_of(request).backtests.read(backtest_id)
    changes = _changes(run.changes) if run.changes else None
    return wire.BacktestSeen(
        run.id, run.version, run.began_at, run.ended_at, run.share, run.interrupted, run.error, changes
    )


HANDLERS = [read_activity, read_limits, start_backtest, read_backtest]


def _changes(changes: Changes) -> wire.BacktestChanges:
    rules = [wire.BacktestRule(rule, *msgspec.structs.astuple(one)) for rule, one in sorted(changes.rules.items())]
    return msgspec.convert(msgspec.structs.asdict(changes) | {"rules": rules}, wire.BacktestChanges)
