"""A rule that stops many rings, with what an operator needs to tell whether those were people."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from service.db.engine import Database
from service.fraud.decision import WAIVED
from service.fraud.tally import Counted, Tally
from service.policy import loading
from service.worker import alarms
from service.worker.suppressed import Shares, Suppression, Suppressions, find_suppressions, word
from tests.support.alarms import open_channel
from tests.support.dispatching import ended
from tests.support.fraud import decide
from tests.support.gateway import PHONE, POLICY, Calls, Gateway, run_gateway, run_process
from tests.support.waiting import until

RULES = loading.parse("").default.alerts
NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
FRENCH = [f"+336{n:02}234{n:03}" for n in range(10, 40)]
ONLY_US = POLICY + '[countries]\nallow = ["US"]\n'


async def request_all(calls: Iterable[Calls], numbers: Iterable[str]) -> None:
    for each, number in zip(calls, numbers, strict=False):
        assert (await each.request(number)).status == 202


async def test_thirty_numbers_of_a_country_that_is_not_served_ring_once_for_two_processes(database_url: str) -> None:
    async with (
        open_channel() as channel,
        run_gateway(database_url, policy=ONLY_US, ALERT_WEBHOOK_URL=channel.url) as gateway,
        run_process(gateway) as other,
    ):
        await request_all([gateway, other.calls] * 15, FRENCH)
        [text] = await channel.wait_for(1)
        assert text.startswith(
            "The rule country stopped 100% of shop's requests of the last hour (30 of 30; FR), 100% of the day's; "
            "what is usual is not known yet. It found: country FR by sms: 100%. If you serve them, name them"
        )
        await request_all([gateway], [PHONE])
        await asyncio.sleep(1.6 * alarms.LOOK_EVERY)
        assert len(channel.texts) == 1
        assert not any(number[1:] in text for number in FRENCH)


@pytest.mark.parametrize(("mode", "did"), [("enforce", "stopped"), ("observe", "would have stopped")])
async def test_a_rule_that_objects_to_a_client_rings_and_one_that_observes_says_so(
    database_url: str, mode: str, did: str
) -> None:
    policy = f'{POLICY}[alerts]\nsuppressed_least_requests=5\n[rules.number]\nkinds = ["toll_free"]\nmode = "{mode}"\n'
    async with (
        open_channel() as channel,
        run_gateway(database_url, policy=policy, ALERT_WEBHOOK_URL=channel.url) as one,
    ):
        await request_all([one] * 9, [*(f"+1800234567{n}" for n in range(5)), *(f"+131255501{n}0" for n in range(4))])
        [text] = await channel.wait_for(1)
        assert text.startswith(f"The rule number {did} ")
        assert "It found: kind toll_free: 100%" in text


async def test_neither_decoys_nor_test_clients_nor_fewer_than_the_least_ring(database_url: str) -> None:
    async with open_channel() as channel, run_gateway(
        database_url, policy=ONLY_US, ALERT_WEBHOOK_URL=channel.url
    ) as gateway:  # fmt: skip
        tests = await gateway.client("tests", test=True)
        for number in FRENCH:
            await tests.request(number)
            await gateway.request(number, deliver=False)
        begun = [await gateway.begin(number, ip_address="192.0.2.1") for number in FRENCH[:-1]]
        for one in begun:
            await ended(gateway, one)
        await until(lambda: count_decided(gateway, 29), "all are counted")
        await asyncio.sleep(1.6 * alarms.LOOK_EVERY)
        assert channel.texts == []


async def count_decided(gateway: Gateway, many: int) -> bool:
    counted = await gateway.database.pool.fetchval("select sum(count) from rule_counts where rule = ''")
    return bool(counted == many)


def counts(country: str, asked: int, /, **found: int) -> list[tuple[Counted, int]]:
    """Count requests of a country, and what rules found there: `rule=many`, enforced."""
    rules = [(Counted("shop", country, rule, "enforce", "why"), many) for rule, many in found.items()]
    return [(Counted("shop", country), asked), *rules]


@pytest.mark.parametrize(
    ("counted", "rings"),
    [
        (counts("US", 1000, bot=499), []),
        (counts("US", 1000, bot=500), [("bot", ["US"], 500, 1000)]),
        (counts("US", 29, bot=29), []),
        (counts("US", 1000) + counts("FR", 30, country=30), [("country", ["FR"], 30, 30)]),
        (counts("US", 20, bot=20) + counts("CA", 20, bot=15), [("bot", ["US", "CA"], 35, 40)]),
        (counts("US", 60, bot=60, tor=60), [("bot", ["US"], 60, 60), ("tor", ["US"], 60, 60)]),
        ([*counts("US", 60), (Counted("shop", "US", "no_event", "observe", "no event"), 60)], []),
        ([*counts("US", 60), (Counted("shop", "US", "bot", WAIVED, "bot bad"), 60)], []),
        ([*counts("US", 60), (Counted("bank", "US", "bot", "enforce", "bot bad"), 20)], []),
    ],
)
def test_what_rings(counted: list[tuple[Counted, int]], rings: list[tuple[str, list[str], int, int]]) -> None:
    found = find_suppressions(counted, RULES)
    assert [(one.rule, one.countries, one.suppressed, one.asked) for one in found] == rings


def test_the_words_tell_rule_client_shares_findings_and_what_to_do() -> None:
    one = Suppression(
        "shop", "bot", "enforce", 50, 60, ["US"], ["US"], [("bot not judged", 49), ("bot bad", 1)]
    )  # fmt: skip
    text = word(one, Shares(80, 400, 20, 1000))
    assert text == (
        "The rule bot stopped 83% of shop's requests of the last hour (50 of 60; US), 20% of the day's; usually 2%. It "
        "found: bot not judged: 98%, bot bad: 2%. If these are people, let the rule observe for this client while you "
        "look: [clients.shop.rules.bot]."
    )


async def test_the_shares_are_those_of_the_hour_the_day_and_the_week_before(database: Database) -> None:
    clock = [NOW]
    tally = Tally()
    watch = Suppressions(database.pool, tally, RULES, lambda: clock[0])
    for ago, asked, suppressed, mode in (
        (timedelta(days=9), 100, 100, "enforce"), (timedelta(days=3), 100, 5, "enforce"),
        (timedelta(days=3), 0, 90, "observe"), (timedelta(hours=5), 40, 0, "enforce"),
        (timedelta(minutes=10), 40, 40, "enforce"), (timedelta(minutes=10), 0, 40, "observe"),
    ):  # fmt: skip
        clock[0] = NOW - ago
        tally._counts[Counted("shop", "US")] += asked
        tally._counts[Counted("shop", "US", "bot", mode, "bot bad")] += suppressed
        await watch.store()
    clock[0] = NOW
    # Where it only observes, what it finds is what it found all week.
    [(kind, text)] = (await watch.find(objections=True)).items()
    assert kind == "suppressed shop bot enforce"
    assert "100% of shop's requests of the last hour (40 of 40; US), 50% of the day's; usually 5%" in text
    assert await watch.find(objections=True) == {kind: text}


async def test_what_could_not_be_stored_is_stored_later(database: Database) -> None:
    tally = Tally()
    watch = Suppressions(database.pool, tally, RULES, lambda: None)
    tally.note("shop", decide(allow=True))
    await database.pool.execute("alter table rule_counts rename to away")
    with pytest.raises(Exception, match="rule_counts"):
        await watch.store()
    tally.note("shop", decide(allow=True))
    await database.pool.execute("alter table away rename to rule_counts")
    await watch.store()
    assert await database.pool.fetchval("select sum(count) from rule_counts") == 2
