"""How many requests a second are admitted, and what one costs, beside pgbench: `python -m benchmarks admission`.

pgbench calls the same function on the same server, one item a call and as many as a batch holds. The gateway is the
served one with no slot for sends: what it spends is spent on answering, and the rows wait for others.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks import admits, pgbench
from benchmarks import requests as asks
from benchmarks.admits import Spent
from benchmarks.client_comparison import alone
from benchmarks.cpu import Calibration, Clock
from benchmarks.environment import Environment
from benchmarks.figures import note_all
from benchmarks.gateway import Gateway
from benchmarks.report import Report, Table

CLIENTS = 32
ITEMS = 32
CYCLES = 2
WINDOWS = 3
REQUESTS = 1_000
QUIET = 200  # requests a second of a process under little load
SECONDS = 4  # of pgbench
WARM = 400
ACCEPTED = 202
STORE = f"store alone, {CLIENTS} at once"
GATEWAY = f"gateway, {CLIENTS} connections"
UNPRESSED = f"gateway, {QUIET} requests a second"
SINGLE = f"pgbench, {CLIENTS} connections, 1 item a call"
BATCH = f"pgbench, 1 connection, {ITEMS} items a call"


async def measure(environment: Environment, calibration: Calibration, report: Report) -> None:
    """Measure in turns, so that other load on the machine disturbs all alike."""
    found: dict[str, list[Spent]] = {name: [] for name in (STORE, GATEWAY, UNPRESSED, SINGLE, BATCH)}
    database = await environment.clock_server()
    with TemporaryDirectory() as folder:
        async with environment.play_telnyx(), environment.serve(slots=0) as gateway:
            await _ask(gateway, environment, database, WARM)
            for _ in range(CYCLES):
                for _ in range(WINDOWS):
                    found[GATEWAY].append(await _ask(gateway, environment, database, REQUESTS))
                    found[UNPRESSED].append(await _ask(gateway, environment, database, QUIET, rate=QUIET))
                    calibration.take()
                found[STORE] += await _admit(environment)
                found[SINGLE] += await _bench(environment, Path(folder), CLIENTS, 1, database)
                found[BATCH] += await _bench(environment, Path(folder), 1, ITEMS, database)
                calibration.take()
    _tell(found, report)


async def _ask(gateway: Gateway, environment: Environment, database: Clock, count: int, rate: float = 0.0) -> Spent:
    requests = [asks.ask(environment.key) for _ in range(count)]
    service, server = gateway.cpu(), database()
    answers = await gateway.load.play(requests, connections=CLIENTS, rate=rate)
    used = [(gateway.cpu() - service) * 1_000 / count, (database() - server) * 1_000 / count]
    if refused := [answer.status for answer in answers if answer.status != ACCEPTED]:
        raise RuntimeError(f"answered {refused[0]}")
    took = max(answer.began + answer.seconds for answer in answers) - min(answer.began for answer in answers)
    await environment.forget()
    return Spent(count / took, *used)


async def _admit(environment: Environment) -> list[Spent]:
    work = (environment.server.url(), await environment.postmaster(), WINDOWS, REQUESTS, CLIENTS)
    with alone() as pool:
        spent = await asyncio.get_running_loop().run_in_executor(pool, admits.run, *work)
    await environment.forget()
    return spent


async def _bench(environment: Environment, folder: Path, clients: int, items: int, database: Clock) -> list[Spent]:
    script = folder / str(items)
    script.write_text(pgbench.write_script(items))
    windows = await pgbench.run(environment.server, script, clients, SECONDS, database)
    await environment.forget()
    return [Spent(calls * items, 0.0, ms / items) for calls, ms in windows]


def _tell(found: dict[str, list[Spent]], report: Report) -> None:
    heads = [
        "",
        "admitted a second, best",
        "median",
        "beside pgbench",
        "our CPU ms, least",
        "PostgreSQL, CPU ms, least",
    ]
    table = Table("Admission", heads)
    against = median(window.rate for window in found[SINGLE])
    for name, windows in found.items():
        rates = [window.rate for window in windows]
        service = min(window.service for window in windows)
        table.add(
            name,
            f"{max(rates):.0f}",
            f"{median(rates):.0f}",
            f"{median(rates) / against:.2f}" if name != UNPRESSED else "-",
            f"{service:.3f}" if service else "-",
            f"{min(window.database for window in windows):.3f}",
        )
    report.show(table)
    for name in (GATEWAY, STORE):
        rate = median(window.rate for window in found[name])
        report.aim(f"Admissions a second beside pgbench's (1 item a call): {name}", rate / against, 0.5, "", least=True)
    for name in (GATEWAY, UNPRESSED):
        spent = [window.service for window in found[name]]
        report.aim(f"CPU to answer a request: {name}", min(spent), 0.25, "ms", windows=spent)
        server = [window.database for window in found[name]]
        note_all(report.figures[0], f"PostgreSQL's CPU to admit a request: {name}", server, "ms")
