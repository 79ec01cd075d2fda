"""A country's sends may go out for nothing up to three times its busiest day; what converts as usual is not stopped."""

from __future__ import annotations

import asyncio

import pytest

from service.db.engine import Database
from service.errors import PolicyError
from service.policy.loading import parse
from service.sandbox.captcha_app import SECRET
from tests.support.alarms import open_channel
from tests.support.dispatching import run_beside
from tests.support.fraud import enforced
from tests.support.gateway import POLICY, Gateway, read_code, run_gateway
from tests.support.waiting import until

LEAST = "[budgets]\nunconverted_least = 4\n"
INSURANCE = "budget_unconverted"
YESTERDAY = """
insert into ledger (day, client_id, country, channel, sends, spent, stopped, saved)
select (now() at time zone 'UTC')::date - $1::int, 1, $2, 'sms', $3::int, 0, 0, 0
"""


def us(number: int) -> str:
    return f"+131255501{number:02}"


async def remember(database: Database, sends: int, *, days_ago: int = 1, country: str = "US") -> None:
    await database.pool.execute(YESTERDAY, days_ago, country, sends)


async def count_stopped(gateway: Gateway, begun: list[str]) -> int:
    return [await enforced(gateway, one) for one in begun].count({INSURANCE})


async def test_three_times_the_busiest_day_of_the_fortnight_is_never_passed_however_many_processes_send(
    database_url: str, database: Database
) -> None:
    for days_ago, sends in ((1, 1), (9, 2), (13, 1), (15, 40)):
        await remember(database, sends, days_ago=days_ago)
    async with (
        run_gateway(database_url, policy=POLICY + LEAST) as gateway,
        run_beside(gateway) as other,
    ):
        begun = await asyncio.gather(*((gateway, other)[n % 2].begin(us(n)) for n in range(16)))
        assert await count_stopped(gateway, begun) == 10
        assert len(gateway.stage.journal.list_calls("send")) == 6
        ca = await gateway.begin("+14165550100")
        assert await enforced(gateway, ca) == set(), "Canada has no history"


async def test_ten_times_the_usual_goes_out_while_codes_are_entered_as_usual(
    database_url: str, database: Database
) -> None:
    await remember(database, 2)
    async with run_gateway(database_url, policy=POLICY + LEAST) as gateway:
        for n in range(20):
            begun = await gateway.begin(us(n))
            assert await enforced(gateway, begun) == set()
            if n % 2:
                await gateway.verify(begun, await read_code(gateway, us(n)))
                await wait_for_entered(database, (n + 1) // 2)


async def wait_for_entered(database: Database, count: int) -> None:
    entered = "select sum(converted) = $1 from country_hours"
    await until(lambda: database.pool.fetchval(entered, count), "it is counted as entered")


async def test_it_rings_at_half_and_when_it_is_reached_and_says_what_to_do(
    database_url: str, database: Database
) -> None:
    await remember(database, 1)
    fast = 'ends_after = "1h"\n'
    policy = f"{POLICY}{LEAST}[alerts]\n{fast}"
    async with open_channel() as channel, run_gateway(
        database_url, policy=policy, ALERT_WEBHOOK_URL=channel.url
    ) as gateway:  # fmt: skip
        for n in range(2):
            assert await enforced(gateway, await gateway.begin(us(n))) == set()
        [text] = await channel.wait_for(1)
        assert text.startswith("US: 2 codes of today (UTC) were not entered beyond what is usual; at 4 nothing more")
        assert "verify-gateway exemptions set --country US" in text
        begun = [await gateway.begin(us(n)) for n in range(2, 6)]
        assert await count_stopped(gateway, begun) == 2
        text = (await channel.wait_for(2))[1]
        assert text.startswith("US: 4 codes of today (UTC)")
        assert "nothing more is sent there until midnight UTC" in text


async def test_an_operators_word_lets_a_country_go_on_and_ends(database_url: str, database: Database) -> None:
    await remember(database, 1)
    async with run_gateway(database_url, policy=POLICY + LEAST) as gateway:
        operator = await gateway.client("desk", scope="operator")
        for n in range(4):
            assert await enforced(gateway, await gateway.begin(us(n))) == set()
        assert await enforced(gateway, await gateway.begin(us(5))) == {INSURANCE}
        word = {"country": "US", "rules": [INSURANCE], "duration": "2d", "reason": "a launch"}
        made = await operator.call("POST", "/v1/operator/exemptions", word)
        assert (made.status, made.body["kind"], made.body["number"]) == (201, "country", "US")
        assert await enforced(gateway, await gateway.begin(us(6))) == set()
        assert (await operator.call("DELETE", f"/v1/operator/exemptions/{made.body['id']}")).status == 200
        assert await enforced(gateway, await gateway.begin(us(7))) == {INSURANCE}


async def test_beyond_it_a_client_that_steps_up_asks_for_a_captcha_and_people_go_on(
    database_url: str, database: Database
) -> None:
    await remember(database, 1)
    policy = f'{POLICY}{LEAST}[clients.shop]\nstep_up = "captcha"\n'
    async with run_gateway(database_url, policy=policy, CAPTCHA_PROVIDER="hcaptcha", CAPTCHA_SECRET=SECRET) as gateway:
        bank = await gateway.client("bank")
        begun = [await bank.begin(us(n)) for n in range(5)]
        assert await count_stopped(gateway, begun) == 1

        async def asks() -> bool:
            return (await gateway.request(us(9))).status == 422

        await until(asks, "it asks for captchas")
        assert await enforced(gateway, await gateway.begin(us(8), captcha_token="pass-1")) == set()


async def test_a_country_may_have_a_number_of_its_own_or_none(database_url: str, database: Database) -> None:
    await remember(database, 1)
    await remember(database, 1, country="CA")
    own = f"{LEAST}unconverted_countries = {{ US = 2, CA = 0 }}\n"
    async with run_gateway(database_url, policy=POLICY + own) as gateway:
        american = [await gateway.begin(us(n)) for n in range(3)]
        assert await count_stopped(gateway, american) == 1
        canadian = [await gateway.begin(f"+141655501{n:02}") for n in range(6)]
        assert await count_stopped(gateway, canadian) == 0


async def test_a_day_of_pumping_does_not_let_the_next_ones_send_three_times_as_much(
    database_url: str, database: Database
) -> None:
    """Of a day whose hours were counted, what its converted sends account for is what people asked for."""
    await remember(database, 3000)
    await database.pool.execute(
        "insert into country_hours select 'US', date_trunc('day', now(), 'UTC') - interval '5 hours', 3000, 2"
    )
    async with run_gateway(database_url, policy=POLICY + LEAST) as gateway:
        begun = await asyncio.gather(*(gateway.begin(us(n)) for n in range(24)))
        # Two entered codes account for 20 / 3 sends at least, so 6.7 were people's: three times 7.
        assert await count_stopped(gateway, begun) == 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[budgets]\nunconverted_times_busiest = -1", "line 2: budgets.unconverted_times_busiest: must be 0 to 1000"),
        ("[budgets]\nunconverted_least = 0", "line 2: budgets.unconverted_least: must be 1 to"),
        ("[budgets]\nunconverted_countries = { XX = 1 }", "line 2: budgets.unconverted_countries: XX"),
        ('[client]\nstep_up = "sms"', "line 2: client.step_up: must be one of off, captcha"),
    ],
)
def test_a_mistake_in_it_is_named(text: str, reason: str) -> None:
    with pytest.raises(PolicyError, match=reason):
        parse(text)
