"""The policy file overrides single values, names every mistake by its line, and can be printed and read again."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from service.errors import PolicyError
from service.policy import loading, rendering
from service.policy.model import Policy
from service.policy.renamed import GONE, RENAMED

DEFAULT = loading.parse("").default


def describe(policy: Policy) -> str:
    """Write a policy down without what names its text."""
    return repr(policy).replace(policy.version, "").replace(f"number={policy.number}", "")


def read_mistakes(text: str) -> list[str]:
    with pytest.raises(PolicyError) as raised:
        loading.parse(text)
    first, *lines = str(raised.value).splitlines()
    assert first == "The policy file needs attention:"
    return [line.strip() for line in lines]


def test_what_a_file_leaves_out_stays_as_shipped() -> None:
    own = loading.parse('[limits]\nphone = ["7/2h"]\n[verification]\nexpires_after = "90s"\n').default
    assert repr(own.limits.phone) == "[7/7200s]"
    assert repr(own.limits.ip) == repr(DEFAULT.limits.ip)
    assert (own.verification.expires_after, own.verification.code_length) == (90.0, DEFAULT.verification.code_length)
    assert repr(own.lockout) == repr(DEFAULT.lockout)


def test_an_empty_file_changes_nothing_and_any_other_gets_a_version_of_its_own() -> None:
    assert loading.parse("").default.version == DEFAULT.version
    assert loading.parse("# words\n").default.version != DEFAULT.version


def test_a_client_overrides_what_holds_for_all_and_nobody_else() -> None:
    policies = loading.parse(
        '[limits]\nip = ["50/1h"]\n[clients.shop]\nip_required = false\n[clients.shop.limits]\nphone = ["1/1m"]\n'
        '[clients.other.countries]\nallow = ["GB"]\n'
    )
    shop, other, third = policies.of("shop"), policies.of("other"), policies.of("third")
    assert (repr(shop.limits.phone), repr(shop.limits.ip), shop.client.ip_required) == ("[1/60s]", "[50/3600s]", False)
    assert (other.countries.allow, other.client.ip_required) == (["GB"], True)
    assert third is policies.default
    assert len({policy.number for policy in policies}) == 3


@pytest.mark.parametrize(("length", "seconds"), [("1s", 1), ("45s", 45), ("5m", 300), ("2h", 7200), ("30d", 2_592_000)])
def test_lengths_of_time_are_written_in_seconds_minutes_hours_or_days(length: str, seconds: float) -> None:
    own = loading.parse(f'[fallback]\nafter = "{length}"\n[limits]\nphone = ["1/{length}"]\n').default
    assert own.fallback.after == seconds
    assert own.limits.phone[0].seconds == seconds


ALL_AT_ONCE = """\
[limits]
phone = ["3/0m"]
ip = 10
acount = ["1/1h"]
[verification]
expires_after = "11m"
code_length = true
dispatch_deadline = 60
[fallback]
mode = "of"
order = ["sms", "fax"]
[countries]
allow = ["US", "XX"]
[rules.number]
kinds = ["premum"]
[rules.nonsense]
mode = "off"
[clients.shop]
ip_required = "no"
limits.phone = ["0/1h"]
verify_profile_id = "../messages"
"""


def test_every_mistake_is_named_at_once_by_its_line_in_order() -> None:
    mistakes = read_mistakes(ALL_AT_ONCE)
    assert [mistake.split(": ")[:2] for mistake in mistakes] == [
        ["line 2", "limits.phone"],
        ["line 3", "limits.ip"],
        ["line 4", "limits.acount"],
        ["line 6", "verification.expires_after"],
        ["line 7", "verification.code_length"],
        ["line 8", "verification.dispatch_deadline"],
        ["line 10", "fallback.mode"],
        ["line 11", "fallback.order"],
        ["line 13", "countries.allow"],
        ["line 15", "rules.number.kinds"],
        ["line 16", "rules.nonsense"],
        ["line 19", "clients.shop.ip_required"],
        ["line 20", "clients.shop.limits.phone"],
        ["line 21", "clients.shop.verify_profile_id"],
    ]
    assert mistakes[6].endswith("must be one of offer, auto, off")
    assert "XX" in mistakes[8]
    assert "US" not in mistakes[8].split("must be")[0]


SPELLINGS = """# every way in which TOML lets a value be written, each with a mistake

