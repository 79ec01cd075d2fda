"""What each status and code of Telnyx means; nothing it can say makes the reading fail or lets a number out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from telnyx import types as package
from telnyx.types.verifications import ByPhoneNumberListResponse, VerifyMeta

from service.providers.http.reply import HttpReply, NoReply, read_reset
from service.providers.telnyx.answers import (
    _Listed,
    _Status,
    interpret_check,
    interpret_list,
    interpret_send,
    interpret_state,
)
from service.providers.verify.protocol import (
    AccountProblem,
    CodeCompared,
    InDoubt,
    ListedVerification,
    NotCompared,
    Refused,
    Sent,
    State,
    TryAgain,
)

NOW = 1_800_000_000.0
ID = "12ade33a-21c0-473b-b055-b3c836e1c292"
NUMBER = "+13035551234"
DIGITS = NUMBER[1:]


def fail(status: int, code: object, reset: str | None = None) -> HttpReply:
    error = {"code": code, "title": "No", "detail": f"The number {NUMBER} is not good.", "source": {"pointer": NUMBER}}
    return HttpReply(status, msgspec.json.encode({"errors": [error]}), reset)


SENDS = {
    "number, not mobile": (fail(400, "10002"), Refused("10002")),
    "number, not E.164": (fail(422, "10016"), Refused("10016")),
    "destination off the list": (fail(403, "40309"), Refused("40309")),
    "destination not enabled": (fail(400, "40331"), Refused("40331")),
    "traffic blocked": (fail(422, "40020"), Refused("40020")),
    "bad request": (fail(400, "10015"), Refused("10015")),
    "bad request, other code": (fail(422, "10027"), Refused("10027")),
    "unlisted code": (fail(400, "99999"), Refused("99999")),
    "unlisted code, forbidden": (fail(403, "99999"), Refused("99999")),
    "code that is a number": (fail(400, 40309), Refused("40309")),
    "code that is no code": (fail(400, DIGITS), Refused("unreadable")),
    "no key": (fail(401, "10009"), AccountProblem("10009")),
    "no permission": (fail(403, "10010"), AccountProblem("10010")),
    "account level": (fail(403, "10038"), AccountProblem("10038")),
    "account level, other code": (fail(400, "10039"), AccountProblem("10039")),
    "account inactive": (fail(403, "20012"), AccountProblem("20012")),
    "no funds": (fail(400, "20100"), AccountProblem("20100")),
    "spend limit": (fail(429, "40333", "7"), AccountProblem("40333", of_profile=True)),
    "profile not found": (fail(404, "10005"), AccountProblem("10005", of_profile=True)),
    "no key, no words": (HttpReply(401, b""), AccountProblem("http_401")),
    "payment required": (HttpReply(402, b"{}"), AccountProblem("http_402")),
    "throttled": (fail(429, "10011", "7"), TryAgain("10011", 7.0, throttled=True)),
    "throttled till an epoch": (fail(429, "10011", "1800000009"), TryAgain("10011", 9.0, throttled=True)),
    "throttled, no words": (HttpReply(429, b"slow down"), TryAgain("http_429", 1.0, throttled=True)),
    "throttled with another status": (fail(400, "10011"), TryAgain("10011", 1.0, throttled=True)),
    "server error": (fail(500, "10007"), TryAgain("10007")),
    "bad gateway": (HttpReply(502, b"<html>"), TryAgain("http_502")),
    "unavailable": (HttpReply(503, b""), TryAgain("http_503")),
    "gateway's refusal": (HttpReply(403, b"<html>blocked</html>"), TryAgain("http_403")),
    "another service": (HttpReply(404, b"not here"), TryAgain("http_404")),
    "redirect": (HttpReply(307, b""), TryAgain("http_307")),
    "gateway gave up": (HttpReply(504, b""), InDoubt("http_504")),
    "request timed out": (HttpReply(408, b""), InDoubt("http_408")),
    "no connection": (NoReply(handed_over=False, code="no_connection"), TryAgain("no_connection")),
    "time limit": (NoReply(handed_over=True, code="time_limit"), InDoubt("time_limit")),
    "taken": (HttpReply(200, msgspec.json.encode({"data": {"id": ID, "custom_code": "43612"}})), Sent(ID)),
    "created": (HttpReply(201, msgspec.json.encode({"data": {"id": ID}})), Sent(ID)),
    "taken without a record": (HttpReply(200, b'{"data":{}}'), InDoubt("no_id")),
    "taken, broken off": (HttpReply(200, b""), InDoubt("no_id")),
    "taken, null": (HttpReply(200, b'{"data":null}'), InDoubt("no_id")),
    "taken, id is a path": (HttpReply(200, b'{"data":{"id":"../../verify_profiles"}}'), InDoubt("no_id")),
}

CHECKS = {
    "accepted": (HttpReply(200, b'{"data":{"response_code":"accepted"}}'), CodeCompared(accepted=True)),
    "rejected": (HttpReply(200, b'{"data":{"response_code":"rejected"}}'), CodeCompared(accepted=False)),
    "expired": (HttpReply(200, b'{"data":{"response_code":"expired"}}'), CodeCompared(accepted=False)),
    "too many": (HttpReply(200, b'{"data":{"response_code":"max_attempts_exceeded"}}'), CodeCompared(accepted=False)),
    "a word of tomorrow": (HttpReply(200, b'{"data":{"response_code":"Accepted"}}'), CodeCompared(accepted=False)),
    "compared, untold": (HttpReply(200, b'{"data":{}}'), InDoubt("no_response_code")),
    "gone": (fail(404, "10005"), CodeCompared(accepted=False)),
    "digits it does not take": (fail(400, "10015"), CodeCompared(accepted=False)),
    "the same, other status": (fail(422, "10027"), CodeCompared(accepted=False)),
    "not there": (HttpReply(404, b"not here"), NotCompared("http_404")),
    "no key": (fail(401, "10009"), NotCompared("10009")),
    "forbidden": (fail(403, "99999"), NotCompared("99999")),
    "throttled": (fail(429, "10011", "3"), NotCompared("10011", 3.0)),
    "server error": (HttpReply(500, b""), NotCompared("http_500")),
    "gateway gave up": (HttpReply(504, b""), InDoubt("http_504")),
    "no connection": (NoReply(handed_over=False, code="no_connection"), NotCompared("no_connection")),
    "reset": (NoReply(handed_over=True, code="broken_off"), InDoubt("broken_off")),
}

STATES = {
    "accepted": (HttpReply(200, b'{"data":{"status":"accepted"}}'), State(accepted=True)),
    "pending": (HttpReply(200, b'{"data":{"status":"pending"}}'), State(accepted=False)),
    "a word of tomorrow": (HttpReply(200, b'{"data":{"status":"verified"}}'), State(accepted=False)),
    "none": (HttpReply(200, b'{"data":{"status":null}}'), NotCompared("no_status")),
    "no record": (HttpReply(200, b'{"data":{}}'), NotCompared("no_status")),
    "broken off": (HttpReply(200, b""), NotCompared("no_status")),
    "gone": (fail(404, "10005"), State(accepted=False)),
    "gone, with the one status that is documented": (fail(400, "10015"), State(accepted=False)),
    "no key": (fail(401, "10009"), NotCompared("10009")),
    "throttled": (fail(429, "10011", "3"), NotCompared("10011", 3.0)),
    "server error": (HttpReply(500, b""), NotCompared("http_500")),
    "reset": (NoReply(handed_over=True, code="broken_off"), NotCompared("broken_off")),
}


@pytest.mark.parametrize(("heard", "answer"), SENDS.values(), ids=SENDS)
def test_every_end_of_a_send_is_one_of_the_kinds(heard: Any, answer: object) -> None:
    assert interpret_send(heard, NOW) == answer


@pytest.mark.parametrize(("heard", "answer"), CHECKS.values(), ids=CHECKS)
def test_a_check_is_compared_not_compared_or_in_doubt(heard: Any, answer: object) -> None:
    assert interpret_check(heard, NOW) == answer


@pytest.mark.parametrize(("heard", "answer"), STATES.values(), ids=STATES)
def test_only_the_word_accepted_is_accepted(heard: Any, answer: object) -> None:
    assert interpret_state(heard, NOW) == answer


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [("12", 12), ("1800000030", 30), ("1799999999", 0), ("-4", 0), ("1e308", 3600), ("nan", 1), ("soon", 1), (None, 1)],
)
def test_a_reset_is_seconds_or_an_epoch_and_never_more_than_an_hour(reset: str | None, seconds: float) -> None:
    assert read_reset(reset, NOW) == seconds


def listed(age: int, **other: object) -> dict[str, object]:
    at = datetime(2026, 1, 1, tzinfo=UTC) - timedelta(seconds=age)
    fields = {"id": ID, "type": "sms", "verify_profile_id": ID, "created_at": at.replace(tzinfo=None).isoformat()}
    return fields | other


def read_list(items: object, pages: object = 1) -> list[ListedVerification] | NotCompared:
    body = msgspec.json.encode({"data": items, "meta": {"total_pages": pages, "page_number": 1}})
    return interpret_list(HttpReply(200, body), NOW)


def test_a_list_is_read_newest_first_with_its_naive_times_in_utc() -> None:
    found = read_list([listed(60), listed(0, type="call"), listed(30)])
    assert isinstance(found, list)
    assert [one.created_at.second for one in found] == [0, 30, 0]
    assert found[0].created_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert (found[0].provider_id, found[0].channel, found[0].profile_id) == (ID, "call", ID)


@pytest.mark.parametrize("written", ["2026-01-01T02:00:00.5+02:00", "2026-01-01T00:00:00.500Z", "20260101T000000.5"])
def test_a_time_may_be_written_in_any_of_the_standards_ways(written: str) -> None:
    found = read_list([listed(0, created_at=written)])
    assert isinstance(found, list)
    assert found[0].created_at == datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)


def test_a_first_page_that_may_not_hold_the_newest_is_no_answer() -> None:
    oldest_first = [listed(60), listed(0)]
    assert read_list(oldest_first, 2) == NotCompared("more_pages")
    assert read_list(oldest_first, None) == NotCompared("more_pages")
    assert isinstance(read_list(oldest_first[::-1], 2), list)
    body = msgspec.json.encode({"data": oldest_first[::-1]})
    assert interpret_list(HttpReply(200, body), NOW) == NotCompared("unreadable"), "it does not say how many pages"


@pytest.mark.parametrize(
    "item",
    [
        listed(0, id=None),
        listed(0, id="../x"),
        listed(0, type=None),
        listed(0, created_at="yesterday"),
        listed(0, created_at=1_767_225_600),
        listed(0, created_at="0001-01-01T00:00:00+23:59"),
        {"id": ID},
        7,
    ],
)
def test_one_verification_that_cannot_be_read_makes_the_whole_list_fail(item: object) -> None:
    assert read_list([listed(9), item]) == NotCompared("unreadable")


def test_a_number_that_telnyx_does_not_know_has_no_verifications() -> None:
    assert interpret_list(fail(404, "10005"), NOW) == []
    assert interpret_list(HttpReply(404, b"not here"), NOW) == NotCompared("http_404")
    assert interpret_list(fail(400, "10016"), NOW) == NotCompared("10016")
    assert interpret_list(fail(429, "10011", "3"), NOW) == NotCompared("10011", 3.0)
    assert interpret_list(HttpReply(200, b"?"), NOW) == NotCompared("unreadable")
    assert interpret_list(NoReply(handed_over=True, code="time_limit"), NOW) == NotCompared("time_limit")


def test_every_field_has_the_name_that_telnyxs_package_has() -> None:
    ours = {field.name for struct in (_Status, _Listed) for field in msgspec.structs.fields(struct)}
    assert ours <= set(package.Verification.model_fields)
    listing = ByPhoneNumberListResponse.model_fields
    assert "data" in listing
    assert listing["meta"].annotation is VerifyMeta
    assert "total_pages" in VerifyMeta.model_fields


leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=12),
    st.sampled_from([NUMBER, DIGITS, int(DIGITS), f"a_{DIGITS}", "accepted", "10005", "10009", f"Bad {NUMBER}"]),
)  # fmt: skip
keys = st.sampled_from(["data", "errors", "code", "id", "response_code", "title", "detail"])
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner), max_leaves=12)
bodies = st.one_of(
    st.binary(max_size=200),
    values.map(msgspec.json.encode),
    values.map(lambda value: msgspec.json.encode({"errors": [{"code": value, "detail": NUMBER}]})),
    values.map(lambda value: msgspec.json.encode({"data": {"id": value, "response_code": value}})),
    st.just(b"[" * 100_000),
    st.just(b'{"errors":' * 50_000),
)
replies = st.builds(HttpReply, st.integers(100, 999), bodies, st.none() | st.text(max_size=12) | st.floats().map(str))


@given(replies)
def test_no_answer_makes_the_reading_fail_or_lets_the_number_out(reply: HttpReply) -> None:
    answers = [judge(reply, NOW) for judge in (interpret_send, interpret_check, interpret_state, interpret_list)]
    assert DIGITS not in repr(answers)


@given(values, leaves)
def test_no_list_makes_the_reading_fail(items: object, pages: object) -> None:
    assert isinstance(read_list(items, pages), list | NotCompared)
