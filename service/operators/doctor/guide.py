"""The sixteen points of Telnyx's checklist for verifications in production, held against what was gathered.

Listed by operators.doctor.examination. Pure: each point is judged by facts alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netaddr import IPSet
from pydantic import HttpUrl

from service.operators.doctor.diagnosis import Diagnosis, Unknown, doubtful, fit, not_known, unfit, worst
from service.operators.doctor.gathering import Facts, LiveKey, ToldProfile
from service.operators.doctor.safety import find_unsafe, is_local
from service.operators.verify_profiles import CODE_LENGTH, DESTINATIONS, TIME_LIMIT, ProfileField
from service.policy.model import Policy
from service.policy.units import Window

SYNC = "Run verify-gateway profile sync."
TELNYX = IPSet(["192.76.120.192/27"])
PATH = "/webhooks/verify"
# The guide's own figures.
MOST_SECONDS = 300
MOST_CODES = 5
LEAST_DIGITS = 5
MOST_A_MINUTE = 100
# Above this many wrong codes a verification is no longer a matter of taste: one in 100,000 guessers gets in.
TOO_MANY_CODES = 10
# A threshold so many times the busiest minute would never ring.
NEVER_RINGS = 10
PUMPING = ("sequential", "range", "country_conversion", "ip_conversion", "burst")


def judge_phone_limit(facts: Facts) -> Diagnosis:
    return _judge_limit(facts, "phone", 3, 600)


def judge_ip_limit(facts: Facts) -> Diagnosis:
    return _judge_limit(facts, "ip", 10, 3600)


def judge_account_limit(facts: Facts) -> Diagnosis:
    return _judge_limit(facts, "account", 5, 3600)


def judge_volume(facts: Facts) -> Diagnosis:
    """Whether the alert on all sends of a minute could ever ring."""
    threshold = facts.policies.default.alerts.above_sends_per_minute
    busiest = 0 if isinstance(facts.traffic, Unknown) else facts.traffic.busiest
    seen = f"An alert rings above {threshold} sends a minute; the busiest minute of the last week had {busiest}."
    if threshold <= max(MOST_A_MINUTE, NEVER_RINGS * busiest):
        return fit(seen)
    return doubtful(seen, f"Lower alerts.above_sends_per_minute to a few times that, or to {MOST_A_MINUTE}.")


def judge_destinations(facts: Facts) -> Diagnosis:
    """Whether each profile sends to the policy's countries and to no others."""
    found = [one for told, field in _fields(facts, DESTINATIONS) for one in _judge_countries(told, field)]
    return worst([*found, *_unread(facts)], "Each Verify profile sends to the policy's countries, and to no others.")


def judge_captcha(facts: Facts) -> Diagnosis:
    if facts.settings.captcha_provider is None:
        return doubtful(
            "No captcha stands before a verification.",
            "Set CAPTCHA_PROVIDER and CAPTCHA_SECRET, and captcha_required = true under [client] in the policy.",
        )
    found = []
    for who, policy in _policies(facts):
        if not policy.client.captcha_required:
            found.append(
                doubtful(f"A request{who} may leave the captcha out.", "Set captcha_required = true in the policy.")
            )
        if policy.rules.captcha.mode != "enforce":
            found.append(
                doubtful(f"A captcha that was not solved stops nothing{who}.", 'Set rules.captcha.mode = "enforce".')
            )
    return worst(found, f"Every request brings a captcha, which {facts.settings.captcha_provider} verifies.")


def judge_authentication(facts: Facts) -> Diagnosis:
    """Whether there is a key: without one every call is refused, and nothing else opens the product's calls."""
    if isinstance(facts.keys, Unknown):
        return not_known(facts.keys)
    products = {key.client for key in _keys_of(facts.keys, test=False, scope="verify")}
    if products:
        return fit(f"Every call needs a key; clients that have one: {len(products)}.")
    return doubtful("Every call needs a key, and there is none yet.", "Make one: verify-gateway keys create NAME.")


def judge_pumping(facts: Facts) -> Diagnosis:
    found = list(_find_lax_rules(facts))
    if isinstance(facts.observations, Unknown):
        found.append(not_known(facts.observations))
    else:
        found += [
            doubtful(
                f"Until {one.until:%Y-%m-%d %H:%M} UTC every rule only observes for {one.client}.",
                "Look at verify-gateway policy outcomes, and let enforce_from end the period once they are right.",
            )
            for one in facts.observations
            if not one.over
        ]
    return worst(found, f"The rules against pumping are enforced: {', '.join(PUMPING)}.")


