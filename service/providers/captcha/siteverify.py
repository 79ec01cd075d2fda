"""Verifies a captcha: one siteverify call, the same for Turnstile, hCaptcha and reCAPTCHA.

Called by fraud.gathering.captchas with the token that a product's page got. It must never repeat a call, because a
token can be verified once, nor take our own wrong secret for everybody's wrong answer.
"""

from __future__ import annotations

import re
from typing import Any, Literal
from urllib.parse import urlencode

import msgspec

from service.providers.http.client import HttpClient
from service.providers.http.reply import HttpReply, NoReply, decode

CaptchaVendor = Literal["turnstile", "hcaptcha", "recaptcha"]

BASE_URLS: dict[CaptchaVendor, str] = {
    "turnstile": "https://challenges.cloudflare.com/turnstile/v0",
    "hcaptcha": "https://api.hcaptcha.com",
    "recaptcha": "https://www.google.com/recaptcha/api",
}
"""`/siteverify` follows; CAPTCHA_BASE_URL stands in for one of these."""

# Seconds.
CALL = 3.0
CONNECT = 2.0

# The characters that the three use, and no more: a firewall on the way could take others for an attack, which would
# look like an outage.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=:-]{1,8192}")
_CODE = re.compile(r"[a-z-]{1,40}")
# What our secret, our request or our choice of keys is to blame for.
_OURS = frozenset({
    "invalid-input-secret", "missing-input-secret", "sitekey-secret-mismatch", "invalid-keys", "bad-request",
    "invalid-remoteip", "missing-remoteip", "not-using-dummy-passcode",
})  # fmt: skip
_THEIRS = frozenset({"internal-error"})
SPENT = frozenset({"timeout-or-duplicate", "already-seen-response", "invalid-or-already-seen-response"})
"""The three providers' codes for a token that was used before."""

# All that is said against a token. Any other code, such as browser-error for a site that is not on the key's list, or
# one that a provider adds, says nothing of the person.
_NOT_SOLVED = SPENT | {
    "invalid-input-response", "missing-input-response", "expired-input-response", "incorrect-captcha-sol",
}  # fmt: skip
_WORD = re.compile(r"[A-Za-z0-9_./:-]{0,255}")
# A refusal comes with 200 or, from some providers, with 400; any other status is no verdict.
_VERDICTS = frozenset({200, 400})
_TOO_LONG = frozenset({413, 414, 431})


class CaptchaPassed(msgspec.Struct, frozen=True, tag=True):
    """Solved, and verified for the first time. `score`: 0 to 1, surely a person; None: the provider tells none."""

    score: float | None = None
    action: str | None = None
    hostname: str | None = None


class CaptchaFailed(msgspec.Struct, frozen=True, tag=True):
    """Not solved, or verified before. `code`: the provider's, or one of ours."""

    code: str


class CaptchaUnavailable(msgspec.Struct, frozen=True, tag=True):
    """No verdict. `ours`: and there will be none until somebody corrects our settings.

    `undecided`: of this token alone, which says nothing of the next one; a visitor may be able to cause that.
    """

    code: str
    ours: bool = False
    undecided: bool = False


CaptchaAnswer = CaptchaPassed | CaptchaFailed | CaptchaUnavailable


class _SiteverifyBody(msgspec.Struct):
    success: bool
    codes: Any = msgspec.field(default=None, name="error-codes")
    score: Any = None
    action: Any = None
    hostname: Any = None


_body = msgspec.json.Decoder(_SiteverifyBody)


class Captcha:
    """One provider's siteverify. `seconds`: the time limit of a call."""

    def __init__(
        self,
        kind: CaptchaVendor,
        secret: str,
        base_url: str | None = None,
        *,
        seconds: float = CALL,
        connections: int = 100,
    ) -> None:
        self.name = kind
        self._url = f"{(base_url or BASE_URLS[kind]).rstrip('/')}/siteverify"
        self._secret = secret
        self._seconds = seconds
        self._wire = HttpClient(connections, CONNECT, {"Content-Type": "application/x-www-form-urlencoded"})

    async def verify(self, token: str, ip_address: str | None = None) -> CaptchaAnswer:
        """Verify one token, once. `ip_address`: the end user's. Raises nothing but cancellation."""
        if not _TOKEN.fullmatch(token):
            return CaptchaFailed("not_a_token")
        form = {"secret": self._secret, "response": token} | ({"remoteip": ip_address} if ip_address else {})
        heard = await self._wire.call("POST", self._url, urlencode(form).encode(), self._seconds)
        return CaptchaUnavailable(heard.code) if isinstance(heard, NoReply) else _interpret(heard, self.name)

    async def aclose(self) -> None:
        await self._wire.aclose()


def _interpret(reply: HttpReply, kind: CaptchaVendor) -> CaptchaAnswer:
    if reply.status in _TOO_LONG:
        return CaptchaFailed(f"http_{reply.status}")
    read = decode(_body, reply.body) if reply.status in _VERDICTS else None
    if read is None:
        return CaptchaUnavailable(f"http_{reply.status}")
    if read.success:
        return _pass(read, kind) if reply.success else CaptchaUnavailable(f"http_{reply.status}")
    return _refuse(_read_codes(read.codes))


def _pass(read: _SiteverifyBody, kind: CaptchaVendor) -> CaptchaPassed:
    score = read.score if isinstance(read.score, int | float) and not isinstance(read.score, bool) else None
    if score is not None and kind == "hcaptcha":
        score = 1 - score  # Enterprise's is a risk
    return CaptchaPassed(score, _read_word(read.action), _read_word(read.hostname))


def _refuse(codes: list[str]) -> CaptchaFailed | CaptchaUnavailable:
    if ours := _OURS.intersection(codes):
        return CaptchaUnavailable(min(ours), ours=True)
    if theirs := _THEIRS.intersection(codes):
        return CaptchaUnavailable(min(theirs))
    failed = [code for code in codes if code in _NOT_SOLVED]
    if failed or not codes:
        return CaptchaFailed(failed[0] if failed else "not_solved")
    return CaptchaUnavailable(codes[0], undecided=True)


def _read_word(value: object) -> str | None:
    """Return a word to compare; what is there and is none equals no word that anybody expects."""
    if value is None:
        return None
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""


def _read_codes(codes: object) -> list[str]:
    """Return the error codes that are plain words; any other text goes no further."""
    given = codes if isinstance(codes, list) else []
    return [code for code in given if isinstance(code, str) and _CODE.fullmatch(code)]
