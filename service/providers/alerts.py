"""Sends alerts to a webhook, besides the log and the metrics: one POST in the format that Slack accepts.

Called by worker.alarms, once an event. It must never raise, never contain a phone number, and never repeat its own
address, which is a secret.
"""

from __future__ import annotations

import re

import msgspec

from service.providers.http.client import HttpClient
from service.providers.http.reply import HttpReply

# Seconds.
CALL = 5.0
CONNECT = 2.0

LONGEST_TEXT = 3_000

# Seven digits or more, even if grouped, unless they are an IPv4 address: no alert needs one. For this reason times are
# written without their date, and large counts with commas.
_NUMBER = re.compile(r"((?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]))|[+(]?\d(?:[ ().-]{0,2}\d){6,}")
# Slack interprets <!channel> and links in a text; names of clients must stay names.
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


class _Message(msgspec.Struct):
    text: str


class Alerts:
    """The alert webhook. Without an address nothing is posted."""

    def __init__(self, url: str | None, *, seconds: float = CALL) -> None:
        self._url = url
        self._seconds = seconds
        self._wire = HttpClient(2, CONNECT)

    @property
    def wanted(self) -> bool:
        return self._url is not None

    async def post(self, text: str) -> bool:
        """Post once, in at most `seconds`; return whether it was accepted. Raises nothing but cancellation."""
        if self._url is None:
            return False
        body = msgspec.json.encode(_Message(clean(text)))
        heard = await self._wire.call("POST", self._url, body, self._seconds)
        return isinstance(heard, HttpReply) and heard.success

    async def aclose(self) -> None:
        await self._wire.aclose()


def clean(text: str) -> str:
    """Return a text as it may leave: without numbers, markup or lone surrogates, and of limited length."""
    shown = _NUMBER.sub(lambda found: found[1] or "[number]", text)[:LONGEST_TEXT]
    return shown.translate(_ESCAPES).encode(errors="replace").decode()
