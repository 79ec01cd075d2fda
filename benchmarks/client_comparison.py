"""CPU of one call by each of several ways to make it: only the calling process is counted, its threads included.

Used by outbound and devices. Each way runs in a process of its own; the lowest of several windows is printed.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager

import uvloop

IN_FLIGHT = 50
WINDOWS = 4
CALLS = 500
UPSTREAM = (0.0, 0.1)

Call = Callable[[], Awaitable[object]]
Way = Callable[[str], AbstractAsyncContextManager[Call]]


def expect(right: object) -> None:
    """A call that went wrong must not count as a cheap one."""
    if not right:
        raise RuntimeError("the call did not do what is measured")


def compare(unit: str, whom: str, ways: Mapping[str, Way], stub: str, path: str = "") -> None:
    """Print a table of CPU ms a `unit`, one column for each time that `whom` takes to answer.

    `stub`: the module that stands in for them; `path`: where it begins.
    """
    heads = " | ".join(f"{whom} at {seconds * 1_000:.0f} ms" for seconds in UPSTREAM)
    print(f"| CPU ms {unit}, {IN_FLIGHT} in flight | {heads} |\n|---|{'---|' * len(UPSTREAM)}")
    for name, way in ways.items():
        spent = []
        for seconds in UPSTREAM:
            with _serve(stub, seconds) as base_url, alone() as pool:
                spent.append(pool.submit(_run, way, base_url + path).result())
        print(f"| {name} | {' | '.join(f'{each:.3f}' for each in spent)} |", flush=True)


def alone() -> ProcessPoolExecutor:
    """Start a fresh process, which has imported nothing of another variant."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


@contextmanager
def _serve(stub: str, seconds: float) -> Iterator[str]:
    command = [sys.executable, "-m", stub, str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{next(iter(process.stdout or ())).strip()}"
        finally:
            process.terminate()


def _run(way: Way, base_url: str) -> float:
    return uvloop.run(_measure(way, base_url))


async def _measure(way: Way, base_url: str) -> float:
    async with way(base_url) as call:
        await _spend(call, IN_FLIGHT * 2)
        return min([await _spend(call, CALLS) for _ in range(WINDOWS)])


async def _spend(call: Call, calls: int) -> float:
    """Return the CPU in ms of one call, over one window."""
    left = iter(range(calls))

    async def work() -> None:
        for _ in left:
            await call()

    started = time.process_time()
    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return (time.process_time() - started) * 1_000 / calls
