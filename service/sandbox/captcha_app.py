"""A captcha's siteverify on loopback: POST /captcha/siteverify, the same for all three kinds.

Built by sandbox.main. A token's first word says what becomes of it; only spent tokens are remembered.
"""

from __future__ import annotations

from functools import partial
from urllib.parse import parse_qs

import msgspec
from litestar import asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import HTTPScope, Receive, Send

from service.sandbox.faults import Fault
from service.sandbox.stage import Acted, Planned, SandboxStage
from service.sandbox.wire import Declined, Request, StandInReply

SECRET = "SANDBOX_CAPTCHA_SECRET"  # noqa: S105  it opens nothing but this stand-in
PASS, DUPLICATE, TIMEOUT = "pass", "duplicate", "timeout"
"""How a token begins that is good once, was used before, or is not answered in time; all others are not solved."""

ERROR = "error"
"""error:CODE:… is refused with that code. pass:score=0.1:action=login:hostname=shop.example:… tells that of itself."""

HANG = 30.0
"""Seconds until the answer to a token that times out: past anybody's patience."""


class Siteverify:
    """Implements `StandIn`."""

    def __init__(self, stage: SandboxStage) -> None:
        self.stage = stage
        self._spent: set[str] = set()

    def fail(self, fault: Fault) -> StandInReply:
        """Write a failure: a wrong secret is reported in a 200, any other by its status."""
        if fault.kind in ("unauthorized", "answer"):
            return _refuse("invalid-input-secret" if fault.kind == "unauthorized" else fault.code)
        return StandInReply(429 if fault.kind == "throttle" else 500, b"{}")

    def plan(self, request: Request) -> Planned:
        """Read the form; mistakes are reported as the real providers do."""
        if request.method != "POST" or request.parts != ["siteverify"]:
            raise Declined(StandInReply(404, b"{}"))
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form.get("secret") != SECRET:
            raise Declined(_refuse("invalid-input-secret"))
        token = form.get("response", "")
        return Planned(operation="captcha", act=partial(self._answer, token), code=token)

    def _answer(self, token: str) -> Acted:
        if token.startswith(TIMEOUT):
            return StandInReply(200, b'{"success":true}', after=HANG), None
        if token.startswith(DUPLICATE) or token in self._spent:
            return _refuse("timeout-or-duplicate"), None
        if token.startswith(f"{ERROR}:"):
            return _refuse(token.split(":")[1]), None
        if not token.startswith(PASS):
            return _refuse("invalid-input-response"), None
        self._spent.add(token)
        return StandInReply(200, msgspec.json.encode({"success": True, "error-codes": []} | _read_told(token))), None


def mount_captcha(siteverify: Siteverify) -> ASGIRouteHandler:
    """Return the mount at /captcha, in which CAPTCHA_BASE_URL ends."""

    @asgi("/captcha", is_mount=True, copy_scope=False)
    async def answer_captcha(scope: HTTPScope, receive: Receive, send: Send) -> None:
        await siteverify.stage.perform(siteverify, scope, receive, send)

    return answer_captcha


def _read_told(token: str) -> dict[str, object]:
    pairs = [part.split("=", 1) for part in token.split(":") if "=" in part]
    return {name: float(value) if name == "score" else value for name, value in pairs}


def _refuse(code: str) -> StandInReply:
    return StandInReply(200, msgspec.json.encode({"success": False, "error-codes": [code]}))
