"""What the guide's checklist does not ask: settings, keys, signatures, clocks, prices, alerts and what Telnyx tells.

Listed by operators.doctor.examination. Pure: each point is judged by facts alone, and no secret is shown.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import UTC, date, datetime

from service.operators.device_signals import word_absent
from service.operators.doctor.diagnosis import Diagnosis, Unknown, doubtful, fit, not_known, unfit, worst
from service.operators.doctor.gathering import Facts, RefusedProfile, ToldProfile
from service.operators.doctor.guide import SYNC
from service.operators.doctor.safety import find_unknown, find_unsafe, is_local
from service.operators.verify_profiles import CODE_LENGTH, DESTINATIONS, TIME_LIMIT
from service.policy import loading
from service.policy.neighbours import find_neighbours

# Settings whose risks are points of their own.
APART = frozenset({
    "TELNYX_PUBLIC_KEY", "WEBHOOK_ALLOWED_CIDRS", "TRUSTED_PROXIES", "WEBHOOK_REQUIRE_HTTPS", "METRICS_HOST",
    "SECRET_KEY", "INDEX_KEY", "CAPTCHA_SECRET",
})  # fmt: skip
# Seconds that a clock may be wrong. Webhooks are refused at five minutes, and Fingerprint's events at one.
UNEXACT, WRONG = 5.0, 60.0
# Days after which a price list is old.
OLD = 180
# Sends of a day after which a webhook should have come.
SOME_SENDS = 10


def judge_settings(facts: Facts, points: Container[str]) -> Diagnosis:
    """Judge all settings that no other point does. `points`: the names that DOCTOR_ACCEPTED may have."""
    found = [
        doubtful(f"{unsafe.setting}: {unsafe.risk}", unsafe.remedy)
        for unsafe in find_unsafe(facts.settings)
        if unsafe.setting not in APART and not _is_local_setting(facts, unsafe.setting)
    ]
    found += [
        doubtful(f"There is no setting {name}.", "Correct its name, or remove it: it does nothing.")
        for name in find_unknown(facts.names)
    ]
    found += [
        doubtful(f"DOCTOR_ACCEPTED names no point: {name}.", "Correct it: the points' names are in this list.")
        for name in facts.settings.doctor_accepted
        if name not in points
    ]
    return worst(found, "No setting is misspelt, and nothing secret goes over plain HTTP.")


def judge_signature(facts: Facts) -> Diagnosis:
    if facts.settings.telnyx_public_key is not None:
        return fit("Webhooks have to be signed by Telnyx.")
    return unfit(
        "Webhooks need no signature: whoever sends from Telnyx's network can report false deliveries.",
        "Set TELNYX_PUBLIC_KEY to the public key in Telnyx's portal (Keys & Credentials).",
    )


def judge_keys(facts: Facts) -> Diagnosis:
    settings = facts.settings
    found = [
        unfit(f"{unsafe.setting}: {unsafe.risk}", unsafe.remedy)
        for unsafe in find_unsafe(settings)
        if unsafe.setting in {"SECRET_KEY", "INDEX_KEY"}
    ]
    ours = {*settings.secret_key, settings.index_key}
    if len(ours) <= len(settings.secret_key):
        found.append(doubtful("SECRET_KEY lists one key twice.", "Remove one: a key is replaced by a new one."))
    if ours & set(settings.fingerprint_sealed_keys or ()):
        remedy = "Make SECRET_KEY and INDEX_KEY of your own: openssl rand -base64 32."
        found.append(unfit("A key of Fingerprint's is also one of ours, so others know it.", remedy))
    if isinstance(facts.wrong_keys, Unknown):
        found.append(not_known(facts.wrong_keys))
    else:
        found += [unfit(f"{wrong.setting}: {wrong.risk}", wrong.remedy) for wrong in facts.wrong_keys]
    return worst(found, "SECRET_KEY and INDEX_KEY are random, different from each other, and those of this database.")


def judge_telnyx(facts: Facts) -> Diagnosis:
    """Whether Telnyx knows our key and each profile; what it said is a sentence that says what to do."""
    found = [
        unfit(f"Verify profile {profile_id}: {told.reason}", "Correct that, then run doctor again.")
        for profile_id, told in facts.profiles.items()
        if isinstance(told, Unknown)
    ]
    return worst(found, f"Telnyx accepts our key and has each Verify profile that is named: {len(facts.profiles)}.")


def judge_profile(facts: Facts) -> Diagnosis:
    """Whether the profiles say what settings and policy do, in the fields that no other point looks at."""
    apart = (DESTINATIONS, CODE_LENGTH, TIME_LIMIT, "webhook_url")
    found = []
    for told in _told(facts):
        fields = [field.name for field in told.review.differences if not field.unknown]
        named = [name for name in fields if not name.endswith(apart)]
        late = [field.name for field in told.review.differences if field.name.endswith(TIME_LIMIT) and field.theirs]
        if named + late:
            where = f"Verify profile {told.review.profile_id}"
            found.append(doubtful(f"{where} differs from settings and policy in {', '.join(named + late)}.", SYNC))
        found += [
            doubtful(conflict, "Give each of these clients a verify_profile_id of its own.")
            for conflict in told.review.conflicts
            if not conflict.startswith(CODE_LENGTH)
        ]
    found += [not_known(told) for told in facts.profiles.values() if isinstance(told, Unknown)]
    return worst(found, "All else in the Verify profiles is as settings and policy say.")


def judge_telnyx_clock(facts: Facts) -> Diagnosis:
    replies = [one for one in facts.profiles.values() if isinstance(one, ToldProfile | RefusedProfile)]
    told = [one.ahead for one in replies if one.ahead is not None]
    if not told:
        return not_known(Unknown("Telnyx told no time."))
    return judge_clock("Telnyx", min(told, key=abs))


def judge_clock(whose: str, ahead: float) -> Diagnosis:
    """Judge how far another clock is from this machine's."""
    seen = f"{whose}'s clock is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine's."
    if abs(ahead) <= UNEXACT:
        return fit(seen)
    judge = unfit if abs(ahead) > WRONG else doubtful
    return judge(seen, "Keep every machine's clock by NTP: signatures, device events and keys end by them.")


