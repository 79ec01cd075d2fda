"""A verification told in sentences: what happened and when, why no code came, and what an operator can do about it.

Called by api.console. Pure: made of a VerificationDetail, which holds no whole number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from service.operators.explaining.advice import Advice, advise, has_unread_event
from service.operators.explaining.explanations import DELIVERIES, ENDS, FOLLOWED, MODES, noun_of, word_error, words_of
from service.operators.explaining.verification_detail import (
    RecordedDecision,
    RecordedFinding,
    SendDetail,
    VerificationDetail,
    is_suppressed,
    stopping,
)

Tone = Literal["plain", "good", "bad", "warn"]


class FindingSentence(msgspec.Struct, frozen=True):
    """What one rule saw, what that means, and what it did."""

    rule: str
    mode: str
    did: str
    saw: str
    means: str


class Sentence(msgspec.Struct, frozen=True):
    """One thing that happened. `findings`: what the rules found, where it is a decision."""

    at: datetime | None
    title: str
    text: str
    tone: Tone = "plain"
    findings: Sequence[FindingSentence] = ()


class Story(msgspec.Struct, frozen=True):
    """The whole of it. `verdict`: why the code came or did not, in a sentence."""

    verdict: str
    tone: Tone
    sentences: list[Sentence]
    advice: list[Advice]


def tell_story(detail: VerificationDetail) -> Story:
    """Tell a verification's story."""
    verdict, tone = _conclude(detail)
    return Story(verdict, tone, sorted(_tell(detail), key=_when), list(advise(detail)))


def _when(sentence: Sentence) -> float:
    return sentence.at.timestamp() if sentence.at else 0.0


def _conclude(detail: VerificationDetail) -> tuple[str, Tone]:
    if not detail.deliver:
        return "This is a decoy: the client asked for a verification that never sends. Nothing went out.", "warn"
    if detail.status == "verified":
        return "The code was entered: the number is verified.", "good"
    newest = detail.sends[-1] if detail.sends else None
    if newest is None:
        return "Nothing was sent: there is no send.", "bad"
    noun = noun_of(newest.channel)
    if is_suppressed(newest):
        rules = ", ".join(one.rule for one in stopping(newest.decision)) or "a rule"
        return f"No code was sent: the {noun} was suppressed by {rules}. The caller was not told.", "bad"
    return _conclude_send(newest, noun, test=detail.test)


def _conclude_send(send: SendDetail, noun: str, *, test: bool) -> tuple[str, Tone]:
    match send.state:
        case "due" | "begun":
            why = f" The last try failed: {word_error(send.error)}." if send.error else ""
            return f"The {noun} is still waiting to be sent.{why}", "warn"
        case "refused":
            return f"No code was sent: Telnyx refused the {noun}, because {word_error(send.error)}.", "bad"
        case "abandoned":
            return f"No code was sent: the {noun} was given up, because {word_error(send.error)}.", "bad"
        case "in_doubt":
            return f"Nobody knows whether the {noun} went out: {word_error(send.error)}. It counts as sent.", "warn"
    sent = f"The {noun} was sent; no delivery was reported"
    if test:
        sent = "A test client's send: nothing leaves"
    elif send.delivery in ("failed", "delivered"):
        sent = f"The {noun} was sent, {'and delivered' if send.delivery == 'delivered' else 'but not delivered'}"
    return f"{sent}. No right code was entered.", "bad" if send.delivery == "failed" else "warn"


def _tell(detail: VerificationDetail) -> Iterator[Sentence]:
    asked = f"{detail.client} asked for a verification" + (" (a test client)." if detail.test else ".")
    if not detail.deliver:
        asked = f"{detail.client} asked for a decoy (deliver: false): it never sends, and nobody can tell."
    yield Sentence(detail.created_at, "Requested", asked)
    for send in detail.sends:
        yield from _tell_send(send, deliver=detail.deliver)
    for event in detail.events:
        if event.what.startswith("code "):
            yield _tell_guess(event.at, event.what.removeprefix("code "))
    if detail.status in ENDS:
        tone: Tone = "good" if detail.status == "verified" else "plain"
        ended = detail.closed_at or detail.expires_at
        yield Sentence(ended, detail.status.capitalize(), ENDS[detail.status], tone)