def judge_code_length(facts: Facts) -> Diagnosis:
    found = [
        unfit(f"Codes{who} have {length} digits.", "Set verification.code_length = 6 in the policy.")
        for who, policy in _policies(facts)
        if (length := policy.verification.code_length) < LEAST_DIGITS
    ]
    found += [
        unfit(
            f"{_word(told)} makes codes of {field.theirs or 'no set number of'} digits by "
            f"{field.name.partition('.')[0]}, and the policy expects {field.ours}.",
            SYNC,
        )
        for told, field in _fields(facts, CODE_LENGTH)
        if field.differs
    ]
    found += [
        unfit(f"{_word(told)}: {conflict}", "Give each of these clients a verify_profile_id of its own.")
        for told in _told(facts)
        for conflict in told.review.conflicts
        if conflict.startswith(CODE_LENGTH)
    ]
    digits = facts.policies.default.verification.code_length
    return worst([*found, *_unread(facts)], f"Codes have {digits} digits, in the policy and at Telnyx.")


def judge_time_limit(facts: Facts) -> Diagnosis:
    found = [
        doubtful(
            f"A code{who} is valid for {policy.verification.expires_after:g} s.",
            'Set verification.expires_after to "5m" or less.',
        )
        for who, policy in _policies(facts)
        if policy.verification.expires_after > MOST_SECONDS
    ]
    found += [
        doubtful(f"{_word(told)} has {field.theirs} s as {field.name}.", SYNC)
        for told, field in _fields(facts, TIME_LIMIT)
        if isinstance(field.theirs, int) and field.theirs > MOST_SECONDS
    ]
    return worst([*found, *_unread(facts)], f"No code is valid for more than {MOST_SECONDS} s.")


def judge_lockout(facts: Facts) -> Diagnosis:
    found = []
    for who, policy in _policies(facts):
        most = policy.lockout.codes_per_verification
        if most > MOST_CODES:
            judge = unfit if most > TOO_MANY_CODES else doubtful
            found.append(
                judge(f"A verification{who} takes {most} wrong codes.", "Set lockout.codes_per_verification = 5.")
            )
    return worst(found, f"A verification locks at {MOST_CODES} wrong codes or fewer, and a number has a budget too.")


def judge_silence(facts: Facts) -> Diagnosis:
    """Whether anything but the replies, which are alike, tells what became of a number."""
    found = [
        doubtful(unsafe.risk, unsafe.remedy)
        for unsafe in find_unsafe(facts.settings)
        if unsafe.setting == "METRICS_HOST"
    ]
    return worst(found, "Replies are the same for every number, and no metrics port is open to strangers.")


def judge_webhook_https(facts: Facts) -> Diagnosis:
    found = []
    if not facts.settings.webhook_require_https:
        found.append(
            unfit(
                "Webhooks are accepted over plain HTTP.", "Leave WEBHOOK_REQUIRE_HTTPS unset, and put HTTPS in front."
            )
        )
    for told in _told(facts):
        found += _judge_addresses(told, facts.settings.webhook_url)
    return worst([*found, *_unread(facts)], "Each Verify profile reports to an address over HTTPS.")


def judge_webhook_source(facts: Facts) -> Diagnosis:
    allowed = facts.settings.webhook_allowed_cidrs
    found = [
        unfit(unsafe.risk, unsafe.remedy)
        for unsafe in find_unsafe(facts.settings)
        if unsafe.setting in {"WEBHOOK_ALLOWED_CIDRS", "TRUSTED_PROXIES"}
    ]
    if allowed - TELNYX:
        found.append(
            doubtful("Webhooks are accepted from networks besides Telnyx's.", "Leave WEBHOOK_ALLOWED_CIDRS unset.")
        )
    if not allowed & TELNYX:
        found.append(unfit("Webhooks from Telnyx's network are refused.", "Leave WEBHOOK_ALLOWED_CIDRS unset."))
    return worst(found, "Webhooks are accepted from Telnyx's network alone.")


def judge_server_side(facts: Facts) -> Diagnosis:
    """Whether Telnyx alone says that a code is right."""
    found = []
    url = facts.settings.telnyx_base_url
    if not is_telnyx(url) and not is_local(url):
        found.append(
            doubtful(
                "TELNYX_BASE_URL is not Telnyx's: whoever answers there says which codes are right.",
                "Leave TELNYX_BASE_URL unset.",
            )
        )
    if not isinstance(facts.keys, Unknown):
        tests = sorted({key.client for key in _keys_of(facts.keys, test=True, scope="verify")})
        if tests:
            found.append(
                doubtful(
                    f"Keys of test clients are in force ({', '.join(tests)}): with those, anybody's code is 123456.",
                    "Revoke them (verify-gateway keys list, keys revoke ID), and keep test clients out of production.",
                )
            )
    stand_in = "" if is_telnyx(url) else " Here that is a stand-in on this machine."
    return worst(found, f"Only Telnyx's own answer to our server makes a verification verified.{stand_in}")


