"""Traces: one request a line, as a JSON object, and how they are read and written.

Used by scenarios (which make them), player, report (which counts by label) and cli. Checks only the format: a number
that does not exist or an invalid address may be just what a trace wants to try.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from service import phone
from service.channels import DEFAULT, Channel
from service.errors import GatewayError, InvalidPhoneNumber

PERSON = "person"
# Fields of a device event that may be null, which means that the verdict is missing; leaving one out means its default.
MISSING = ("bot", "suspect_score", "ip_address")

Label = Annotated[str, msgspec.Meta(pattern=r"^(person|attack)(:[A-Za-z0-9_.-]+)?$")]
CodeCount = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
# Seconds; a trace of more than ten years is a mistake.
Time = Annotated[float, msgspec.Meta(ge=0, le=315_360_000)]
Age = Annotated[float, msgspec.Meta(ge=-86_400, le=315_360_000)]


class TraceError(GatewayError):
    """A line that does not have the format; the message gives its number."""


class TraceDevice(msgspec.Struct, frozen=True, kw_only=True):
    """The device event that came with a request. `age`: seconds since it was made, at the request's `t`.

    An `event_id` on two lines is one event used twice. None for a verdict: it is missing.
    """

    visitor_id: str
    event_id: str
    ip_address: str | None
    bot: Literal["not_detected", "good", "bad"] | None = "not_detected"
    suspect_score: float | None = 0
    replayed: bool = False
    age: Age = 1.0


class TraceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `t`: seconds from the start; `verify_after`: seconds from `t` until the right code is entered.

    `wrong_codes` are entered before that, or instead of it if `verifies` is false. `label` is for counting.
    `delivered`: False if the operator reports that the code could not be delivered.
    """

    t: Time
    label: Label = PERSON
    phone_number: str
    ip_address: str | None = None
    account_id: str | None = None
    device: TraceDevice | None = None
    channel: Channel = DEFAULT
    verifies: bool
    verify_after: Time = 20.0
    wrong_codes: CodeCount = 0
    delivered: bool = True

    @property
    def hostile(self) -> bool:
        """Whether it is right to stop it."""
        return not self.label.startswith(PERSON)


def read(path: str | Path, unreadable: Callable[[TraceError], None] | None = None) -> Iterator[TraceLine]:
    """Read a trace in the file's order, a line at a time.

    `unreadable` is told of each line that is wrong, and the others are read; without it, raises TraceError at the first
    one. Defaults for what a line leaves out or has as null: people verify and attackers do not; a device without an id
    is a new one, and was seen at the request's own address.
    """
    with Path(path).open("rb") as file:
        for number, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                line = parse(text, number)
            except TraceError as error:
                if unreadable is None:
                    raise
                unreadable(error)
            else:
                yield line


def parse(text: bytes | str, number: int) -> TraceLine:
    """Read one line, the `number`-th of its trace. Raises TraceError."""
    try:
        fields = msgspec.json.decode(text, type=dict[str, Any])
        return msgspec.convert(_complete(fields, number), TraceLine)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TraceError(f"line {number} of the trace: {error}") from None
    except RecursionError:
        raise TraceError(f"line {number} of the trace: nested without end") from None


def _complete(fields: dict[str, Any], number: int) -> dict[str, Any]:
    fields = {name: value for name, value in fields.items() if value is not None}
    fields.setdefault("verifies", str(fields.get("label", PERSON)).startswith(PERSON))
    if isinstance(device := fields.get("device"), dict):
        device = {name: value for name, value in device.items() if value is not None or name in MISSING}
        own = {"visitor_id": f"visitor of line {number}", "event_id": f"event of line {number}"}
        fields["device"] = {**own, "ip_address": fields.get("ip_address"), **device}
        # As API v3 spells it.
        if device.get("bot") == "notDetected":
            fields["device"]["bot"] = "not_detected"
    return fields


def write(path: str | Path, lines: Iterable[TraceLine]) -> int:
    """Write a trace, and return how many lines it has."""
    count = 0
    encoder = msgspec.json.Encoder()
    with Path(path).open("wb") as file:
        for line in lines:
            file.write(encoder.encode(line) + b"\n")
            count += 1
    return count


def served(lines: Iterable[TraceLine]) -> list[str]:
    """Return the countries of the people's numbers, sorted: what a policy for this trace allows."""
    numbers = {line.phone_number for line in lines if not line.hostile}
    return sorted({country for country in map(_country, numbers) if country is not None})


def _country(phone_number: str) -> str | None:
    try:
        return phone.describe(phone.normalise(phone_number)).country
    except InvalidPhoneNumber:
        return None
