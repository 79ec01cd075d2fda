"""Whether callbacks tell a real verification from a decoy: by their content, their order or their time.

Called by benchmarks.callbacks. Plays verifications that end as decoys can (locked, expired, canceled), shuffled, and
classifies what came by how it differs from what the caller knows already.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

import aiohttp
import msgspec

from benchmarks.auc import Area, compare
from benchmarks.callback_receiver import Told
from benchmarks.environment import Environment
from benchmarks.gateway import Gateway
from benchmarks.players import Kind, make_kinds
from benchmarks.report import Report, Table, percentile
from tests.support.gateway import make_key

if TYPE_CHECKING:
    from benchmarks.callbacks import Receivers

Ending = Literal["canceled", "locked", "expired"]
PLAYERS = 60
GUESSES = 5
BOUND = 0.04


class Played(msgspec.Struct):
    """One verification that ended. `ended`: when its caller's last call left, or when it expired (unix time).

    `reply`: how long that call took; `rank`: its place in the order of their ends.
    """

    real: bool
    ended: float
    reply: float
    rank: int = 0


class Seen(msgspec.Struct):
    """What a classifier sees of one callback, measured from what only its caller decides, and of the last reply."""

    delay: float
    dated: float
    moved: int
    reply: float
    shape: tuple[str, ...]


FEATURES: dict[str, Callable[[Seen], float]] = {
    "time": lambda one: one.delay,
    "its timestamp": lambda one: one.dated,
    "order": lambda one: float(one.moved),
}
# Of the call itself, measured with the same load: it is no callback's to hide.
REPLY = "(the last reply's time)"


async def measure_tells(
    environment: Environment, gateway: Gateway, receivers: Receivers, report: Report, many: int
) -> None:
    """Play so many verifications for each ending, and classify their callbacks."""
    areas: dict[str, Area] = {}
    table = Table(
        f"AUC of callbacks, {many // 2} real against {many // 2} that sent nothing (± 95 %)",
        ["ended as", "delay, real, ms, p50", *FEATURES, "content", REPLY],
    )
    for ending in get_args(Ending):
        client = "brief" if ending == "expired" else "shop"
        key = environment.key if client == "shop" else await make_key(environment.database, client)
        played = await _play_all(gateway.url, key, ending, many)
        seen = _compare(played, await receivers.wait_for("/take", len(played)))
        found = {
            name: compare([feature(one) for one in seen[True]], [feature(one) for one in seen[False]])
            for name, feature in FEATURES.items()
        }
        areas |= {f"{ending}, {name}": area for name, area in found.items()}
        shapes = [{one.shape for one in seen[real]} for real in (True, False)]
        alike = "alike" if shapes[0] == shapes[1] else "NOT alike"
        middle = percentile([one.delay for one in seen[True]], 0.5) * 1_000
        reply = compare([one.reply for one in seen[True]], [one.reply for one in seen[False]])
        table.add(ending, f"{middle:.0f}", *(area.write() for area in found.values()), alike, reply.write())
        await environment.wait_until_sent()
    report.show(table)
    worst, area = max(areas.items(), key=lambda item: abs(item[1].value - 0.5))
    print(f"The farthest from 0.5: {worst}, {area.write()}.\n")
    report.aim("Callbacks' AUC, distance of the farthest from 0.5", abs(area.value - 0.5), BOUND, "")


async def _play_all(url: str, key: str, ending: Ending, many: int) -> dict[str, Played]:
    real, decoys = make_kinds()
    sorts = [real] * (many // 2) + [decoys[place % len(decoys)] for place in range(many // 2)]
    random.shuffle(sorts)
    # A prefix of its own for each ending: a number's budget of wrong codes outlives its verifications.
    numbers: Iterator[int] = iter(random.sample(range(10_000, 99_999), many))
    left, played = iter(sorts), {}

    async def work() -> None:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session:
            for sort in left:
                name, ended, reply = await _play(session, f"{url}/v1/verifications", sort, next(numbers), ending)
                played[name] = Played(sort is real, ended, reply)

    await asyncio.gather(*(work() for _ in range(PLAYERS)))
    for rank, one in enumerate(sorted(played.values(), key=lambda one: one.ended)):
        one.rank = rank
    return played


async def _play(
    session: aiohttp.ClientSession, url: str, sort: Kind, number: int, ending: Ending
) -> tuple[str, float, float]:
    """Play one; return its id, when its last call left or it expired, and how long its last call took."""
    body = {"phone_number": f"{sort.prefix}{number:05}", "ip_address": "203.0.113.9", **sort.fields}
    began = time.time()
    asked = await _call(session, url, body)
    if ending == "expired":
        return asked["id"], datetime.fromisoformat(asked["expires_at"]).timestamp(), time.time() - began
    await asyncio.sleep(random.uniform(0.3, 1.3))
    calls = [("cancel", None)] if ending == "canceled" else [("verify", {"code": "12345"})] * GUESSES
    for path, content in calls:
        began = time.time()
        await _call(session, f"{url}/{asked['id']}/{path}", content)
    return asked["id"], began, time.time() - began


async def _call(session: aiohttp.ClientSession, url: str, body: Any) -> Any:
    async with session.post(url, json=body) as reply:
        if not reply.ok:
            raise RuntimeError(f"{reply.status}: {await reply.text()}")
        return await reply.json()


def _compare(played: dict[str, Played], told: list[Told]) -> dict[bool, list[Seen]]:
    """Return what was seen of real ones and of decoys. Raises RuntimeError if one was told twice or wrongly."""
    seen: dict[bool, list[Seen]] = defaultdict(list)
    events = [(one, msgspec.json.decode(one.body)) for one in sorted(told, key=lambda one: one.at)]
    if len({event["data"]["verification_id"] for _, event in events}) != len(played):
        raise RuntimeError("a verification was told twice, or not at all")
    for place, (one, event) in enumerate(events):
        known = played[event["data"]["verification_id"]]
        dated = datetime.fromisoformat(event["timestamp"]).timestamp()
        shape = (*one.names, *event, *event["data"], str(len(one.body)))
        seen[known.real].append(Seen(one.at - known.ended, dated - known.ended, place - known.rank, known.reply, shape))
    return seen
