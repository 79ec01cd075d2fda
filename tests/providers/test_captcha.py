"""One siteverify client for Turnstile, hCaptcha and reCAPTCHA: solved, not solved, or nothing known."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.providers.captcha.siteverify import (
    BASE_URLS,
    Captcha,
    CaptchaAnswer,
    CaptchaFailed,
    CaptchaPassed,
    CaptchaUnavailable,
    CaptchaVendor,
    _interpret,
)
from service.providers.http.reply import HttpReply
from tests.support.raw_http import RawRequest, RawServer, serve_raw, write_reply

SECRET = "0x_SECRET+THAT/NOBODY=MAY&SEE"
TOKEN = "0.Aq-_z.~:/+=token"


async def verify(
    status: int, body: Any, token: str = TOKEN, ip_address: str | None = None
) -> tuple[CaptchaAnswer, RawServer]:
    async def respond(_: RawRequest, writer: asyncio.StreamWriter) -> None:
        said = body if isinstance(body, bytes) else json.dumps(body).encode()
        writer.write(write_reply(status, said, "location: http://127.0.0.1:9/"))

    async with serve_raw(respond) as raw:
        captcha = Captcha("turnstile", SECRET, raw.url + "/base/", seconds=1.0)
        answer = await captcha.verify(token, ip_address)
        await captcha.aclose()
        return answer, raw


def test_each_provider_is_asked_where_it_says() -> None:
    asked: dict[CaptchaVendor, str] = {
        "turnstile": "https://challenges.cloudflare.com/turnstile/v0/siteverify",
        "hcaptcha": "https://api.hcaptcha.com/siteverify",
        "recaptcha": "https://www.google.com/recaptcha/api/siteverify",
    }
    assert {kind: f"{base}/siteverify" for kind, base in BASE_URLS.items()} == asked
    assert {kind: Captcha(kind, SECRET)._url for kind in asked} == asked


async def test_a_solved_one_passes_after_one_form_with_secret_token_and_address() -> None:
    answer, raw = await verify(
        200, {"success": True, "challenge_ts": "…", "hostname": "shop"}, ip_address="2001:db8::7"
    )
    assert answer == CaptchaPassed(hostname="shop")
    (request,) = raw.requests
    assert request.line == "POST /base/siteverify HTTP/1.1"
    assert "Content-Type: application/x-www-form-urlencoded" in request.headers
    assert parse_qs(request.body.decode()) == {"secret": [SECRET], "response": [TOKEN], "remoteip": ["2001:db8::7"]}


async def test_without_an_address_none_is_sent() -> None:
    _, raw = await verify(200, {"success": True})
    assert set(parse_qs(raw.requests[0].body.decode())) == {"secret", "response"}


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (200, {"success": False, "error-codes": ["timeout-or-duplicate"]}, CaptchaFailed("timeout-or-duplicate")),
        (200, {"success": False, "error-codes": ["invalid-input-response"]}, CaptchaFailed("invalid-input-response")),
        (400, {"success": False, "error-codes": ["bad-request"]}, CaptchaUnavailable("bad-request", ours=True)),
        (
            200,
            {"success": False, "error-codes": ["invalid-remoteip"]},
            CaptchaUnavailable("invalid-remoteip", ours=True),
        ),
        (
            200,
            {"success": False, "error-codes": ["browser-error"]},
            CaptchaUnavailable("browser-error", undecided=True),
        ),
        (
            200,
            {"success": False, "error-codes": ["x-y", "already-seen-response"]},
            CaptchaFailed("already-seen-response"),
        ),
        (200, {"success": False}, CaptchaFailed("not_solved")),
        (200, {"success": False, "error-codes": ["+14155550100", 3, None]}, CaptchaFailed("not_solved")),
        (
            200,
            {"success": False, "error-codes": ["x", "invalid-input-secret"]},
            CaptchaUnavailable("invalid-input-secret", ours=True),
        ),
        (
            200,
            {"success": False, "error-codes": ["missing-input-secret"]},
            CaptchaUnavailable("missing-input-secret", ours=True),
        ),
        (
            200,
            {"success": False, "error-codes": ["sitekey-secret-mismatch"]},
            CaptchaUnavailable("sitekey-secret-mismatch", ours=True),
        ),
        (200, {"success": False, "error-codes": ["internal-error"]}, CaptchaUnavailable("internal-error")),
        (413, b"", CaptchaFailed("http_413")),
        (400, {"success": True}, CaptchaUnavailable("http_400")),
        (200, {"success": "true"}, CaptchaUnavailable("http_200")),
        (200, b"<html>", CaptchaUnavailable("http_200")),
        (302, {"success": True}, CaptchaUnavailable("http_302")),
        (403, {"success": False}, CaptchaUnavailable("http_403")),
        (429, {"success": False}, CaptchaUnavailable("http_429")),
        (500, {"success": False}, CaptchaUnavailable("http_500")),
        (500, {"success": True}, CaptchaUnavailable("http_500")),
    ],
)
async def test_every_other_answer_is_a_failure_an_outage_or_ours(status: int, body: Any, answer: CaptchaAnswer) -> None:
    got, raw = await verify(status, body)
    assert got == answer
    assert len(raw.requests) == 1


@pytest.mark.parametrize("token", ["", " ", "a b", "<script>", "a\nb", "a&secret=x", "é", "\ud800", "\0", "a" * 8193])
async def test_what_is_no_token_is_failed_without_a_call(token: str) -> None:
    answer, raw = await verify(200, {"success": True}, token)
    assert (answer, raw.requests) == (CaptchaFailed("not_a_token"), [])


@pytest.mark.parametrize(("hangs", "code"), [(True, "time_limit"), (False, "broken_off")])
async def test_one_that_hangs_or_dies_is_down_and_its_token_not_spent_twice(*, hangs: bool, code: str) -> None:
    async def respond(_: RawRequest, writer: asyncio.StreamWriter) -> None:
        if hangs:
            await asyncio.sleep(5)
        else:
            writer.transport.abort()

    async with serve_raw(respond) as raw:
        captcha = Captcha("hcaptcha", SECRET, raw.url, seconds=2.0)
        assert await captcha.verify(TOKEN) == CaptchaUnavailable(code)
        assert len(raw.requests) == 1
        await captcha.aclose()


async def test_nobody_there_is_down() -> None:
    captcha = Captcha("recaptcha", SECRET, "http://127.0.0.1:9")
    assert await captcha.verify(TOKEN) == CaptchaUnavailable("no_connection")
    await captcha.aclose()
    assert await captcha.verify(TOKEN) == CaptchaUnavailable("closed")


async def test_neither_secret_nor_token_nor_address_is_in_any_answer_or_log(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = {"success": False, "error-codes": [SECRET, TOKEN, "198.51.100.9"]}
    said = [repr((await verify(status, echo, ip_address="198.51.100.9"))[0]) for status in (200, 400, 500)]
    written = capfd.readouterr()
    everything = " ".join([*said, caplog.text, written.out, written.err])
    for secret in (SECRET, TOKEN, "198.51.100.9"):
        assert secret not in everything


@given(
    st.integers(100, 599),
    st.binary()
    | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(
        lambda codes: json.dumps({"success": False, "error-codes": codes}).encode()
    ),
)
def test_no_answer_makes_it_fail_or_pass(status: int, body: bytes) -> None:
    assert isinstance(_interpret(HttpReply(status, body), "turnstile"), CaptchaFailed | CaptchaUnavailable)


@pytest.mark.parametrize("kind", ["turnstile", "hcaptcha", "recaptcha"])
def test_a_score_says_how_surely_it_is_a_person_whichever_way_the_provider_counts(kind: CaptchaVendor) -> None:
    told = {"success": True, "score": 0.25, "action": "verify", "hostname": "shop.example"}
    score = 0.75 if kind == "hcaptcha" else 0.25
    assert _interpret(HttpReply(200, json.dumps(told).encode()), kind) == CaptchaPassed(score, "verify", "shop.example")
    odd = {"success": True, "score": "high", "action": ["x"], "hostname": "+14155550100 "}
    assert _interpret(HttpReply(200, json.dumps(odd).encode()), kind) == CaptchaPassed(None, "", "")