def judge_monitoring(facts: Facts) -> Diagnosis:
    if facts.settings.metrics_port is not None:
        return fit("The metrics have a port of their own; every decision is a line in the log.")
    if isinstance(facts.keys, Unknown):
        return not_known(facts.keys)
    if any(key.scope in {"metrics", "operator"} for key in facts.keys):
        return fit("A key opens /metrics; every decision is a line in the log.")
    return doubtful(
        "Nobody can read the metrics: METRICS_PORT is not set, and no key opens them.",
        "Make a key for your monitoring: verify-gateway keys create watch --scope metrics.",
    )


def is_telnyx(url: HttpUrl) -> bool:
    """Say whether an address is one of Telnyx's."""
    return url.scheme == "https" and f".{url.host}".endswith(".telnyx.com")


def _policies(facts: Facts) -> Iterator[tuple[str, Policy]]:
    """Yield each policy with the words that say whose it is."""
    yield "", facts.policies.default
    for client, policy in facts.policies.clients.items():
        yield f" of {client}", policy


def _told(facts: Facts) -> list[ToldProfile]:
    return [told for told in facts.profiles.values() if isinstance(told, ToldProfile)]


def _unread(facts: Facts) -> Iterator[Diagnosis]:
    yield from (not_known(told) for told in facts.profiles.values() if isinstance(told, Unknown))


def _fields(facts: Facts, name: str) -> Iterator[tuple[ToldProfile, ProfileField]]:
    for told in _told(facts):
        yield from ((told, field) for field in told.review.fields if field.name.endswith(f".{name}"))


def _word(told: ToldProfile) -> str:
    return f"Verify profile {told.review.profile_id}"


def _judge_limit(facts: Facts, name: str, most: int, seconds: int) -> Diagnosis:
    remedy = f'Set limits.{name} = ["{most}/{seconds // 60}m"] or stricter in the policy.'
    found = []
    for who, policy in _policies(facts):
        windows: Sequence[Window] = getattr(policy.limits, name)
        if not windows:
            found.append(unfit(f"Requests{who} have no limit by {name}.", remedy))
        elif not any(window.max <= most and window.seconds >= seconds for window in windows):
            shown = ", ".join(map(repr, windows))
            found.append(doubtful(f"The limit by {name}{who} is laxer than the guide's ({shown}).", remedy))
    return worst(found, f"At most {most} requests in {seconds // 60} minutes by {name}.")


def _judge_countries(told: ToldProfile, field: ProfileField) -> Iterator[Diagnosis]:
    where = f"{_word(told)} by {field.name.partition('.')[0]}"
    if field.unknown:  # Telnyx does not tell it of this channel
        return
    theirs = {str(country) for country in field.theirs or ()}
    if field.theirs is None or "*" in theirs:
        yield unfit(f"{where} sends to every country.", SYNC)
    elif missing := sorted(set(field.ours) - theirs):
        yield unfit(f"{where} does not send to {', '.join(missing)}, which the policy allows.", SYNC)
    elif more := sorted(theirs - set(field.ours)):
        yield doubtful(f"{where} also sends to {', '.join(more)}, which the policy does not allow.", SYNC)


def _judge_addresses(told: ToldProfile, ours: HttpUrl | None) -> Iterator[Diagnosis]:
    for name in ("webhook_url", "webhook_failover_url"):
        url = told.fields.get(name)
        if not url and name == "webhook_url":
            remedy = "Set WEBHOOK_URL to the address of /webhooks/verify, and run verify-gateway profile sync."
            yield doubtful(f"{_word(told)} has no webhook address, so deliveries are not reported.", remedy)
        elif url and not str(url).startswith("https://"):
            yield unfit(f"{_word(told)} reports to {name} over plain HTTP.", "Give it an address with https://.")
        elif url and not str(url).rstrip("/").endswith(PATH):
            yield doubtful(f"The {name} of {_word(told)} does not end in {PATH}.", f"Let it end in {PATH}.")
    if ours is not None and told.fields.get("webhook_url") not in (None, "", str(ours)):
        yield doubtful(f"{_word(told)} reports to another address than WEBHOOK_URL.", SYNC)


def _find_lax_rules(facts: Facts) -> Iterator[Diagnosis]:
    for who, policy in _policies(facts):
        for rule in PUMPING:
            mode = getattr(policy.rules, rule).mode
            if mode != "enforce":
                judge = unfit if mode == "off" else doubtful
                seen = f"The rule {rule}{who} is off." if mode == "off" else f"The rule {rule}{who} only observes."
                yield judge(seen, f'Set rules.{rule}.mode = "enforce" in the policy.')


def _keys_of(keys: Sequence[LiveKey], *, test: bool, scope: str) -> Iterator[LiveKey]:
    yield from (key for key in keys if key.test == test and key.scope == scope)
