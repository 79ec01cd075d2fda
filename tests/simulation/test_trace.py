"""A trace is one JSON object a line: what is written is read back, and what is wrong is named by its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.simulation.scenarios import compose
from service.simulation.trace import TraceDevice, TraceError, TraceLine, parse, read, served, write

AS_DOCUMENTED = (
    '{"t": 12.5, "label": "person", "phone_number": "+14155550100", "ip_address": "203.0.113.9", "account_id": "a1", '
    '"device": {"visitor_id": "v", "bot": "not_detected", "suspect_score": 3, "replayed": false, "event_id": "e1", '
    '"age": 3.0, "ip_address": "203.0.113.9"}, "channel": "sms", "verifies": true, "verify_after": 21.0, '
    '"wrong_codes": 1}'
)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
times = st.floats(0, 1e7)
devices = st.builds(
    TraceDevice,
    visitor_id=texts,
    event_id=texts,
    ip_address=st.none() | texts,
    bot=st.sampled_from(["not_detected", "good", "bad", None]),
    suspect_score=st.none() | st.integers(0, 100),
    replayed=st.booleans(),
    age=st.floats(-10, 1e6),
)
lines = st.builds(
    TraceLine,
    t=times,
    label=st.sampled_from(["person", "person:group", "attack", "attack:one_use"]),
    phone_number=texts,
    ip_address=st.none() | texts,
    account_id=st.none() | texts,
    device=st.none() | devices,
    channel=st.sampled_from(["sms", "call", "flashcall"]),
    verifies=st.booleans(),
    verify_after=times,
    wrong_codes=st.integers(0, 9),
    delivered=st.booleans(),
)


@given(st.lists(lines, max_size=5))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, trace: list[TraceLine]) -> None:
    path = tmp_path_factory.mktemp("trace") / "trace.jsonl"
    assert write(path, trace) == len(trace)
    assert list(read(path)) == trace


def test_the_documented_line_is_read_field_by_field() -> None:
    device = TraceDevice(visitor_id="v", event_id="e1", ip_address="203.0.113.9", suspect_score=3, age=3.0)
    assert parse(AS_DOCUMENTED, 1) == TraceLine(
        t=12.5,
        label="person",
        phone_number="+14155550100",
        ip_address="203.0.113.9",
        account_id="a1",
        device=device,
        channel="sms",
        verifies=True,
        verify_after=21.0,
        wrong_codes=1,
    )


def test_a_person_verifies_and_an_attacker_does_not_where_the_line_leaves_it_out() -> None:
    assert parse('{"t": 0, "phone_number": "+14155550100"}', 1).verifies
    assert not parse('{"t": 0, "label": "attack", "phone_number": "+14155550100"}', 1).verifies


def test_a_device_that_leaves_things_out_is_nobody_elses_and_at_the_requests_address() -> None:
    text = '{"t": 0, "phone_number": "+14155550100", "ip_address": "203.0.113.9", "device": {}}'
    first, second = parse(text, 1).device, parse(text, 2).device
    assert first is not None
    assert second is not None
    assert first.ip_address == "203.0.113.9"
    assert first.event_id != second.event_id
    assert first.visitor_id != second.visitor_id


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ("{", "truncated"),
        ("[]", "object"),
        ('{"t": 1}', "phone_number"),
        ('{"t": -1, "phone_number": "+1"}', r"\$.t"),
        ('{"t": 1, "phone_number": "+1", "label": "friend"}', "label"),
        ('{"t": 1, "phone_number": "+1", "channel": "fax"}', "channel"),
        ('{"t": 1, "phone_number": "+1", "device": {"bot": "maybe"}}', "device.bot"),
        ('{"t": 1, "phone_number": "+1", "wrong_codes": -1}', "wrong_codes"),
        ('{"t": 1e300, "phone_number": "+1"}', r"\$.t"),
        ('{"t": 1, "phone_number": "+1", "verify_after": 1e300}', "verify_after"),
        (f'{{"t": 1, "phone_number": "+1", "wrong_codes": 1{"0" * 400}}}', "wrong_codes"),
        ('{"t": 1, "phone_number": "+1", "device": {"age": 1e300}}', "device.age"),
        ('{"t": 1, "device": ' + "[" * 9_000, "without end"),
        ('{"t": 1, "phone_number": "\\ud800"}', ""),
        (b'{"t": 1, "phone_number": "\xff"}', ""),
    ],
)
def test_a_line_that_is_wrong_is_named_and_those_before_it_are_read(
    tmp_path: Path, wrong: str | bytes, named: str
) -> None:
    path = tmp_path / "trace.jsonl"
    text = wrong.encode() if isinstance(wrong, str) else wrong
    path.write_bytes(AS_DOCUMENTED.encode() + b"\n\n" + text + b"\n")
    trace = read(path)
    assert next(trace).t == 12.5
    with pytest.raises(TraceError, match=f"^line 3 of the trace: .*{named}"):
        next(trace)


def test_null_is_left_out_but_for_a_device_and_its_verdicts() -> None:
    left_out = '{"t": 1, "phone_number": "+14155550100", "verify_after": null, "label": null, "account_id": null}'
    assert parse(left_out, 1) == TraceLine(t=1, phone_number="+14155550100", verifies=True)
    device = '{"visitor_id": "v", "event_id": "e", "bot": null, "suspect_score": null, "age": null, "ip_address": null}'
    read = parse(f'{{"t": 1, "phone_number": "+14155550100", "device": {device}}}', 1).device
    assert read == TraceDevice(visitor_id="v", event_id="e", bot=None, suspect_score=None, ip_address=None)


def test_the_countries_served_are_those_of_the_people() -> None:
    knobs = {"people": {"visits": 60, "countries": ["GB", "PL"], "offices": 0, "companies": 0}}
    assert served(compose("unserved", 1, knobs)) == ["GB", "PL"]