countries.allow = [
    "US",
    # mode = "here"
    "XX",
]
[ rules . 'bot' ]
'mode' = "no"
[rules]
"number" . mode = "no"
voip = { mode = "no", kinds = ["no"] }
[verification]  # expires_after = "1h"
expires_after = \"\"\"
code_length = 99
\"\"\"
[clients."shop".limits]
phone = "no"
"""


def test_a_mistake_is_named_by_its_line_however_its_value_is_written() -> None:
    mistakes = read_mistakes(SPELLINGS)
    assert [mistake.split(": ")[:2] for mistake in mistakes] == [
        ["line 3", "countries.allow"],
        ["line 9", "rules.bot.mode"],
        ["line 11", "rules.number.mode"],
        ["line 12", "rules.voip"],
        ["line 14", "verification.expires_after"],
        ["line 18", "clients.shop.limits.phone"],
    ]


WRONG = {
    "alerts of one client": "[clients.shop.alerts]\nabove_sends_per_minute = 5",
    "a count of nothing": '[limits]\nphone = ["0/1h"]',
    "a count over a thousand": '[limits]\nphone = ["1001/1h"]',
    "a negative count": '[limits]\nphone = ["-1/1h"]',
    "a window without a count": '[limits]\nphone = ["1h"]',
    "a window over a month": '[limits]\nphone = ["1/31d"]',
    "a window in weeks": '[limits]\nphone = ["1/1w"]',
    "a window in other digits": '[limits]\nphone = ["٣/1h"]',
    "a number for a window": "[limits]\nphone = [3]",
    "a list for one window": '[lockout]\ncodes_per_phone = ["3/1h"]',
    "no codes": "[lockout]\ncodes_per_verification = 0",
    "codes as text": '[lockout]\ncodes_per_verification = "5"',
    "codes with a fraction": "[lockout]\ncodes_per_verification = 5.5",
    "no time": '[verification]\nexpires_after = "0s"',
    "a short code": "[verification]\ncode_length = 3",
    "an empty order": "[fallback]\norder = []",
    "a channel twice": '[fallback]\norder = ["sms", "sms"]',
    "a country in small letters": '[countries]\nallow = ["us"]',
    "a country's name": '[countries]\nallow = ["Germany"]',
    "a code that no country has": '[countries]\ncall = ["ZZ"]',
    "the world": '[countries]\nallow = ["001"]',
    "a table for a value": "[limits.phone]\na = 1",
    "a value for a table": "limits = 3",
    "a list of tables": "[[limits]]",
    "a name of our own": 'version = "1"',
    "a client's value at the top": "ip_required = false",
    "clients that are no table": "clients = 3",
    "a client that is no table": "[clients]\nshop = 3",
    "a client that no key can have": '[clients."My Shop"]',
    "clients within a client": "[clients.shop.clients.other]",
    "a client's values one table too deep": "[clients.shop.client]\ncaptcha_required = true",
    "a time that no calendar has": '[fallback]\nafter = "9999999d"',
    "a deadline after the end of time": '[verification]\ndispatch_deadline = "9999999d"',
    "what is no number": "[rules.suspect_score]\nabove = nan",
    "a number without end": "[rules.burst]\nabove_nats = inf",
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_what_a_policy_cannot_mean_is_refused_with_its_place(text: str) -> None:
    (mistake,) = read_mistakes(text)
    assert mistake.startswith("line ")


OLD_NAMES = [(table, old, new) for table, names in RENAMED.items() for old, new in names.items()]


@pytest.mark.parametrize(("table", "old", "new"), OLD_NAMES, ids=[f"{table}.{old}" for table, old, _ in OLD_NAMES])
def test_a_setting_may_be_given_by_the_name_it_had_before(table: str, old: str, new: str) -> None:
    before, after = (loading.parse(f"[{table}]\n{name} = 987\n") for name in (old, new))
    assert describe(before.default) == describe(after.default) != describe(DEFAULT)
    assert (before.renamed, after.renamed) == ([(2, f"{table}.{old}", new)], [])


def test_a_client_may_have_settings_by_old_names() -> None:
    policies = loading.parse("[clients.shop.rules.range]\npart = 1.5\n")
    assert policies.of("shop").rules.range.most_nats_per_tenth == 1.5
    assert policies.renamed == [(2, "clients.shop.rules.range.part", "most_nats_per_tenth")]


@pytest.mark.parametrize(("table", "name"), [(table, name) for table, names in GONE.items() for name in names])
def test_a_setting_that_is_gone_is_named_and_changes_nothing(table: str, name: str) -> None:
    policies = loading.parse(f"[{table}]\n{name} = 987\n[clients.shop.{table}]\n{name} = 3\n")
    assert describe(policies.default) == describe(DEFAULT)
    assert policies.renamed == [(2, f"{table}.{name}", ""), (4, f"clients.shop.{table}.{name}", "")]
    assert "no effect" in policies.renamed[0].remedy


def test_both_names_of_a_setting_are_a_mistake_and_so_is_a_wrong_value_by_its_old_name() -> None:
    (both,) = read_mistakes("[rules.burst]\nabove_per_minute = 9\nrush = 9\n")
    assert both.startswith("line 3: rules.burst.rush: is the old name of above_per_minute")
    (wrong,) = read_mistakes('[clients.shop.rules.burst]\nrush = "many"\n')
    assert wrong.startswith("line 2: clients.shop.rules.burst.rush: ")


def test_what_is_shown_has_the_new_names(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("[rules.burst]\nrush = 9\n[clients.shop.rules.burst]\nrush = 7\n")
    shown = rendering.render(tmp_path / "policy.toml")
    assert "above_per_minute = 9  # shipped: 12" in shown.splitlines()
    assert loading.parse(shown).of("shop").rules.burst.above_per_minute == 7
    assert loading.parse(shown).renamed == []


def test_a_file_that_is_no_toml_says_where_it_stops_being_it() -> None:
    with pytest.raises(PolicyError, match=r"not TOML.*line 2"):
        loading.parse("[limits]\nphone = nonsense\n")


@pytest.mark.parametrize("text", ["a = " + "[" * 9_000, "a = " + "{b=" * 9_000, "a = 1" + "0" * 5_000])
def test_a_file_beyond_all_measure_is_no_policy(text: str) -> None:
    with pytest.raises(PolicyError, match="without end"):
        loading.parse(text)


def test_a_file_may_be_as_windows_writes_it(tmp_path: Path) -> None:
    (tmp_path / "marked.toml").write_bytes(b"\xef\xbb\xbf[limits]\r\nphone = []\r\n")
    assert loading.load(tmp_path / "marked.toml").default.limits.phone == []


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.toml", tmp_path):
        with pytest.raises(PolicyError, match=f"{path} cannot be read"):
            loading.load(path)
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(PolicyError, match="UTF-8"):
        loading.load(tmp_path / "latin.toml")


OWN = """\
# A comment that is lost, and nothing else.
limits.phone = ["1/1m", "2/2h"]
countries = { allow = ["GB"], call = ["GB"] }
[rules.number]
mode = "observe"
kinds = []
[clients.shop]
ip_required = false
verify_profile_id = "5a9dbeef-0000-4000-8000-000000000001"
[clients.shop.limits]
ip = ["9/1d"]
[clients.empty]
"""


@pytest.mark.parametrize("own", ["", OWN])
def test_what_is_shown_can_be_read_again_and_means_the_same(own: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(own)
    shown = rendering.render(path)
    again, first = loading.parse(shown), loading.parse(own)
    assert describe(again.default) == describe(first.default)
    assert again.clients.keys() == first.clients.keys()
    for name in first.clients:
        assert describe(again.of(name)) == describe(first.of(name))


def test_what_is_shown_says_what_was_overridden(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(OWN)
    lines = rendering.render(tmp_path / "policy.toml").splitlines()
    assert 'mode = "observe"  # shipped: "enforce"' in lines
    assert 'expires_after = "5m"' in lines


def test_the_shipped_policy_is_all_that_can_be_set() -> None:
    """What has a meaning and no value of its own is named in the shipped file's words."""
    shipped = tomllib.loads(loading.default_text())
    assert describe(loading.parse(loading.default_text()).default) == describe(DEFAULT)
    assert set(shipped) == {name for name in Policy.__struct_fields__ if name not in ("version", "number")}