def judge_territories(facts: Facts) -> Diagnosis:
    found = [
        doubtful(
            str(one), "Add those whose people you verify to countries.allow; then name territories in DOCTOR_ACCEPTED."
        )
        for one in find_neighbours(facts.policies)
    ]
    return worst(found, "No country is left out that shares a calling code with an allowed one.")


def judge_prices(facts: Facts) -> Diagnosis:
    prices, remedy = facts.policies.default.prices, "Put your contract's prices, with source and date, into [prices]."
    if prices.source == loading.load(None).default.prices.source:
        return doubtful("The prices are those that ship, which are not Telnyx's.", remedy)
    try:
        age = (datetime.now(UTC).date() - date.fromisoformat(prices.dated)).days
    except ValueError:
        return doubtful("The prices have no date.", remedy)
    if age > OLD:
        return doubtful(f"The prices are {age} days old.", remedy)
    return fit(f"The prices are of {prices.dated}.")


def judge_alerts(facts: Facts) -> Diagnosis:
    if facts.settings.alert_webhook_url is not None:
        return fit("Alerts are posted to ALERT_WEBHOOK_URL.")
    return doubtful("Alerts are only in the log and the metrics.", "Set ALERT_WEBHOOK_URL.")


def judge_captcha_secret(facts: Facts) -> Diagnosis:
    found = [
        unfit(unsafe.risk, unsafe.remedy)
        for unsafe in find_unsafe(facts.settings)
        if unsafe.setting == "CAPTCHA_SECRET"
    ]
    answer, name = facts.captcha, facts.settings.captcha_provider
    if isinstance(answer, Unknown):
        found.append(not_known(answer))
    elif answer is not None and not answer.accepted:
        remedy = "Set CAPTCHA_SECRET to the secret of your own site, and CAPTCHA_PROVIDER to whose it is."
        wrong = "accepts a made-up token" if answer.code == "passed" else "does not accept CAPTCHA_SECRET"
        found.append(unfit(f"What answers as {name} {wrong} ({answer.code}).", remedy))
    return worst(found, f"{name} accepts CAPTCHA_SECRET." if name else "There is no captcha, and so no secret.")


def judge_fingerprint(facts: Facts) -> Diagnosis:
    """Whether Fingerprint knows our key: with a wrong one no event is looked up, and the rules on them stop nobody."""
    if isinstance(facts.fingerprint, Unknown):
        return not_known(facts.fingerprint)
    if facts.fingerprint is None:
        return fit("FINGERPRINT_SECRET_KEY is not set, so no device event is looked up.")
    if facts.fingerprint.accepted:
        return fit("Fingerprint accepts FINGERPRINT_SECRET_KEY.")
    return unfit(
        f"Fingerprint does not accept FINGERPRINT_SECRET_KEY ({facts.fingerprint.code}).",
        "Set it to a secret key of your workspace, and FINGERPRINT_REGION and FINGERPRINT_API as they are there.",
    )


def judge_signals(facts: Facts) -> Diagnosis:
    if isinstance(facts.absent, Unknown):
        return not_known(facts.absent)
    remedy = "Turn them on at Fingerprint for this client's key, or accept that the rules on them stop nobody."
    found = [doubtful(word_absent(client, signals), remedy) for client, signals in facts.absent.items()]
    return worst(found, "No device event lacks a signal that a rule looks at.")


def judge_reports(facts: Facts) -> Diagnosis:
    """Whether Telnyx's webhooks arrive, once enough was sent to tell."""
    if isinstance(facts.traffic, Unknown):
        return not_known(facts.traffic)
    if facts.traffic.reported:
        return fit("Telnyx's webhooks arrive.")
    if facts.traffic.day < SOME_SENDS:
        return fit("Too little was sent on the last day to tell whether webhooks arrive.")
    return doubtful(
        f"{facts.traffic.day} codes were sent on the last day, and no webhook has come.",
        "Look for webhooks_refused in the log, and at the proxy's X-Forwarded-For and X-Forwarded-Proto.",
    )


def _told(facts: Facts) -> Iterator[ToldProfile]:
    yield from (told for told in facts.profiles.values() if isinstance(told, ToldProfile))


def _is_local_setting(facts: Facts, name: str) -> bool:
    url = getattr(facts.settings, name.lower(), None)
    return url is not None and is_local(url)
