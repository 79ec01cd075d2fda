"""A decision made again from its record goes through the stages as the judge did, whichever of them suppressed it."""

from __future__ import annotations

from uuid import UUID

import msgspec
import pytest

from service.fraud.decision import Decision
from service.fraud.stages import STAGES
from service.fraud.storage.resolving import SPENT
from service.operators.backtesting.backtest import decide_again
from service.policy import loading
from service.sandbox.captcha_app import SECRET
from tests.support.fraud import FINGERPRINT_KEY, enforced, mint
from tests.support.gateway import OTHER_PHONE, PHONE, Calls, Gateway, run_gateway

LANDLINE, VOIP = "+14155550105", "+14155550108"
BLOCKED, ELSEWHERE = "198.51.100.1", "+447400123456"
POLICY = """
[limits]
ip = ["1000/1h"]
phone_everywhere = ["1/1h"]
[lookup]
mode = "on"
[rules.number]
kinds = ["premium", "voip"]
"""
# What the stage before may find must not keep a later one from being asked, nor stand in its place.
WATCHED = '[rules.country]\nmode = "observe"\n[countries]\nallow = ["US"]\n'


async def suppressed(gateway: Gateway, operator: Calls) -> dict[str, tuple[str, set[str]]]:
    """Have a send suppressed by each stage; return which, and the rules that are to have done it."""
    blocked = await operator.call(
        "POST", "/v1/operator/blocks", {"ip_address": BLOCKED, "duration": "1h", "reason": "tried out"}
    )
    assert blocked.status == 201, blocked
    bot = await mint(gateway, bot="bad")
    return {
        "number": (await gateway.begin("+19005550142"), {"number"}),
        "captcha": (await gateway.begin("+13125550144", captcha_token="fail-1"), {"captcha"}),
        "device": (await gateway.begin("+13125550145", device_event_id=bot), {"bot"}),
        "history": (await gateway.begin("+13125550146", ip_address=BLOCKED), {"block"}),
        "line": (await gateway.begin(VOIP), {"number"}),
    }


async def decision_of(gateway: Gateway, verification: str) -> Decision:
    """Return a send's recorded decision."""
    told = "select decision::text from sends where verification_id = $1"
    return msgspec.json.decode(await gateway.database.pool.fetchval(told, UUID(verification)), type=Decision)


async def test_whatever_stage_suppressed_a_send_its_record_is_decided_as_it_was(database_url: str) -> None:
    async with run_gateway(
        database_url, policy=POLICY + WATCHED,
        CAPTCHA_PROVIDER="hcaptcha", CAPTCHA_SECRET=SECRET, FINGERPRINT_SECRET_KEY=FINGERPRINT_KEY,
    ) as gateway:  # fmt: skip
        policy = loading.load(gateway.environment["POLICY_FILE"]).default
        asked = await suppressed(gateway, await gateway.client("desk", scope="operator"))
        assert list(asked) == [stage.name for stage in STAGES]
        asked["nothing"] = (await gateway.begin(PHONE, captcha_token="pass-1"), set())
        asked["a limit"] = (await gateway.begin(PHONE), {"phone_everywhere"})
        asked["nothing, by call"] = (await gateway.begin(LANDLINE), set())
        asked["nothing, observed"] = (await gateway.begin(ELSEWHERE), set())
        for stage, (verification, rules) in asked.items():
            assert await enforced(gateway, verification) == rules, stage
            decided = await decision_of(gateway, verification)
            again = decide_again(decided, policy)
            assert (again.allow, again.by) == (decided.allow, decided.by), stage
            # Their sentences are of then: what was seen at which time is not kept.
            seen = [msgspec.structs.replace(finding, reason="") for finding in decided.findings]
            assert [msgspec.structs.replace(finding, reason="") for finding in again.findings] == seen, stage
        assert (await decision_of(gateway, asked["nothing, by call"][0])).by == "call"


async def test_a_number_that_only_a_look_up_condemned_is_let_through_where_that_kind_may_be_sent_to(
    database_url: str,
) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway:
        verification = await gateway.begin(VOIP)
        assert await enforced(gateway, verification) == {"number"}
        decided = await decision_of(gateway, verification)
        # Its first stage, which knew no line, had nothing against it: the later ones were asked, and are asked again.
        open_to_all = loading.parse('[rules.number]\nkinds = []\n[rules.no_event]\nmode = "enforce"\n').default
        again = decide_again(decided, open_to_all)
        assert [one.rule for one in again.findings if one.mode == "enforce"] == ["no_event"]


@pytest.mark.parametrize("mode", ["enforce", "off"])
async def test_what_a_limit_refused_stays_so_only_where_no_stage_suppresses_it_first(
    database_url: str, mode: str
) -> None:
    async with run_gateway(database_url, policy=POLICY) as gateway:
        first, second = await gateway.begin(OTHER_PHONE), await gateway.begin(OTHER_PHONE)
        assert [await enforced(gateway, one) for one in (first, second)] == [set(), {"phone_everywhere"}]
        decided = await decision_of(gateway, second)
        policy = loading.parse(f'[countries]\nallow = ["GB"]\n[rules.country]\nmode = "{mode}"\n').default
        details = [one.detail for one in decide_again(decided, policy).findings if one.mode == "enforce"]
        assert details == (["country US by sms"] if mode == "enforce" else [SPENT])
