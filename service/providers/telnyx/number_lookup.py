"""A number's line type, from Telnyx's number look-up: one GET.

Made by providers.vendors, for fraud.gathering. It must never repeat a number or a text of Telnyx's; a reply that it
cannot decode is no answer.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from service import phone
from service.phone import NumberKind
from service.providers.http.client import HttpClient
from service.providers.http.reply import NoReply, decode
from service.providers.line_lookup import Missed

# Seconds: the lease also has to leave time for a captcha, a look-up at Fingerprint and the send.
CALL = 1.5
CONNECT = 1.0

# Errors about one number; all others (our key, a limit, an outage) would affect the next one too.
_OF_THE_NUMBER = frozenset({400, 404, 422})
# These words are not in the specification: they are from Telnyx's examples and from carriers' databases elsewhere.
_KINDS: dict[str, NumberKind] = {
    "mobile": "mobile",
    "wireless": "mobile",
    "fixed line": "fixed",
    "landline": "fixed",
    "fixed line or mobile": "fixed_or_mobile",
    "voip": "voip",
    "fixed voip": "voip",
    "non fixed voip": "voip",
    "nonfixed voip": "voip",
    "toll free": "toll_free",
    "premium rate": "premium",
    "shared cost": "shared_cost",
    "personal number": "personal",
    "pager": "pager",
    "uan": "uan",
    "voicemail": "voicemail",
}


class _Carrier(msgspec.Struct):
    type: Any = None


class _Portability(msgspec.Struct):
    line_type: Any = None


class _Data(msgspec.Struct):
    carrier: _Carrier | None = None
    portability: _Portability | None = None


class _LookupBody(msgspec.Struct):
    data: _Data


_body = msgspec.json.Decoder(_LookupBody)


class TelnyxLines:
    """Implements `LineLookup`."""

    def __init__(self, api_key: str, base_url: str, *, seconds: float = CALL, connections: int = 100) -> None:
        self._base_url = base_url.rstrip("/")
        self._seconds = seconds
        self._wire = HttpClient(connections, CONNECT, {"Authorization": f"Bearer {api_key}"}, traced=True)

    async def find(self, phone_number: str) -> NumberKind | Missed:
        """Ask about one number, once."""
        if not phone.is_e164(phone_number):
            return Missed("not_e164", outage=False)
        url = f"{self._base_url}/number_lookup/%2B{phone_number[1:]}?type=carrier"
        heard = await self._wire.call("GET", url, None, self._seconds)
        if isinstance(heard, NoReply):
            return Missed(heard.code, outage=True)
        read = decode(_body, heard.body) if heard.success else None
        if read is None:
            return Missed(f"http_{heard.status}", outage=heard.status not in _OF_THE_NUMBER)
        return _kind(read.data)

    async def aclose(self) -> None:
        await self._wire.aclose()


def _kind(data: _Data) -> NumberKind:
    """Return the line type: the carrier to which the number was ported comes before the original one."""
    ported = _word(data.portability.line_type) if data.portability else None
    return ported or (_word(data.carrier.type) if data.carrier else None) or "unknown"


def _word(told: object) -> NumberKind | None:
    return _KINDS.get(re.sub(r"[\s_-]+", " ", told).strip().lower()) if isinstance(told, str) else None
