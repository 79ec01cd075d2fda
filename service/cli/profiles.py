"""profile: show what Telnyx's Verify profiles say beside what they should, and write the difference.

Needs no database. Never prints a key, and writes nothing that was not shown and confirmed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
import msgspec

from service.errors import GatewayError
from service.operators.doctor.safety import is_local
from service.operators.verify_profiles import (
    ProfileField,
    ProfileReview,
    compose_change,
    find_field,
    list_profiles,
    review,
)
from service.policy import loading
from service.providers.telnyx.profiles import ProfileError, VerifyProfiles
from service.settings import ProfileSettings, load

T = TypeVar("T")


class Reviewed(msgspec.Struct, frozen=True):
    """One profile, and all that Telnyx told of it."""

    review: ProfileReview
    theirs: dict[str, Any]


class Unread(msgspec.Struct, frozen=True):
    """One profile of which Telnyx told nothing, and why."""

    profile_id: str
    trouble: str


Answers = tuple[list[Reviewed], list[Unread]]


@click.group()
def profile() -> None:
    """Compare Verify profiles with the policy, and correct them.

    Needs TELNYX_API_KEY and TELNYX_VERIFY_PROFILE_ID. Every profile that a client of the policy names is included.
    """


@profile.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(*, as_json: bool) -> None:
    """Show each field of each profile: Telnyx's value and ours.

    Changes nothing.
    """
    found, unread = _run(_read_all)
    if as_json:
        click.echo(msgspec.json.encode([_describe(one.review) for one in found]).decode())
    else:
        for one in found:
            _print(one.review, one.review.fields)
    _refuse(unread)


@profile.command()
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.option("--dry-run", is_flag=True, help="Only print what would be written.")
def sync(*, yes: bool, dry_run: bool) -> None:
    """Write what differs into each profile, after a question.

    Prints the difference first. The countries, code length and time limit come from the policy, the webhook's addresses
    from WEBHOOK_URL and WEBHOOK_FAILOVER_URL, which must begin with https://. What Telnyx does not take is named, and
    the exit code is then 1.
    """
    found, unread = _run(_read_to_write)
    for one in found:
        _print(one.review, one.review.differences)
    _refuse(unread)
    changed = [one for one in found if one.review.differences]
    if not changed:
        click.echo("Nothing to write.")
    elif dry_run:
        click.echo("Nothing was written.")
    elif yes or _ask():
        _run(lambda _, profiles: _write_all(profiles, changed))
    else:
        raise GatewayError("Nothing was written.")
    if any(one.review.conflicts for one in found):
        raise GatewayError("The policy contradicts itself, as noted above: that field was left as it is.")


def _ask() -> bool:
    try:
        return click.confirm("Write this to Telnyx?")
    except click.Abort:  # no answer can come, as in a script
        click.echo()
        return False


def _refuse(unread: list[Unread]) -> None:
    """Stop where a profile is not known: half of them written would be harder to understand than none."""
    if unread:
        raise GatewayError("\n".join(dict.fromkeys(one.trouble for one in unread)))


def _run(work: Callable[[ProfileSettings, VerifyProfiles], Awaitable[T]]) -> T:
    settings = load(ProfileSettings)

    async def call() -> T:
        profiles = VerifyProfiles(settings.telnyx_api_key, str(settings.telnyx_base_url))
        try:
            return await work(settings, profiles)
        finally:
            await profiles.aclose()

    return asyncio.run(call())


async def _read_all(settings: ProfileSettings, profiles: VerifyProfiles) -> Answers:
    policies = loading.load(os.environ.get("POLICY_FILE"))
    found, unread = [], []
    for profile_id, users in list_profiles(settings.telnyx_verify_profile_id, policies).items():
        try:
            told = await profiles.read(profile_id)
        except ProfileError as error:
            unread.append(Unread(profile_id, str(error)))
        else:
            found.append(Reviewed(review(profile_id, users, settings, told.fields), told.fields))
    return found, unread


async def _read_to_write(settings: ProfileSettings, profiles: VerifyProfiles) -> Answers:
    for name in ("webhook_url", "webhook_failover_url"):
        url = getattr(settings, name)
        if url is not None and url.scheme == "http" and not is_local(url):
            raise GatewayError(
                f"{name.upper()} begins with http://: webhooks over plain HTTP are refused. Use https://."
            )
    return await _read_all(settings, profiles)


async def _write_all(profiles: VerifyProfiles, changed: list[Reviewed]) -> None:
    left: list[str] = []
    for one in changed:
        profile_id, differences = one.review.profile_id, one.review.differences
        told = await profiles.change(profile_id, compose_change(one.theirs, differences))
        now = [ProfileField(field.name, find_field(told.fields, field.name), field.ours) for field in differences]
        left += [f"{profile_id} {field.name}" for field in now if field.differs and not field.unknown]
        click.echo(f"Written to {profile_id}.")
        for field in now:
            if field.unknown:
                click.echo(f"Telnyx does not tell {field.name}: whether it was taken can be seen in its portal only.")
    if left:
        raise GatewayError(f"Telnyx answered, but did not take: {', '.join(left)}. Set these in its portal.")


def _describe(found: ProfileReview) -> dict[str, Any]:
    fields = [msgspec.structs.asdict(field) | {"differs": field.differs} for field in found.fields]
    return msgspec.structs.asdict(found) | {"fields": fields}


def _print(found: ProfileReview, fields: list[ProfileField]) -> None:
    clients = ", ".join(client or "every client without its own" for client in found.clients)
    click.echo(f"Verify profile {found.profile_id} ({clients})")
    values = {field.name: _word(field.theirs, unknown=field.unknown) for field in fields}
    names, theirs = (max(map(len, texts), default=0) for texts in (values.keys(), values.values()))
    for field in fields:
        ours = f"→ {_word(field.ours)}" if field.differs else "  as it should be"
        click.echo(f"  {field.name:<{names}}  {values[field.name]:<{theirs}}  {ours}")
    if not fields:
        click.echo("  as it should be")
    for conflict in found.conflicts:
        click.echo(f"  Note: {conflict}")


def _word(value: Any, *, unknown: bool = False) -> str:
    if value is None:
        return "(not told)" if unknown else "(not set)"
    return ", ".join(map(str, value)) or "(none)" if isinstance(value, list) else str(value)
