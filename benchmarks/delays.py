"""How long it takes from a request's arrival to the call to Telnyx: `python -m benchmarks delays`.

Times are taken in the load's process, from when a request was to go, to when the stand-in received the call; arrivals
are those of a Poisson process.
"""

from __future__ import annotations

from benchmarks import requests as asks
from benchmarks.cpu import Calibration
from benchmarks.environment import Environment
from benchmarks.figures import note
from benchmarks.gateway import OBSERVED, Gateway
from benchmarks.report import Report, Table, percentile

RATES = (40, 120)  # a second
SECONDS = 8
ACCEPTED = 202


async def measure(environment: Environment, calibration: Calibration, report: Report) -> None:
    """Play each rate."""
    table = Table("From a request's arrival to the call to Telnyx, ms", ["", "p50", "p95", "p99", "requests"])
    async with environment.play_telnyx(), environment.serve(OBSERVED) as gateway:
        await _reach(environment, gateway, RATES[0], RATES[0])
        for rate in RATES:
            times = await _reach(environment, gateway, rate * SECONDS, rate)
            shares = {share: percentile(times, share) * 1_000 for share in (0.5, 0.95, 0.99)}
            table.add(f"{rate} a second", *(f"{ms:.0f}" for ms in shares.values()), str(len(times)))
            for share, ms in shares.items():
                note(report.figures[0], f"arrival to call, {rate} a second, p{share * 100:.0f}", ms, "ms")
            calibration.take()
    report.show(table)
    await environment.forget()


async def _reach(environment: Environment, gateway: Gateway, count: int, rate: float) -> list[float]:
    requests = [asks.ask(environment.key) for _ in range(count)]
    answers = await gateway.load.play(requests, rate=rate)
    if refused := [answer.status for answer in answers if answer.status != ACCEPTED]:
        raise RuntimeError(f"answered {refused[0]}")
    await environment.wait_until_sent()
    began = {asks.number_in(request): answer.began for request, answer in zip(requests, answers, strict=True)}
    times = [call["at"] - began[call["phone_number"]] for call in await environment.journal("send")]
    if len(times) != count:
        raise RuntimeError(f"of {count} only {len(times)} were sent")
    return times
