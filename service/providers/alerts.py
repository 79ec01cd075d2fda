"""Where alerts go besides the log and the metrics: one POST to a webhook that reads what Slack reads.

Called by whoever rings an alarm, once per incident. It must never raise, never say a phone number, and never repeat its
own address, which is a secret.
"""

from __future__ import annotations

import re

import msgspec

from service.providers.http.client import HttpClient
from service.providers.http.reply import Reply

# Seconds.
CALL = 5.0
CONNECT = 2.0

LONGEST_TEXT = 3_000

# Seven digits and more, also when grouped, unless they are an IPv4 address: no alert has a use for one. So times are
# said without their date, and large counts with commas.
_NUMBER = re.compile(r"((?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]))|[+(]?\d(?:[ ().-]{0,2}\d){6,}")
# Slack reads <!channel> and links from a text; names of clients must stay names.
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class _Message(msgspec.Struct):
    text: str


class Alerts:
    """A webhook, or none: without an address nothing is posted."""

    def __init__(self, url: str | None, *, seconds: float = CALL) -> None:
        """Open nothing yet."""
        self._url = url
        self._seconds = seconds
        self._wire = HttpClient(2, CONNECT)

    @property
    def wanted(self) -> bool:
        """Whether there is an address."""
        return self._url is not None

    async def post(self, text: str) -> bool:
        """Post once, in at most `seconds`; whether it was taken. Raises nothing but cancellation."""
        if self._url is None:
            return False
        body = msgspec.json.encode(_Message(clean(text)))
        heard = await self._wire.call("POST", self._url, body, self._seconds)
        return isinstance(heard, Reply) and heard.success

    async def aclose(self) -> None:
        """Give the connections back."""
        await self._wire.aclose()


def clean(text: str) -> str:
    """A text as it may leave: no number in it, no markup, no lone surrogate, and of a bounded length."""
    shown = _NUMBER.sub(lambda found: found[1] or "[number]", text)[:LONGEST_TEXT]
    return shown.translate(_ESCAPES).encode(errors="replace").decode()