def _tell_guess(at: datetime, state: str) -> Sentence:
    match state:
        case "right":
            return Sentence(at, "Checked", "The right code was entered.", "good")
        case "wrong":
            return Sentence(at, "Checked", "A wrong code was entered.", "bad")
    return Sentence(at, "Checked", "A code was given; Telnyx' answer is not settled yet.", "warn")


def _tell_send(send: SendDetail, *, deliver: bool) -> Iterator[Sentence]:
    noun = noun_of(send.channel)
    if send.cause in FOLLOWED:
        yield Sentence(send.wanted_at, "Next channel", f"{FOLLOWED[send.cause]}: {send.channel}.")
    if send.decision is not None:
        yield _tell_decision(send, send.decision, deliver=deliver)
    if is_suppressed(send) or not deliver:
        word = "Decoy" if not deliver else "Suppressed"
        yield Sentence(
            send.ended_at or send.begun_at, word, "Nothing went out. The caller sees what everybody sees.",
            "warn" if not deliver else "bad",
        )  # fmt: skip
        return
    yield from _tell_end(send, noun)
    if send.delivery_at and send.delivery in DELIVERIES:
        tone: Tone = "bad" if send.delivery == "failed" else "good" if send.delivery == "delivered" else "plain"
        yield Sentence(send.delivery_at, "Delivery", DELIVERIES[send.delivery].format(noun=noun) + ".", tone)


def _tell_end(send: SendDetail, noun: str) -> Iterator[Sentence]:
    at = send.ended_at or send.begun_at or send.wanted_at
    tries = f" after {send.attempts} tries" if send.attempts > 1 else ""
    match send.state:
        case "sent":
            yield Sentence(at, "Sent", f"Telnyx accepted the {noun}{tries}.", "good")
        case "refused":
            yield Sentence(at, "Refused", f"Telnyx refused the {noun}: {word_error(send.error)}.", "bad")
        case "in_doubt":
            text = f"It is not known whether the {noun} went out: {word_error(send.error)}. It is not sent again."
            yield Sentence(at, "In doubt", text, "warn")
        case "abandoned":
            text = f"The {noun} was not sent before its deadline{tries}. The last cause: {word_error(send.error)}."
            yield Sentence(at, "Given up", text, "bad")
        case "due" | "begun":
            why = f" The last try failed: {word_error(send.error)}." if send.error else ""
            yield Sentence(at, "Waiting", f"The {noun} is to be sent.{why}", "warn")


def _tell_decision(send: SendDetail, decision: RecordedDecision, *, deliver: bool) -> Sentence:
    stopped = [one.rule for one in stopping(decision)]
    findings = [_tell_finding(one) for one in decision.findings]
    at = send.begun_at or send.wanted_at
    if stopped:
        title, text = "Decided: suppressed", f"Stopped by {', '.join(stopped)}, under policy {decision.policy_version}."
        return Sentence(at, title, text, "bad", findings)
    if not decision.allow:
        return Sentence(at, "Decided: suppressed", f"Under policy {decision.policy_version}.", "bad", findings)
    by = f" It goes by {decision.by} instead." if decision.by else ""
    found = "No rule objected" if not findings else "No enforced rule objected"
    unread = " The device event could not be read: Fingerprint did not answer." if has_unread_event(decision) else ""
    allowed = f"{found}; policy {decision.policy_version}.{unread}{by}"
    return Sentence(at, "Decided: allowed" if deliver else "Decided", allowed, "plain", findings)


def _tell_finding(one: RecordedFinding) -> FindingSentence:
    words = words_of(one.rule)
    return FindingSentence(one.rule, one.mode, MODES.get(one.mode, one.mode), one.detail, words.means)
