"""The five calls of a product backend.

Routed by app. Translates HTTP to the flows and back; decides nothing.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.params import FromPath, HeaderParameter, JSONBody

from service import phone
from service.api.auth import caller_of, needs_key
from service.api.documents import BEARER, problems
from service.api.parts import parts_of
from service.api.problems import Invalid
from service.api.schemas import (
    MESSAGE,
    CodeCheck,
    CodeChecked,
    FallbackOffer,
    VerificationAccepted,
    VerificationRequest,
    VerificationStatus,
)
from service.errors import InvalidPhoneNumber
from service.verification.callers import Ask, Caller, Evidence
from service.verification.states import Offer
from service.verification.view import View

PACK = msgspec.msgpack.Encoder()
DIGITS = re.compile(r"[0-9]{4,15}")
AnyRequest = Request[Any, Any, Any]
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Up to 255 visible ASCII characters of your choice. The same call with the same key is done once, "
        "and answered alike, for 24 hours.",
    ),
]


@post(
    "/verifications",
    status_code=202,
    operation_id="requestVerification",
    summary="Request a verification",
    description="Answers at once and always alike: whether a code goes out is decided afterwards.",
    responses=problems(
        s409="The first request with this Idempotency-Key is still being answered.",
        s422="A field is missing or malformed, or the number is not a possible one.",
        s429="A limit of the number, the address or the account, or of wrong codes. It never says which.",
    ),
)
async def request_verification(
    request: AnyRequest, data: JSONBody[VerificationRequest], idempotency_key: IdempotencyKey = None
) -> Response[VerificationAccepted]:
    """Take a request."""
    parts, caller = parts_of(request), caller_of(request)
    evidence = _evidence(caller, data)
    ask = Ask(evidence=evidence, channel=data.channel, deliver=data.deliver)
    if idempotency_key is not None:
        idem, body = _idempotency(request, caller, "request", idempotency_key, PACK.encode(ask))
        ask = msgspec.structs.replace(ask, idem=idem, body=body)
    taken = await parts.requests.request(caller, ask)
    reply = VerificationAccepted(
        id=taken.id,
        status="pending",
        created_at=taken.created_at,
        expires_at=taken.expires_at,
        attempts_remaining=taken.remaining,
        fallback=_fallback(taken.offer),
        message=MESSAGE,
    )
    return Response(reply, headers={"Idempotent-Replayed": "true"} if taken.replayed else None)


@post(
    "/verifications/{verification_id:uuid}/verify",
    status_code=200,
    operation_id="verifyCode",
    summary="Judge a code",
    description="A right code is answered at once, a wrong one on the next half second. The fifth wrong one locks.",
    responses=problems(
        s404="There is no such verification of yours.",
        s409="The verification has ended, or the first request with this Idempotency-Key is still being answered.",
        s422="The code is not 4 to 15 digits. Nothing was counted.",
        s429="All guesses that remain are being judged.",
    ),
)
async def verify_code(
    request: AnyRequest,
    verification_id: FromPath[UUID],
    data: JSONBody[CodeCheck],
    idempotency_key: IdempotencyKey = None,
) -> Response[CodeChecked]:
    """Judge a code."""
    parts, caller = parts_of(request), caller_of(request)
    code = "".join(data.code.split()).removeprefix("+")
    if not DIGITS.fullmatch(code):
        raise Invalid("code", detail="A code has 4 to 15 digits.")
    idem = None
    if idempotency_key is not None:
        idem, _ = _idempotency(request, caller, "verify", idempotency_key, b"")
    checked = await parts.checks.check(caller, verification_id, code, idem)
    reply = CodeChecked(
        id=verification_id, status=checked.status, verified=checked.verified, attempts_remaining=checked.remaining
    )
    return Response(reply, headers={"Idempotent-Replayed": "true"} if checked.replayed else None)


@get(
    "/verifications/{verification_id:uuid}",
    operation_id="readVerification",
    summary="Read where a verification stands",
    responses=problems(s404="There is no such verification of yours."),
)
async def read_verification(request: AnyRequest, verification_id: FromPath[UUID]) -> VerificationStatus:
    """Read one verification."""
    return _status(await parts_of(request).views.read(caller_of(request), verification_id))


@post(
    "/verifications/{verification_id:uuid}/fallback",
    status_code=202,
    operation_id="useFallback",
    summary="Use the next channel",
    description="Taken once `fallback.available_at` is reached; counted like a request.",
    responses=problems(
        s404="There is no such verification of yours.",
        s409="The verification has ended, no channel is left, or it is too early (then with Retry-After).",
        s429="A limit of the number or the address.",
    ),
)
async def use_fallback(request: AnyRequest, verification_id: FromPath[UUID]) -> VerificationStatus:
    """Press the next channel."""
    return _status(await parts_of(request).views.press(caller_of(request), verification_id))


@post(
    "/verifications/{verification_id:uuid}/cancel",
    status_code=200,
    operation_id="cancelVerification",
    summary="End a verification",
    responses=problems(s404="There is no such verification of yours.", s409="The verification has ended already."),
)
async def cancel_verification(request: AnyRequest, verification_id: FromPath[UUID]) -> VerificationStatus:
    """Cancel a pending verification."""
    return _status(await parts_of(request).views.cancel(caller_of(request), verification_id))


router = Router(
    "/v1",
    route_handlers=[request_verification, verify_code, read_verification, use_fallback, cancel_verification],
    guards=[needs_key],
    security=BEARER,
    tags=["Verifications"],
)


def _evidence(caller: Caller, data: VerificationRequest) -> Evidence:
    if data.ip_address is None and caller.policy.client.ip_required:
        raise Invalid("ip_address", detail="The field is required.")
    if data.ip_address is None and data.account_id is None:
        raise Invalid("account_id", detail="The field is required where ip_address is left out.")
    return Evidence(
        phone_number=_number(data.phone_number),
        ip_address=_address(data.ip_address) if data.ip_address is not None else None,
        account_id=data.account_id,
        device_event_id=data.device_event_id,
        device_sealed_result=data.device_sealed_result,
        captcha_token=data.captcha_token,
    )


def _number(text: str) -> str:
    try:
        return phone.normalise(text)
    except InvalidPhoneNumber:
        raise Invalid("phone_number", detail="Not a possible phone number in E.164.") from None


def _address(text: str) -> str:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise Invalid("ip_address", detail="Not an IP address.") from None
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            raise Invalid("ip_address", detail="Not an IP address.")
        address = address.ipv4_mapped or address
    return str(address)


def _idempotency(request: AnyRequest, caller: Caller, call: str, key: str, body: bytes) -> tuple[UUID, UUID]:
    vault, client = parts_of(request).vault, str(caller.client_id)
    return vault.hash(b"idem.key", client, call, key), vault.hash(b"idem.body", client, body.hex())


def _fallback(offer: Offer | None) -> FallbackOffer | None:
    return FallbackOffer(offer.channel, offer.available_at) if offer else None


def _status(view: View) -> VerificationStatus:
    return VerificationStatus(
        id=view.id,
        status=view.status,
        created_at=view.created_at,
        expires_at=view.expires_at,
        verified_at=view.verified_at,
        attempts_remaining=view.remaining,
        fallback=_fallback(view.offer),
    )
