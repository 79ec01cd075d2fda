"""What this house raises on purpose; everything else is a defect.

Raised anywhere, turned into an answer by api.problems and into a sentence by cli. The text of an error
never holds a number, a code or a key.
"""

from __future__ import annotations


class GatewayError(Exception):
    """A known condition, with a sentence for whoever reads it."""


class SettingsError(GatewayError):
    """Settings are missing or wrong; the text names each one."""


class PolicyError(GatewayError):
    """The policy file is wrong; the text names each line."""


class SchemaOutdated(GatewayError):
    """The database's schema is not the one this version needs."""


class InvalidPhoneNumber(GatewayError):
    """The text cannot be a phone number in E.164."""


class Unavailable(GatewayError):
    """The work cannot be done now, for anybody. `retry_after`: seconds until it is worth another try."""

    def __init__(self, reason: str, retry_after: int = 1) -> None:
        """Keep why (for the log) and when to come back."""
        super().__init__(reason)
        self.retry_after = retry_after
