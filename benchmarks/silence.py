"""Whether one answer tells a real verification from a decoy, by its time or its looks: `python -m benchmarks silence`.

Plays real and decoy verifications, shuffled, against `serve` in front of a Telnyx at 100 ms that drifts by 30, webhooks
and all, and classifies them by each call's time. Then the same in front of one that limps (benchmarks.limping).
"""

from __future__ import annotations

import random

from benchmarks import limping
from benchmarks.auc import Area, compare
from benchmarks.cpu import Calibration
from benchmarks.environment import Environment
from benchmarks.gateway import OBSERVED
from benchmarks.players import CALLS, POLICY, Kind, make_kinds, play_all
from benchmarks.report import Report, Table, percentile

MANY, PLAYERS = 150, 75
DRIFT = 0.03
SENDS = 3  # of one play: two requests and a fallback


async def measure(environment: Environment, calibration: Calibration, report: Report) -> None:
    """Play everything, and classify."""
    real, decoys = make_kinds()
    plays = [kind for kind in (real, real, *decoys) for _ in range(MANY)]
    random.shuffle(plays)
    async with environment.play_telnyx(DRIFT, webhooks=True), environment.serve(POLICY + OBSERVED) as gateway:
        await play_all(gateway.url, environment.key, plays, PLAYERS)
        await environment.wait_until_sent()
        sent = sum(call["phone_number"].startswith(real.prefix) for call in await environment.journal("send"))
    if sent != SENDS * 2 * MANY:
        raise RuntimeError(f"{sent} real sends went out, not {SENDS * 2 * MANY}")
    await environment.forget()
    calibration.take()
    _tell(real, decoys, report)
    await limping.measure(environment, calibration, report)


def _tell(real: Kind, decoys: list[Kind], report: Report) -> None:
    table = Table(
        f"AUC of one answer's time ({2 * MANY} real, {MANY} of each decoy; ± 95 %)",
        ["", "real, ms, p50", *(kind.name for kind in decoys), "all decoys"],
    )
    together: dict[str, Area] = {}
    for call in CALLS:
        together[call] = compare(real.times[call], [one for kind in decoys for one in kind.times[call]])
        areas = [compare(real.times[call], kind.times[call]) for kind in decoys]
        cells = (area.write() for area in [*areas, together[call]])
        table.add(call, f"{percentile(real.times[call], 0.5) * 1_000:.0f}", *cells)
    report.show(table)
    alike = all(kind.shapes[call] == real.shapes[call] for call in CALLS for kind in decoys)
    print(f"Status, headers and length of every answer: {'alike' if alike else 'NOT alike'}.\n")
    call, worst = max(together.items(), key=lambda item: item[1].surprise)
    print(f"The farthest from 0.5 of {len(CALLS)} calls: {call}, {worst.write()}.\n")
    report.aim("AUC's distance from 0.5 in its deviations, the worst call", worst.surprise, 3.0, "")
