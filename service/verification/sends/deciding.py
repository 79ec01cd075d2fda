"""Puts a send to the judge, with what its verification knows, and counts and notes what was decided.

Called by verification.sends.dispatch. Decides nothing itself, and sends nothing.
"""

from __future__ import annotations

import msgspec

from service import telemetry, tracing
from service.addresses import network_of
from service.fraud.decision import Decision, Finding
from service.fraud.judge import Judge
from service.fraud.question import Question
from service.fraud.tally import Tally
from service.verification.activity import Activity
from service.verification.sends.job import Job
from service.verification.states import Send


class Deciding:
    """Decides on sends. `tally` counts what is decided, and `activity` what was done."""

    def __init__(self, judge: Judge, tally: Tally, activity: Activity) -> None:
        self._judge = judge
        self._tally = tally
        self._activity = activity

    async def decide(self, job: Job, send: Send) -> Decision:
        """Decide, and note what was found. The decision on a test client's or a review's send is yet to be recorded."""
        with tracing.span("decide"):
            decision = await self._judge_send(job, send)
            rules = [finding.rule for finding in decision.findings]
            tracing.note(allow=decision.allow, rules=rules, policy_version=decision.policy_version)
        for finding in decision.findings:
            telemetry.FINDINGS.labels(finding.rule, finding.mode).inc()
            telemetry.log.info("rule", verification=str(job.row.id), **_told(finding))
        return decision

    async def _judge_send(self, job: Job, send: Send) -> Decision:
        question = self._judge.widen(_question(job, send))
        if job.row.test:
            decision = self._judge.decide_test(question, job.policy)
        elif job.review() is not None:
            decision = self._judge.decide_review(question, job.policy)
        else:
            # Two loops, not one around both: repeated together, a database that is away for a while would have
            # Fingerprint asked again each time, and a captcha's token is good for one question.
            gathered = await job.keep_trying(lambda: self._judge.gather(question, job.policy))
            decision = await job.keep_trying(lambda: self._judge.settle(question, job.policy, gathered))
            if job.row.deliver and send.ordinal == 1:
                self._tally.note(job.row.client, decision)
            self._count(job, send, decision)
        return decision

    def _count(self, job: Job, send: Send, decision: Decision) -> None:
        where = job.row.client, decision.facts.number.country, decision.by or send.channel
        if send.ordinal == 1:
            self._activity.note("requests", *where)
            if not job.row.deliver:
                self._activity.note("decoys", *where)
        if job.row.deliver and not decision.allow:
            self._activity.note("suppressed", *where)


def kept_with_send(job: Job, decision: Decision | None) -> Decision | None:
    """Return the decision on a test client's or a review's send, to be recorded; others were stored when resolved."""
    if decision is None or not (job.row.test or job.review() is not None):
        return None
    return msgspec.structs.replace(decision, explain=True) if job.evidence.explain else decision


def _question(job: Job, send: Send) -> Question:
    evidence = job.evidence
    return Question(
        id=job.row.id,
        ordinal=send.ordinal,
        client_id=job.row.client_id,
        phone_hash=job.row.phone_hash,
        phone_number=evidence.phone_number,
        channel=send.channel,
        asked_at=job.row.created_at,
        counts=job.row.deliver,
        ip_address=evidence.ip_address,
        network=network_of(evidence.ip_address) if evidence.ip_address else None,
        account_id=evidence.account_id,
        event_id=evidence.device_event_id,
        sealed_result=evidence.device_sealed_result,
        captcha_token=evidence.captcha_token,
        captcha=evidence.captcha
        or next((one.captcha for one in job.row.sends if one.captcha in ("passed", "failed")), None),
        captcha_begun=any(_begun_in_vain(one, send) for one in job.row.sends),
        waived=job.row.waived or (),
        observed=evidence.observed,
    )


def _begun_in_vain(one: Send, now: Send) -> bool:
    """Return whether a send was begun before this try, and its decision was lost."""
    return one.allowed is None and one.begun_at is not None and (one is not now or one.attempts > 0)


def _told(finding: Finding) -> dict[str, str]:
    return {"rule": finding.rule, "mode": finding.mode, "detail": finding.detail}
