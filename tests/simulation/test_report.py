"""The report counts what happened, and says of each label what its readers ask first."""

from __future__ import annotations

import pytest

from service.simulation.measuring import HEAD, draw_line, measure
from service.simulation.picture import draw
from service.simulation.report import LabelReport, LineOutcome, Played, Report, summarise
from service.simulation.trace import TraceLine

SENT = LineOutcome(result="sent", cost=0.05)
REFUSED = LineOutcome(result="refused", cost=0.05)
ERROR = LineOutcome(result="error", cost=0.05)
BOT = LineOutcome(result="suppressed", rules=("bot",), cost=0.05)
TWO_RULES = LineOutcome(result="suppressed", rules=("sequence", "bot"), cost=0.05)


def play(label: str, outcomes: list[LineOutcome], begin: float = 0.0, numbers: int = 1000) -> list[Played]:
    lines = [
        TraceLine(t=begin + place, label=label, phone_number=f"+1415555{place % numbers:04}", verifies=False)
        for place in range(len(outcomes))
    ]
    return list(zip(lines, outcomes, strict=True))


def only(report: Report) -> LabelReport:
    (part,) = report.labels
    return part


def test_every_request_is_counted_once_by_what_became_of_it() -> None:
    part = only(summarise(play("attack:range", [SENT, SENT, REFUSED, BOT, TWO_RULES, ERROR])))
    assert (part.requests, part.sent, part.refused, part.suppressed, part.errors) == (6, 2, 1, 2, 1)
    assert part.by_rule == {"bot": 2, "sequence": 1}


def test_stopped_is_a_share_of_what_would_have_gone_out() -> None:
    part = only(summarise(play("attack:range", [SENT, REFUSED, REFUSED, BOT, ERROR])))
    assert part.stopped == 3 / 4
    assert part.suppressed_by_rules == 1 / 2


def test_a_share_of_nothing_is_none() -> None:
    part = only(summarise(play("attack", [ERROR])))
    assert part.stopped is None
    assert part.suppressed_by_rules is None


def test_sends_before_the_first_block_are_counted_and_limits_are_no_block() -> None:
    part = only(summarise(play("attack", [SENT, REFUSED, SENT, BOT, SENT, SENT, SENT, BOT, SENT], begin=10)))
    assert (part.first_block, part.sent_before_block, part.longest_leak) == (13, 2, 3)


def test_an_attack_that_was_never_blocked_got_everything_out_before_it() -> None:
    part = only(summarise(play("attack", [SENT, REFUSED, SENT])))
    assert (part.first_block, part.sent_before_block, part.longest_leak) == (None, 2, 2)


def test_people_are_counted_as_requests_and_as_numbers() -> None:
    part = only(summarise(play("person", [BOT, SENT, BOT, SENT, SENT, SENT], numbers=2)))
    assert part.suppressed_by_rules == 1 / 3
    assert (part.numbers, part.numbers_suppressed) == (2, 1)


def test_money_is_spent_on_sends_and_saved_on_what_was_suppressed() -> None:
    part = only(summarise(play("attack", [SENT, SENT, REFUSED, BOT, BOT, ERROR])))
    assert part.spent == pytest.approx(0.10)
    assert part.saved == pytest.approx(0.15)


def test_labels_are_apart_people_first_and_attacks_are_added_up() -> None:
    plays = [*play("attack:b", [BOT]), *play("attack:a", [SENT] * 2), *play("person", [SENT] * 3)]
    report = summarise(plays)
    assert [part.label for part in report.labels] == ["person", "attack:a", "attack:b"]
    assert report.people == report.labels[0]
    assert report.attacks is not None
    assert (report.attacks.requests, report.attacks.sent, report.attacks.suppressed) == (3, 2, 1)
    assert "all attacks: 3 requests" in draw(report)
    assert "all attacks" not in draw(summarise(plays[1:]))


def test_the_order_of_the_lines_changes_nothing() -> None:
    plays = play("attack", [SENT, BOT, SENT, SENT, REFUSED])
    assert summarise(reversed(plays)) == summarise(plays)


def test_time_is_cut_into_columns_that_lose_nothing() -> None:
    part = only(report := summarise(play("attack", [SENT, BOT] * 50), columns=10))
    assert report.column == pytest.approx(9.9)
    assert sum(part.requests_over_time) == 100
    assert sum(part.sent_over_time) == 50
    assert part.requests_over_time == [10] * 10


def test_no_lines_are_a_report_too() -> None:
    report = summarise([])
    assert (report.people, report.attacks, report.labels) == (None, None, [])
    assert draw(report) == ""


def test_the_picture_shows_both_curves_and_what_was_suppressed() -> None:
    text = draw(summarise([*play("person", [SENT] * 40), *play("attack:range", [SENT] * 5 + [TWO_RULES] * 95)]))
    assert "attack:range: 100 requests" in text
    assert "suppressed 95.0% of what would have gone out (95.0% by rules)" in text
    assert "5 sends before the first block, at 5 s; at most 5 in a row" in text
    assert "wrongly suppressed by rules 0.0%: 0 of 40 requests" in text
    assert "numbers that this befell: 0 of 40" in text
    requests, sent = (line for line in text.splitlines()[-14:] if line.startswith(("  requests |", "  sent     |")))
    assert requests.count("█") > 10
    assert sent.rstrip("|").endswith(" " * 50)


def test_the_picture_can_do_without_block_characters() -> None:
    text = draw(summarise([*play("person", [SENT, BOT] * 200)]), ascii_only=True)
    assert text.isascii()
    assert "|@" in text


def test_nobodys_number_is_in_the_picture() -> None:
    assert "+1" not in draw(summarise(play("attack", [SENT, BOT])))


def test_a_scenarios_line_tells_its_group_from_other_people_and_the_attacks_cost() -> None:
    plays = [*play("person", [SENT] * 3 + [BOT]), *play("person:group", [SENT, REFUSED, BOT, BOT])]
    plays += play("attack:range", [SENT, SENT, BOT, BOT])
    one = measure("range", 7, summarise(plays))
    assert (one.people_by_rules, one.people_by_limits, one.group_by_rules, one.group_by_limits) == (0.25, 0, 0.5, 0.25)
    assert (one.attack_stopped, one.before) == (0.5, 2)
    assert one.cost == pytest.approx(0.1)
    assert one.by_rule == {"bot": 5}
    assert draw_line(one).split()[:6] == ["range", "7", "25.00%", "0.00%", "50.00%", "25.00%"]
    assert len(HEAD.splitlines()) == 2
