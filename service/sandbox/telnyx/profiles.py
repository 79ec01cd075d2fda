"""Verify profiles: made, changed, listed; their settings decide code length, time limit and countries.

Called by sandbox.telnyx.profile_calls and sandbox.telnyx.sends. As at Telnyx, a setting with an unknown name is
silently ignored.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import msgspec

from service.sandbox.telnyx.state import write_time

_App = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9 -]{1,30}\Z")]
_AlphaSender = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9 ]{1,11}\Z")]
_Seconds = Annotated[int, msgspec.Meta(ge=1)]
_Country = Annotated[str, msgspec.Meta(pattern=r"^([A-Z]{2}|\*)\Z")]
_CodeLength = Annotated[int, msgspec.Meta(ge=4, le=10)]


class ChannelSettings(msgspec.Struct):
    """A profile's settings for one channel; UNSET leaves one as it was."""

    app_name: _App | msgspec.UnsetType = msgspec.UNSET
    alpha_sender: _AlphaSender | msgspec.UnsetType | None = msgspec.UNSET
    code_length: _CodeLength | msgspec.UnsetType = msgspec.UNSET
    default_verification_timeout_secs: _Seconds | msgspec.UnsetType = msgspec.UNSET
    messaging_template_id: uuid.UUID | msgspec.UnsetType = msgspec.UNSET
    whitelisted_destinations: list[_Country] | msgspec.UnsetType = msgspec.UNSET


class FlashcallSettings(msgspec.Struct):
    """A profile's settings for flashcalls: a calling number has the length that it has, and no words."""

    app_name: _App | msgspec.UnsetType = msgspec.UNSET
    default_verification_timeout_secs: _Seconds | msgspec.UnsetType = msgspec.UNSET
    whitelisted_destinations: list[_Country] | msgspec.UnsetType = msgspec.UNSET


class WhatsAppSettings(ChannelSettings):
    """What it says of WhatsApp besides: the business account that sends."""

    sender_phone_number: str | msgspec.UnsetType | None = msgspec.UNSET
    template_id: str | msgspec.UnsetType | None = msgspec.UNSET
    waba_id: str | msgspec.UnsetType | None = msgspec.UNSET


class ProfileChange(msgspec.Struct):
    """The body of a POST or PATCH."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    language: str | msgspec.UnsetType = msgspec.UNSET
    webhook_url: str | msgspec.UnsetType = msgspec.UNSET
    webhook_failover_url: str | msgspec.UnsetType = msgspec.UNSET
    daily_spend_limit: Annotated[float, msgspec.Meta(ge=0)] | msgspec.UnsetType = msgspec.UNSET
    daily_spend_limit_enabled: bool | msgspec.UnsetType = msgspec.UNSET
    sms: ChannelSettings | msgspec.UnsetType = msgspec.UNSET
    call: ChannelSettings | msgspec.UnsetType = msgspec.UNSET
    flashcall: FlashcallSettings | msgspec.UnsetType = msgspec.UNSET
    whatsapp: WhatsAppSettings | msgspec.UnsetType = msgspec.UNSET


class Profile(msgspec.Struct):
    """One profile. `fields` is the record as the API answers it."""

    fields: dict[str, Any]

    def code_length(self, channel: str) -> int:
        """Return the digits of a code on this channel; Telnyx's default is five."""
        length: int = self.fields.get(channel, {}).get("code_length", 5)
        return length

    def timeout_secs(self, channel: str) -> int:
        """Return how long (s) a code is valid if the send does not say."""
        seconds: int = self.fields.get(channel, {}).get("default_verification_timeout_secs", 300)
        return seconds

    def countries(self, channel: str) -> list[str]:
        """Return the countries that this channel sends to; `*` means all."""
        countries: list[str] = self.fields.get(channel, {}).get("whitelisted_destinations", ["*"])
        return countries

    def change(self, change: ProfileChange) -> None:
        """Apply what is set, one channel's settings at a time."""
        for name, value in msgspec.to_builtins(change).items():
            if isinstance(value, dict):
                self.fields[name] = {**self.fields.get(name, {}), **value}
            else:
                self.fields[name] = value
        self.fields["updated_at"] = write_time()


class Profiles:
    """All profiles by id."""

    def __init__(self) -> None:
        self._profiles: dict[str, Profile] = {}

    def create(self, change: ProfileChange, profile_id: str | None = None) -> Profile:
        """Create one, with a new id unless one is given."""
        now = write_time()
        profile_id = profile_id or str(uuid.uuid4())
        profile = Profile({"id": profile_id, "record_type": "verification_profile", "created_at": now})
        profile.change(change)
        self._profiles[profile_id] = profile
        return profile

    def find(self, profile_id: str) -> Profile | None:
        """Return one by its id."""
        return self._profiles.get(profile_id)

    def delete(self, profile_id: str) -> None:
        """Delete one; deleting one that does not exist does nothing."""
        self._profiles.pop(profile_id, None)

    def list_all(self, name: str | None) -> list[Profile]:
        """Return all, or those whose name contains `name`."""
        return [profile for profile in self._profiles.values() if name is None or name in profile.fields["name"]]
