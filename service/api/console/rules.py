"""The console's pages on rules: what each stops and who of those were people, the policy, and backtests.

Routed by app through the console's router. Changes no rule: the policy is a file.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath

from service.api.bodies import AnyRequest
from service.api.console.entry import leave_for
from service.api.console.pages import render
from service.api.console.rule_lines import list_lines
from service.api.console.session import Signed, read_signed_form, signed_in
from service.api.services import Services, services_of
from service.errors import PolicyError
from service.operators.backtesting.backtest import NOT_DECIDED_AGAIN
from service.operators.backtesting.backtests import Running
from service.operators.explaining.explanations import words_of
from service.operators.reports.activity import Length, total
from service.operators.reports.rule_shares import read_shares
from service.policy import rendering

# How far back rules are counted, and over which sums that is; the counts are kept for nine days.
WINDOWS = {"24h": (timedelta(days=1), Length("hour", 25)), "7d": (timedelta(days=7), Length("day", 8))}
WINDOW = "24h"
SINCES = {"1d": timedelta(days=1), "7d": timedelta(days=7), "30d": None}
MOST_RUNS = 10


@get("/rules")
async def show_rules(request: AnyRequest) -> Response[str]:
    """Show what each rule does."""
    window = request.query_params.get("window", WINDOW)
    return await _show(services_of(request), await signed_in(request), window if window in WINDOWS else WINDOW)


@get("/rules/policy")
async def show_policy(request: AnyRequest) -> Response[str]:
    """Show the policy in force, and what of it differs from the shipped one."""
    signed, services = await signed_in(request), services_of(request)
    try:
        told = rendering.compare(services.policy_file)
    except PolicyError as error:
        return render("policy", signed=signed, told=None, wrong=str(error), version=services.policies.default.version)
    return render("policy", signed=signed, told=told, wrong=None, version=services.policies.default.version)


@post("/backtests", status_code=303)
async def begin_backtest(request: AnyRequest) -> Response[Any]:
    """Begin a backtest of a policy file that was pasted."""
    signed, form = await read_signed_form(request)
    services, text = services_of(request), form.get("policy", "").replace("\r\n", "\n")
    since = SINCES.get(form.get("since", ""), SINCES["7d"])
    try:
        row = await services.backtests.begin(signed.caller.key_id, text, since)
    except (PolicyError, Running) as error:
        return await _show(services, signed, WINDOW, 422, wrong=str(error), pasted=text)
    return leave_for(f"/operator/backtests/{row}")


@get("/backtests/{backtest_id:uuid}")
async def show_backtest(request: AnyRequest, backtest_id: FromPath[UUID]) -> Response[str]:
    """Show how far a backtest is, or what came of it."""
    signed = await signed_in(request)
    run = await services_of(request).backtests.read(backtest_id)
    return render("backtest", live=True, signed=signed, run=run, left_out=NOT_DECIDED_AGAIN)


async def _show(
    services: Services, signed: Signed, chosen: str, status: int = 200, *, wrong: str | None = None, pasted: str = ""
) -> Response[str]:
    window, steps = WINDOWS[chosen]
    found = await services.measured.look()
    measured = found.what
    lines = list_lines(
        await read_shares(services.database, window, services.now),
        measured.outcomes if measured else [],
        total(await services.activity.series(steps)).suppressed,
    )
    return render(
        "rules",
        status,
        signed=signed,
        enforced=[line for line in lines if line.mode == "enforce"],
        observed=[line for line in lines if line.mode == "observe"],
        measured=measured,
        measured_at=found.at,
        window=chosen,
        windows=list(WINDOWS),
        words=words_of,
        runs=await services.backtests.list(MOST_RUNS),
        sinces=list(SINCES),
        wrong=wrong,
        pasted=pasted,
    )
