"""The errors that this service raises on purpose; any other exception is a defect.

Raised anywhere, turned into a reply by api.answers and into a sentence by cli. The text of an error never contains a
number, a code or a key.
"""

from __future__ import annotations


class GatewayError(Exception):
    """A known condition, with a sentence that explains it."""


class SettingsError(GatewayError):
    """Settings are missing or wrong; the text names each one."""


class PolicyError(GatewayError):
    """The policy file is wrong; the text names each line."""


class SchemaOutdated(GatewayError):
    """The database's schema is older than this version needs."""


class InvalidPhoneNumber(GatewayError):
    """The text cannot be a phone number in E.164."""


class Unavailable(GatewayError):
    """The work cannot be done now. `retry_after`: seconds until another try is worthwhile."""

    def __init__(self, reason: str, retry_after: int = 1) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Unclear(Unavailable):
    """Nobody knows whether the work was or will be done: its reply was lost, or did not come in time.

    Code that tells a caller that it was not done has to make sure of that: ask again by id, or take it back.
    """


class NotAuthorized(GatewayError):
    """The API key is unknown, was revoked, or has ended."""


class WrongScope(GatewayError):
    """The API key is valid, but for other calls; the text names the scope that is needed."""

    def __init__(self, needed: str) -> None:
        """Write the detail that the caller gets."""
        super().__init__(f"This call needs a key with the scope {needed}.")


class NotFound(GatewayError):
    """There is no such verification of this client."""


class Limited(GatewayError):
    """A limit or a budget is used up. `retry_after`: seconds until it lets the same request through."""

    def __init__(self, retry_after: float) -> None:
        """Keep only when to come back: which limit it was must not reach the caller."""
        super().__init__("limited")
        self.retry_after = retry_after


class Closed(GatewayError):
    """The verification has ended; `status` says how."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


class TooEarly(GatewayError):
    """The next channel is not available yet. `retry_after`: seconds until it is."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("too early")
        self.retry_after = retry_after


class NoChannelLeft(GatewayError):
    """Every channel of the order was used, or fallback is off."""


class GuessesInFlight(GatewayError):
    """All guesses that remain are being checked."""


class SameKeyInFlight(GatewayError):
    """A request with this Idempotency-Key is being answered."""


class ChallengeRequired(GatewayError):
    """The alarm of the number's country or of the network is up, and the request brought no good captcha."""


class OtherRequestSameKey(GatewayError):
    """This Idempotency-Key was used for another request."""
