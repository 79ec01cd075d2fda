"""What a process has open is closed in reverse, whatever becomes of one part: it fails to open, to close, or to end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from service.lifetime import LAST_WORDS, Lifetime
from tests.support.waiting import PATIENCE, until

LIMIT = 0.2


class Part:
    """A part that writes down when it is closed. `ending`: how."""

    def __init__(self, name: str, closed: list[str], ending: str = "well") -> None:
        self.name = name
        self.ending = ending
        self._closed = closed

    async def aclose(self) -> None:
        self._closed.append(self.name)
        if self.ending == "raises":
            raise RuntimeError(self.name)
        while self.ending in ("hangs", "is deaf"):
            try:
                await asyncio.sleep(PATIENCE)
            except asyncio.CancelledError:
                if self.ending == "hangs":
                    raise


@pytest.fixture
def closed() -> Iterator[list[str]]:
    """Answer the names of the parts that were closed, in order."""
    names: list[str] = []
    yield names
    assert len(names) == len(set(names)), "each is closed once"


async def test_parts_are_closed_in_the_reverse_of_the_order_in_which_they_were_opened(closed: list[str]) -> None:
    async with Lifetime() as lifetime:
        held = [lifetime.hold(Part(name, closed)) for name in "abc"]
        assert [part.name for part in held] == ["a", "b", "c"]
        assert closed == []
    assert closed == ["c", "b", "a"]


@pytest.mark.parametrize("opened", range(4))
async def test_where_a_part_does_not_open_those_before_it_are_closed(closed: list[str], opened: int) -> None:
    async def open_part(number: int) -> Part:
        if number == opened:
            raise OSError(str(number))
        return Part(str(number), closed)

    async def live() -> None:
        async with Lifetime() as lifetime:
            for number in range(4):
                lifetime.hold(await open_part(number))

    with pytest.raises(OSError, match=str(opened)):
        await live()
    assert closed == [str(number) for number in reversed(range(opened))]


@pytest.mark.parametrize("ending", ["raises", "hangs", "is deaf"])
@pytest.mark.parametrize("place", range(3))
async def test_a_part_that_does_not_close_keeps_none_of_the_others_and_is_named(
    closed: list[str], ending: str, place: int
) -> None:
    parts = [Part(str(number), closed, ending if number == place else "well") for number in range(3)]
    with capture_logs() as logs:
        begun = time.monotonic()
        async with Lifetime() as lifetime:
            for part in parts:
                lifetime.hold(part, LIMIT)
        took = time.monotonic() - begun
    assert closed == ["2", "1", "0"]
    assert [(line["event"], line["part"]) for line in logs] == [
        ("close_failed" if ending == "raises" else "not_closed", "Part")
    ]
    assert took < PATIENCE / 2, f"not when it ends by itself, but after its {LIMIT + LAST_WORDS} s"
    parts[place].ending = "well"
    await _let_go()


async def test_all_parts_may_hang_and_each_costs_its_own_limit(closed: list[str]) -> None:
    begun = time.monotonic()
    async with Lifetime() as lifetime:
        for name in "abc":
            lifetime.hold(Part(name, closed, "hangs"), LIMIT)
    assert 3 * LIMIT <= time.monotonic() - begun < PATIENCE / 2
    assert closed == ["c", "b", "a"]


async def test_a_cancellation_while_a_part_closes_still_closes_the_others(closed: list[str]) -> None:
    async def live() -> None:
        async with Lifetime() as lifetime:
            lifetime.hold(Part("a", closed))
            lifetime.hold(Part("b", closed, "hangs"), PATIENCE)

    living = asyncio.create_task(live())
    await until(lambda: closed == ["b"], "it hangs")
    living.cancel()
    with pytest.raises(asyncio.CancelledError):
        await living
    assert closed == ["b", "a"]


async def _let_go() -> None:
    """Let a deaf part hear that it may end."""
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        if "aclose" in repr(task):
            task.cancel()
            await asyncio.wait([task])
