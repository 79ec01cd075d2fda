"""The closed list of problems that a caller can get, RFC 9457; nothing in them is about the number.

Raised by the handlers, written out by answers, listed by document. Anything not on the list is a plain 500 to the
caller and an error in the log.
"""

from __future__ import annotations

import math
from typing import Annotated

import msgspec
from litestar.exceptions import MethodNotAllowedException, NotFoundException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from service import errors

BASE = "urn:verify-gateway:problem:"
MEDIA_TYPE = "application/problem+json"

EndedStatus = Annotated[
    str,
    msgspec.Meta(title="EndedStatus", extra_json_schema={"enum": ["verified", "locked", "expired", "canceled"]}),
]


class Problem(msgspec.Struct, omit_defaults=True):
    """An error. `type` is stable: switch on it, not on the texts."""

    type: Annotated[
        str, msgspec.Meta(description="Identifies the kind of problem; it never changes.", examples=[f"{BASE}limited"])
    ]
    title: Annotated[str, msgspec.Meta(description="The kind in a few words.", examples=["Too many requests"])]
    status: Annotated[int, msgspec.Meta(description="The HTTP status.", ge=400, le=599, examples=[429])]
    detail: Annotated[
        str, msgspec.Meta(description="What to do about it.", examples=["Wait as long as Retry-After says."])
    ]
    retry_after: (
        Annotated[
            int,
            msgspec.Meta(description="Seconds to wait, as in the header Retry-After.", ge=1, examples=[30]),
        ]
        | None
    ) = None
    fields: (
        Annotated[
            list[str],
            msgspec.Meta(
                description="The fields that are missing or malformed, where they have names.",
                examples=[["phone_number"]],
            ),
        ]
        | None
    ) = None
    verification_status: (
        Annotated[
            EndedStatus,
            msgspec.Meta(description="How the verification ended.", examples=["locked"]),
        ]
        | None
    ) = None


class ProblemKind(msgspec.Struct, frozen=True):
    """One kind of problem. `wait`: seconds for Retry-After if the error does not say; None for no header.

    `own`: the field that problems of this kind alone have.
    """

    name: str
    status: int
    title: str
    detail: str
    wait: float | None = None
    own: str | None = None

    @property
    def members(self) -> list[str]:
        """List what its problems carry beside `type`, `title`, `status` and `detail`."""
        return ([] if self.wait is None else ["retry_after"]) + ([] if self.own is None else [self.own])

    def problem(
        self,
        detail: str | None = None,
        *,
        wait: float | None = None,
        fields: list[str] | None = None,
        ended: str | None = None,
    ) -> Problem:
        """Word one problem of this kind. `wait`: seconds, if not the usual ones."""
        seconds = round_up(self.wait if wait is None else wait)
        return Problem(BASE + self.name, self.title, self.status, detail or self.detail, seconds, fields, ended)

    def example(self) -> Problem:
        """Word an example for the documentation."""
        if self.own == "fields":
            return self.problem("The field is required.", fields=["phone_number"])
        return self.problem(ended="locked" if self.own == "verification_status" else None)


def round_up(wait: float | None) -> int | None:
    """Return the whole seconds to wait."""
    # Rounded up: a caller that comes back a part of a second too early would be refused again.
    return None if wait is None else max(1, math.ceil(wait))


class Invalid(errors.GatewayError):
    """A request that cannot be served as it is; `fields` names what is wrong."""

    def __init__(self, *fields: str, detail: str) -> None:
        """Name the fields."""
        super().__init__(detail)
        self.fields = list(fields)


class MalformedRequest(errors.GatewayError):
    """A request, or its body, that cannot be read."""


class HeadTooLarge(errors.GatewayError):
    """A request whose head is larger than we read."""


class WrongMediaType(errors.GatewayError):
    """A body whose content type is not JSON."""


class Forbidden(errors.GatewayError):
    """A webhook that does not come from Telnyx, or not over HTTPS."""


class Unsigned(errors.GatewayError):
    """A webhook whose signature is not valid."""


KINDS: dict[type[Exception], ProblemKind] = {
    MalformedRequest: ProblemKind("malformed", 400, "The request cannot be read", "Send a JSON object in UTF-8."),
    errors.NotAuthorized: ProblemKind("unauthorized", 401, "Not authorized", "Send a valid API key as a bearer token."),
    Unsigned: ProblemKind(
        "unsigned", 401, "Not signed", "The signature is missing, too old, or does not fit the body."
    ),
    errors.WrongScope: ProblemKind(
        "wrong-scope", 403, "The key is not for this call", "This call needs a key with the scope verify."
    ),
    Forbidden: ProblemKind("forbidden", 403, "Not allowed", "This address takes calls from Telnyx only, over HTTPS."),
    errors.NotFound: ProblemKind("not-found", 404, "Not found", "There is nothing of yours here."),
    # The same words as for what is somebody else's: whether an id exists at all must not show.
    NotFoundException: ProblemKind("not-found", 404, "Not found", "There is nothing of yours here."),
    MethodNotAllowedException: ProblemKind(
        "method-not-allowed", 405, "Method not allowed", "The header Allow lists the methods of this address."
    ),
    errors.Closed: ProblemKind(
        "closed", 409, "The verification has ended", "Request a new one.", own="verification_status"
    ),
    errors.TooEarly: ProblemKind(
        "too-early", 409, "The next channel is not available yet", "Wait as long as Retry-After says.", wait=1
    ),
    errors.NoChannelLeft: ProblemKind(
        "no-channel-left", 409, "No channel is left", "Request a new verification later."
    ),
    errors.SameKeyInFlight: ProblemKind(
        "idempotency-in-flight",
        409,
        "The first request with this Idempotency-Key is still being answered",
        "Try again as Retry-After says.",
        wait=1,
    ),
    RequestEntityTooLarge: ProblemKind("too-large", 413, "The body is too large", "Send 64 KiB at most."),
    WrongMediaType: ProblemKind(
        "wrong-media-type", 415, "The body is not JSON", "Send Content-Type: application/json."
    ),
    Invalid: ProblemKind(
        "invalid", 422, "The request is not valid", "Correct the fields that are named.", own="fields"
    ),
    errors.OtherRequestSameKey: ProblemKind(
        "idempotency-mismatch",
        422,
        "This Idempotency-Key was used for another request",
        "Use a new key for a new request.",
    ),
    # Of a whole country or network: it must say nothing of the number.
    errors.ChallengeRequired: ProblemKind(
        "challenge-required",
        422,
        "A captcha is needed",
        "Have the end user solve a captcha, and ask again with its captcha_token and a new Idempotency-Key.",
    ),
    HeadTooLarge: ProblemKind("head-too-large", 431, "The headers are too large", "Send 64 KiB at most."),
    # Which limit it was is not said: it would tell that somebody else has asked for this number.
    errors.Limited: ProblemKind("limited", 429, "Too many requests", "Wait as long as Retry-After says.", wait=1),
    errors.GuessesInFlight: ProblemKind(
        "guesses-in-flight", 429, "All remaining guesses are being judged", "Try again as Retry-After says.", wait=1
    ),
    # One text for every reason: an attacker must not learn whether Telnyx, the database or the load is it.
    errors.Unavailable: ProblemKind("unavailable", 503, "Not available now", "Try again as Retry-After says.", wait=1),
}
UNEXPECTED = ProblemKind(
    "unexpected", 500, "Something went wrong here", "Try again; the request id helps to find out why."
)
