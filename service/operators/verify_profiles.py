"""What each Verify profile should say, by our settings and policy, held against what it says at Telnyx.

Called by cli.profiles. Makes no call. It must never give a field a name that Telnyx's API does not
have: Telnyx ignores those in silence.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from service.channels import CHANNELS, Channel
from service.policy.model import Policies, Policy
from service.settings import ProfileSettings

DESTINATIONS = "whitelisted_destinations"
CODE_LENGTH = "code_length"
TIME_LIMIT = "default_verification_timeout_secs"
# What a change of a profile may name, by Telnyx's specification; of flashcall, by its guide and its call to make one.
CHANGEABLE: Mapping[Channel, Sequence[str]] = {
    "sms": (DESTINATIONS, CODE_LENGTH, TIME_LIMIT, "app_name", "messaging_template_id", "alpha_sender"),
    "call": (DESTINATIONS, CODE_LENGTH, TIME_LIMIT, "app_name", "messaging_template_id"),
    "flashcall": (DESTINATIONS, TIME_LIMIT, "app_name"),
    "whatsapp": (DESTINATIONS, TIME_LIMIT, "sender_phone_number", "template_id", "waba_id"),
}
# What Telnyx's specification does not have in its answers: that it is missing there says nothing.
UNTOLD = frozenset({f"flashcall.{DESTINATIONS}"})


class ProfileUser(msgspec.Struct, frozen=True):
    """Whose verifications a profile sends. `client`: None for all clients without a profile of their own."""

    client: str | None
    policy: Policy


class ProfileField(msgspec.Struct, frozen=True):
    """One field by Telnyx's name (`sms.code_length`): what it is at Telnyx (None: not set), and what it should be."""

    name: str
    theirs: Any
    ours: Any

    @property
    def differs(self) -> bool:
        """Whether Telnyx has another value; a list's order means nothing."""
        if isinstance(self.theirs, list) and isinstance(self.ours, list):
            return sorted(map(str, self.theirs)) != sorted(map(str, self.ours))
        return bool(self.theirs != self.ours)

    @property
    def unknown(self) -> bool:
        """Whether Telnyx does not tell it."""
        return self.theirs is None and self.name in UNTOLD


class ProfileReview(msgspec.Struct, frozen=True):
    """One profile: who uses it, its fields that we have a say in, and in what its users contradict each other."""

    profile_id: str
    clients: list[str | None]
    fields: list[ProfileField]
    conflicts: list[str]

    @property
    def differences(self) -> list[ProfileField]:
        return [field for field in self.fields if field.differs]


def list_profiles(default_id: str, policies: Policies) -> dict[str, list[ProfileUser]]:
    """List the profiles that settings and policy name, each with its users; the default one first."""
    found = {default_id: [ProfileUser(None, policies.default)]}
    for client, policy in policies.clients.items():
        found.setdefault(policy.client.verify_profile_id or default_id, []).append(ProfileUser(client, policy))
    return found


def review(
    profile_id: str, users: Sequence[ProfileUser], settings: ProfileSettings, theirs: Mapping[str, Any]
) -> ProfileReview:
    """Hold a profile as Telnyx tells it against what its users need."""
    conflicts: list[str] = []
    wanted = dict(_want(users, settings, conflicts))
    fields = [ProfileField(name, find_field(theirs, name), ours) for name, ours in wanted.items()]
    return ProfileReview(profile_id, [user.client for user in users], fields, conflicts)


def compose_change(theirs: Mapping[str, Any], differences: Sequence[ProfileField]) -> dict[str, Any]:
    """Write the change: of a channel all that may be set, so that it does not matter whether Telnyx merges sections."""
    change: dict[str, Any] = {}
    for field in differences:
        section, _, name = field.name.rpartition(".")
        if not section:
            change[name] = field.ours
            continue
        change.setdefault(section, _keep(theirs, section))[name] = field.ours
    return change


def list_served(policy: Policy, channel: Channel) -> list[str]:
    """List the countries that a policy sends to by one channel."""
    countries = policy.countries
    if CHANNELS[channel].opt_in and channel not in policy.fallback.order:
        return []
    return [country for country in countries.allow if country in countries.by_channel.get(channel, countries.allow)]


def _keep(theirs: Mapping[str, Any], section: str) -> dict[str, Any]:
    told = theirs.get(section)
    names = next((names for channel, names in CHANGEABLE.items() if channel == section), ())
    return {name: told[name] for name in names if told.get(name) is not None} if isinstance(told, dict) else {}


def _want(users: Sequence[ProfileUser], settings: ProfileSettings, conflicts: list[str]) -> Iterator[tuple[str, Any]]:
    for name in ("webhook_url", "webhook_failover_url"):
        if (url := getattr(settings, name)) is not None:
            yield name, str(url)
    length = _agree(users, CODE_LENGTH, [user.policy.verification.code_length for user in users], conflicts)
    said = {
        CODE_LENGTH: length,
        TIME_LIMIT: math.ceil(max(user.policy.verification.expires_after for user in users)),
        "app_name": _agree(users, "app_name", [user.policy.client.app_name for user in users], conflicts),
        "messaging_template_id": _agree(
            users, "messaging_template_id", [user.policy.client.messaging_template_id for user in users], conflicts
        ),
    }
    for channel, names in CHANGEABLE.items():
        served = sorted({country for user in users for country in list_served(user.policy, channel)})
        if served:  # a channel that nobody uses is left as it is
            yield f"{channel}.{DESTINATIONS}", served
            yield from ((f"{channel}.{name}", value) for name, value in said.items() if name in names and value)


def _agree(users: Sequence[ProfileUser], name: str, values: Sequence[Any], conflicts: list[str]) -> Any:
    """Return the one value that all name who name one; None, and a conflict, where there are several."""
    named = {value for value in values if value}
    if len(named) < 2:  # noqa: PLR2004  two are a contradiction
        return next(iter(named), None)
    who = ", ".join(f"{user.client or 'all others'} {value}" for user, value in zip(users, values, strict=True))
    conflicts.append(f"{name} is not the same for all that share this profile ({who}): give each a profile of its own.")
    return None


def find_field(theirs: Mapping[str, Any], name: str) -> Any:
    """Return a field of a profile by its name (`sms.code_length`); None where it is not set."""
    section, _, field = name.rpartition(".")
    told = theirs.get(section) if section else theirs
    return told.get(field) if isinstance(told, dict) else None
