"""The console's first page: what happens now, by minute and by day, what it costs, and what is wrong.

Routed by app through the console's router. Reads sums; changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from litestar import Response, get

from service.api.bodies import AnyRequest
from service.api.console.pages import render
from service.api.console.session import signed_in
from service.api.services import Services, services_of
from service.operators.reports.activity import Length, total
from service.verification.gate import OTHERS

MINUTES, DAYS = Length("minute", 60), Length("day", 30)
WINDOWS = {"2h": Length("hour", 2), "24h": Length("hour", 24), "7d": Length("day", 7), "30d": Length("day", 30)}
WINDOW = "24h"
MOST_PARTS, MOST_OPEN, MOST_PAST = 12, 50, 15


class Breaker(NamedTuple):
    """One circuit breaker towards Telnyx. `reason`: why it is open, None while it is closed."""

    whose: str
    reason: str | None


@get("/")
async def show_now(request: AnyRequest) -> Response[str]:
    """Show what happens now."""
    signed, services = await signed_in(request), services_of(request)
    chosen = request.query_params.get("window", WINDOW)
    window = WINDOWS.get(chosen, WINDOWS[WINDOW])
    minutes, days = await services.activity.series(MINUTES), await services.activity.series(DAYS)
    policy = services.policies.default
    return render(
        "now",
        signed=signed,
        minutes=minutes,
        days=days,
        hour=total(minutes),
        today=days[-1],
        windows=list(WINDOWS),
        window=chosen if chosen in WINDOWS else WINDOW,
        sides=await services.activity.parts(window, MOST_PARTS),
        spending=await services.situation.spending(policy.budgets),
        prices=policy.prices,
        queue=await services.situation.queue(),
        latency=await services.situation.latency(),
        breakers=_list_breakers(services),
        pause=services.gate.health.paused_for(),
        alerts=(await services.records.alerts(None, MOST_OPEN, still_open=True)).rows,
        past=(await services.records.alerts(None, MOST_PAST, still_open=False)).rows,
    )


def _list_breakers(services: Services) -> list[Breaker]:
    """List this process's breakers: for everybody, then for each Verify profile."""
    health = services.gate.health
    trouble, reasons = health.trouble(), health.reasons_of_profiles()
    whole = Breaker("Telnyx, for everybody", trouble.reason if trouble else None)
    return [
        whole,
        *(Breaker(f"the profile of {_word(who)}", reasons.get(one)) for one, who in health.owners.items()),
    ]


def _word(clients: Sequence[str]) -> str:
    return ", ".join(clients).replace(OTHERS, "all clients without one of their own")
