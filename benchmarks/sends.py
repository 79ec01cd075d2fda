"""What a whole send and a check cost the service and PostgreSQL, and how many they carry: `python -m benchmarks sends`.

Both have one core together; the load and the vendors' stubs have the others. Windows go by turns: 20 a second, 200 a
second, pressed. With another checkout beside it, each window is played on both, and the one that begins changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress

from benchmarks.cpu import Calibration
from benchmarks.environment import Environment
from benchmarks.figures import Figures, merge, note
from benchmarks.machine import memory_of, share_cores
from benchmarks.meter import (
    BUSY,
    POSTGRES,
    PRESSED,
    PRESSED_WRONG,
    QUIET,
    RIGHT,
    SEND,
    SERVICE,
    TOGETHER,
    WRONG,
    Disturbed,
    Meter,
    name_cost,
)
from benchmarks.report import Report, Table
from benchmarks.vendors import FINGERPRINT_KEY, SECONDS, run_vendors

SLOW = 0.15  # seconds that the vendors take while replies are timed
LONE = QUIET._replace(items=40)
WARM = 2


async def measure(houses: Sequence[Environment], calibration: Calibration, report: Report, turns: int) -> None:
    """Take turns on every side, and print what each cost."""
    with share_cores() as cores:
        async with AsyncExitStack() as running:
            vendors = await running.enter_async_context(run_vendors(houses[0].folder))
            meters = []
            for house in houses:
                house.telnyx_url = vendors.url
                await house.pin(cores)
                gateway = await running.enter_async_context(house.serve(FINGERPRINT_SECRET_KEY=FINGERPRINT_KEY))
                meters.append(Meter(house, gateway, vendors, await house.postmaster()))
            for meter in meters:
                await _warm(meter)
            await _take_turns(meters, calibration, report, turns)
            for meter, figures in zip(meters, report.figures, strict=False):
                note(figures, "memory of the service after the load", memory_of(meter.gateway.pid), "MB")
    for meter, figures in zip(meters, report.figures, strict=False):
        await meter.house.forget()
        _tell(meter.house.checkout.name_commit(), figures, report)


async def _warm(meter: Meter) -> None:
    """Fill the histories with converted sends, and forget what that cost."""
    for _ in range(WARM):
        with suppress(Disturbed):
            await meter.check(RIGHT, await meter.send(PRESSED), PRESSED)
    meter.figures.clear()


async def _take_turns(meters: Sequence[Meter], calibration: Calibration, report: Report, turns: int) -> None:
    """Take so many turns on every side. One that was disturbed counts on no side, and is taken once more."""
    left, lost = turns, 0
    while left:
        try:
            await _take_turn(meters if left % 2 else meters[::-1])
        except Disturbed as disturbed:
            print(f"A turn is lost: {disturbed}.\n", flush=True)
            lost += 1
            if lost > turns:
                raise
            for meter in meters:
                await meter.house.wait_until_sent()
        else:
            left -= 1
            for meter, figures in zip(meters, report.figures, strict=False):
                merge(figures, meter.figures)
        for meter in meters:
            meter.figures.clear()
        calibration.take()


async def _take_turn(meters: Sequence[Meter]) -> None:
    for pace, wrong in ((QUIET, QUIET), (BUSY, BUSY), (PRESSED, PRESSED_WRONG)):
        rows = [await meter.send(pace) for meter in meters]
        for name, how in ((WRONG, wrong), (RIGHT, pace)):
            for meter, given in zip(meters, rows, strict=True):
                await meter.check(name, given, how)
    for meter in meters:
        await meter.reach(LONE)
    for meter in meters:
        await meter.reply(BUSY, SLOW)


def _tell(commit: str, figures: Figures, report: Report) -> None:
    parts = (SERVICE, POSTGRES, TOGETHER)
    heads = [f"CPU ms, vendors at {SECONDS * 1_000:.0f} ms", *(f"{part}, least (median)" for part in parts)]
    table = Table(f"One call, {commit}", heads)
    for name in (SEND, RIGHT, WRONG):
        for pace in (QUIET, BUSY, PRESSED):
            spent = [figures[name_cost(name, pace, part)] for part in parts]
            table.add(f"{name}, {pace.name}", *(f"{one.best:.2f} ({one.median:.2f})" for one in spent))
    report.show(table)
    others = Table("Beside that", ["", "unit", "median", "best"])
    for name, figure in figures.items():
        if not name.startswith("CPU"):
            others.add(name, figure.unit, f"{figure.median:.3g}", f"{figure.best:.3g}")
    report.show(others)
