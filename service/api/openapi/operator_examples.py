"""Complete examples of what operators send and get, for the OpenAPI file and the API's page. Read by examples."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from service.api.schemas import exemptions, insight, outcomes, review_numbers, standing
from service.api.schemas import operator as wire
from service.api.schemas import operator_records as records
from service.api.schemas.decisions import RuleFinding, SendDecision

Named = dict[str, msgspec.Struct]

ID = UUID("01a2001c-325a-71f0-9c85-1a4935d9dd81")
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FINDING = RuleFinding("sequential", "enforce", "chance 1e-9")
FACTS = {"number": {"country": "US", "valid": True, "kind": "fixed_or_mobile"}, "channel": "sms"}
SENT = wire.SendSeen(
    ordinal=1, channel="sms", cause="request", state="sent", wanted_at=NOON, begun_at=NOON, ended_at=NOON + SECOND,
    attempts=1, provider="silent", error=None, delivery=None, delivery_at=None,
    decision=SendDecision(allow=False, findings=[FINDING], facts=FACTS, policy_version="0f8b2c6d1e57", by=None),
)  # fmt: skip
EVENTS = [
    wire.TimelineEvent(NOON, "requested", None),
    wire.TimelineEvent(NOON, "sms begun", 1),
    wire.TimelineEvent(NOON + SECOND, "sms suppressed", 1),
]
BLOCK = wire.BlockSeen(
    id=17, kind="range", label="US block_10k", reason="Pumped since noon", level=0, began_at=NOON,
    until=NOON + timedelta(hours=2), lifted_at=None, set_by="key 2", in_force=True,
)  # fmt: skip
LIFTED = msgspec.structs.replace(BLOCK, lifted_at=NOON + timedelta(minutes=5), in_force=False)
EXEMPTION = exemptions.ExemptionSeen(
    id=3, kind="number", number="+1…42", safe=False, rules=["block", "range"], limits=True, lockouts=False,
    reason="Called us, ticket 4711",
    began_at=NOON, until=NOON + timedelta(minutes=30), lifted_at=None, set_by="key 2", in_force=True,
)  # fmt: skip
COUNTS = (130, 10, 100, 20, 75, 4)
REVIEW = review_numbers.ReviewNumberSeen(
    id=1, client="shop", number="+1…23", reason="App review of 4.2",
    began_at=NOON, until=NOON + timedelta(days=30), lifted_at=None, set_by="key 2", in_force=True,
)  # fmt: skip
OUTCOME = outcomes.OutcomeSeen("shop", "range", "enforce", numbers=120, verified=3, open=5, verified_share=0.025)
WOULD = outcomes.OutcomeSeen("shop", "bot", "observe", numbers=120, verified=3, open=5, verified_share=0.025)

EXAMPLES: dict[type[msgspec.Struct], Named] = {
    wire.VerificationSeen: {
        "suppressed": wire.VerificationSeen(
            id=ID, client="shop", test=False, deliver=True, status="pending", number="+1…42", country="US",
            created_at=NOON, expires_at=NOON + timedelta(minutes=5), closed_at=None, wrong_codes=0,
            sends=[SENT], events=EVENTS,
        )
    },
    wire.NumberSearch: {"plain": wire.NumberSearch("+14155550100")},
    wire.NumberFound: {
        "one": wire.NumberFound(
            [wire.MatchSeen(ID, "shop", test=False, deliver=True, status="expired", created_at=NOON,
                            channels=["sms"], suppressed_by=["sequential"])],
            None,
        ),
        "none": wire.NumberFound([], None),
    },
    insight.ActivitySeen: {
        "an hour": insight.ActivitySeen(
            [insight.ActivityStep(NOON, *COUNTS)],
            *([insight.ActivityPart(name, *COUNTS)] for name in ("shop", "US", "sms")),
        )
    },
    standing.SituationSeen: {
        "well": standing.SituationSeen(
            standing.QueueSeen(0, 0.0), standing.LatencySeen(120, 0.4, 0.9), 0.0,
            [standing.BreakerSeen(None, open=False, reason=None)],
        ),
        "no funds": standing.SituationSeen(
            standing.QueueSeen(3, 2.5), standing.LatencySeen(0, None, None), 0.0,
            [standing.BreakerSeen(None, open=True, reason="ours_20100")],
        ),
    },
    standing.PolicySeen: {
        "one setting": standing.PolicySeen(
            "0f8b2c6d1e57",
            standing.PolicyFile(
                "0f8b2c6d1e57", '[rules.vpn]\nmode = "enforce"\n',
                [standing.PolicyDifference("rules.vpn.mode", '"enforce"', '"observe"')],
            ),
            None,
        )
    },
    standing.DoctorSeen: {
        "one point": standing.DoctorSeen(
            NOON, busy=False,
            points=[
                standing.DoctorPoint(
                    "phone_limit", "Limit for each phone number", guide=True, status="pass",
                    seen="3 requests in 10 min.", remedy=None, accepted=False,
                )
            ],
        )
    },
    insight.LimitsOrder: {"plain": insight.LimitsOrder("+14155550100")},
    insight.LimitsSeen: {
        "full": insight.LimitsSeen(
            [insight.FullLimitSeen("shop", "phone", 3, 600.0, NOON, NOON + timedelta(minutes=8), in_force=True)],
            [insight.RefusedSeen("shop", NOON, NOON + timedelta(minutes=2), 2)],
        ),
        "none": insight.LimitsSeen([], []),
    },
    insight.BacktestOrder: {"plain": insight.BacktestOrder('[rules.vpn]\nmode = "enforce"\n', "7d")},
    insight.BacktestStarted: {"one": insight.BacktestStarted(ID)},
    insight.BacktestSeen: {
        "running": insight.BacktestSeen(
            ID, "0f8b2c6d1e57", NOON, None, 0.4, interrupted=False, error=None, changes=None
        ),
        "done": insight.BacktestSeen(
            ID, "0f8b2c6d1e57", NOON, NOON + timedelta(minutes=3), 1.0, interrupted=False, error=None,
            changes=insight.BacktestChanges(
                "USD", 1200, 0, 40, 54, 14, 12, 1, 0, 0, 0.112, 0.008, 0.0,
                [insight.BacktestRule("vpn", 0, 14, 14, 12, 1, 0, 0)],
            ),
        ),
    },
    wire.TrafficSummary: {
        "hour": wire.TrafficSummary(
            since=NOON - timedelta(hours=1), until=NOON, requests=130, decoys=10, sends=100, suppressed=20, sent_to=100,
            verified=75, verified_share=0.75, groups=[wire.GroupCount("US", "sms", 120, 100, 20, 75)],
            findings=[wire.RuleCount("sequential", "enforce", 20)],
        )
    },
    records.Ledger: {
        "a day": records.Ledger(
            spent=0.8, saved=0.16, lines=[records.LedgerLine(NOON.date(), "shop", "US", "sms", 100, 0.8, 20, 0.16)],
            next_cursor=None,
        )
    },
    outcomes.OutcomeList: {"one": outcomes.OutcomeList([OUTCOME])},
    outcomes.ObservationList: {
        "one": outcomes.ObservationList(
            [outcomes.ObservationSeen("shop", NOON - timedelta(days=7), NOON, "key", over=True, numbers=4_000,
                                      suppressed=120, verified=3, open=5, rules=[WOULD])]
        )
    },
    wire.BlockOrder: {
        "range": wire.BlockOrder("2h", "Pumped since noon", phone_number="+14155550100", digits=4),
        "country": wire.BlockOrder("30m", "Pumped since noon", country="US"),
        "address": wire.BlockOrder("1d", "A farm of phones", ip_address="203.0.113.9"),
        "device": wire.BlockOrder("7d", "A farm of phones", visitor_id="Ibk1527CUFmcnjLwIs4A9"),
    },
    wire.BlockSeen: {"range": BLOCK, "lifted": LIFTED},
    wire.BlockList: {"two": wire.BlockList([BLOCK, LIFTED], "WzE3Njk4NjA4MDAwMDAwMDAsMSwxN10")},
    exemptions.ExemptionOrder: {
        "rules": exemptions.ExemptionOrder(
            "30m", "Called us, ticket 4711", phone_number="+14155550100", rules=["range", "block"]
        ),
        "locked out": exemptions.ExemptionOrder(
            "1h", "Called us, ticket 4711", phone_number="+14155550100", limits=True, lockouts=True
        ),
        "safe range": exemptions.ExemptionOrder("30d", "Our own test phones", prefix="+4474651", safe=True),
        "launch": exemptions.ExemptionOrder("2d", "Launch in Britain", country="GB", rules=["budget_unconverted"]),
    },
    exemptions.ExemptionSeen: {"rules": EXEMPTION},
    review_numbers.ReviewNumberOrder: {
        "app review": review_numbers.ReviewNumberOrder("shop", "+14155550123", "30d", "App review of 4.2")
    },
    review_numbers.ReviewNumberSeen: {"app review": REVIEW},
    review_numbers.ReviewNumberMade: {"app review": review_numbers.ReviewNumberMade(REVIEW, "482913")},
    review_numbers.ReviewNumberList: {"one": review_numbers.ReviewNumberList([REVIEW], None)},
    records.AuditList: {
        "two": records.AuditList(
            [
                records.AuditSeen(42, NOON, 2, "desk", "block", 17, "Pumped since noon"),
                records.AuditSeen(41, NOON, None, None, "create_key", 2, None),
            ],
            "WzQxXQ",
        )
    },
    records.AlertList: {
        "open": records.AlertList(
            [
                records.AlertSeen(
                    8, "block", "US block_10k", "A rule has blocked US block_10k: chance 1e-9.", NOON, NOON, None
                )
            ],
            None,
        )
    },
    records.ClientList: {
        "one": records.ClientList(
            [records.ClientSeen(1, "shop", test=False, created_at=NOON, last_used_at=NOON, keys=2)], None
        )
    },
    records.KeyList: {
        "one": records.KeyList(
            [
                records.KeySeen(
                    2, "desk", test=False, scope="metrics", hint="vg_x7Qp", created_at=NOON, last_used_at=NOON,
                    ends_at=None, revoked_at=None,
                )
            ],
            None,
        )
    },
    records.KeyOrder: {
        "product": records.KeyOrder("shop"),
        "metrics": records.KeyOrder("prometheus", "metrics", duration="90d"),
    },
    records.KeyMade: {"made": records.KeyMade(2, "vg_the-key-itself")},
    records.KeyRevoked: {"revoked": records.KeyRevoked(2)},
    exemptions.ExemptionList: {"one": exemptions.ExemptionList([EXEMPTION], None)},
}  # fmt: skip
