"""The five calls of a product backend.

Routed by app. Translates between HTTP and verification; decides nothing.
"""

from __future__ import annotations

from functools import partial
from uuid import UUID

import msgspec
from litestar import Response, Router, get, post
from litestar.params import FromPath

from service import tracing
from service.api.access.auth import caller_of
from service.api.bodies import AnyRequest, asks_why, read_body, read_idempotency_key
from service.api.openapi.document import BEARER, ApiCall
from service.api.problems import Invalid
from service.api.request_body import list_missing, read_request
from service.api.schemas.decisions import SendDecision
from service.api.schemas.product import (
    MESSAGE,
    CodeCheck,
    CodeChecked,
    FallbackOffer,
    VerificationAccepted,
    VerificationRequest,
    VerificationStatus,
)
from service.api.services import services_of, waiting_of
from service.clients.caller import Caller
from service.errors import (
    ChallengeRequired,
    Closed,
    GuessesInFlight,
    Limited,
    NoChannelLeft,
    NotFound,
    TooEarly,
    Unavailable,
)
from service.spelling import read_code
from service.verification.actions import VerificationView
from service.verification.states import Offer

PACK = msgspec.msgpack.Encoder()
REQUEST = msgspec.json.Decoder(VerificationRequest)
CHECK = msgspec.json.Decoder(CodeCheck)
# What one client's test key was told must not be given to a caller with another key. That no reply is stored, the
# server says of all of them.
VARIES = {"Vary": "Authorization, X-Explain"}
FEWEST_DIGITS, MOST_DIGITS = 4, 15


@post(
    "/verifications",
    status_code=202,
    operation_id="requestVerification",
    summary="Request a verification",
    description="The reply comes at once and is always the same: whether a code goes out is decided afterwards. A 429 "
    "is a limit of the number, the address or the account, or a wrong-code budget; it never says which. The same "
    "request within seconds of one that is pending (a second tap on the button) gets that one's reply, whatever its "
    "Idempotency-Key: nothing more is sent or counted. Another channel is another request. A client may be "
    "set to get a 422 of the type challenge-required while a country or a network is under attack, unless the request "
    "brings a good captcha_token: the same for every number of that country.",
    call=ApiCall(
        means="Accepted. The same for every number, sent to or not.",
        takes=VerificationRequest,
        gives=VerificationAccepted,
        problems=(Limited, ChallengeRequired, Unavailable),
        idempotent=True,
        explained=True,
    ),
)
async def request_verification(request: AnyRequest) -> Response[VerificationAccepted]:
    """Read a request and have it admitted."""
    services, caller = services_of(request), await caller_of(request)
    body = await read_body(request, REQUEST, partial(list_missing, caller.policy.client))
    ask = read_request(caller.policy, body, private_addresses=services.private_addresses)
    if (key := read_idempotency_key(request)) is not None:
        # The request as it was read: other spacing or spelling of the same number is the same request, not another one.
        # Nor is another captcha's token, which is good once: whoever asks again may have had to solve another.
        alike = msgspec.structs.replace(ask, evidence=msgspec.structs.replace(ask.evidence, captcha_token=None))
        idem, same = _idempotency(request, caller, "request", key, PACK.encode(alike))
        ask = msgspec.structs.replace(ask, idem=idem, body=same)
    if caller.test and asks_why(request):
        # After the hash: whoever asks why repeats the same request.
        ask = msgspec.structs.replace(ask, evidence=msgspec.structs.replace(ask.evidence, explain=True))
    taken = await services.requests.request(caller, ask, waiting_of(request))
    reply = VerificationAccepted(
        id=taken.id,
        status="pending",
        created_at=taken.created_at,
        expires_at=taken.expires_at,
        attempts_remaining=taken.remaining,
        fallback=_fallback(taken.offer),
        message=MESSAGE,
    )
    return Response(reply, headers=_replayed(replayed=taken.replayed))


@post(
    "/verifications/{verification_id:uuid}/verify",
    status_code=200,
    operation_id="verifyCode",
    summary="Check a code",
    description="A right code is answered at once, a wrong one on the next half second. The fifth wrong code locks the "
    "verification. A code that is not 4 to 15 digits (422) is not counted. The same Idempotency-Key with another code "
    "is refused (422): only the first code gets its result.",
    call=ApiCall(
        means="Checked: see `verified`.",
        takes=CodeCheck,
        gives=CodeChecked,
        problems=(NotFound, Closed, GuessesInFlight, Unavailable),
        idempotent=True,
    ),
)
async def verify_code(request: AnyRequest, verification_id: FromPath[UUID]) -> Response[CodeChecked]:
    """Read a code and have it checked."""
    services, caller = services_of(request), await caller_of(request)
    data = await read_body(request, CHECK)
    # Before the guess is reserved: what is no code must not cost one.
    code = _code(data.code, caller.policy.verification.code_length)
    idem = body = None
    if (key := read_idempotency_key(request)) is not None:
        # The key is part of what is hashed: without it a code of six digits could be found by trying them all.
        idem, body = _idempotency(request, caller, "verify", key, PACK.encode((key, verification_id, code)))
    async with services.traces.join("check", verification_id):
        checked = await services.checks.check(caller, verification_id, code, idem, body, waiting=waiting_of(request))
        tracing.note(status=checked.status, replayed=checked.replayed)
    reply = CodeChecked(
        id=verification_id, status=checked.status, verified=checked.verified, attempts_remaining=checked.remaining
    )
    return Response(reply, headers=_replayed(replayed=checked.replayed))


@get(
    "/verifications/{verification_id:uuid}",
    operation_id="readVerification",
    summary="Read a verification's status",
    description="As far as your own calls, the clock and the codes tried have brought it: whether a code was sent or "
    "delivered does not show.",
    call=ApiCall(means="Its status.", gives=VerificationStatus, problems=(NotFound, Unavailable), explained=True),
)
async def read_verification(request: AnyRequest, verification_id: FromPath[UUID]) -> Response[VerificationStatus]:
    """Read a status; a test client may ask why as well."""
    services, caller = services_of(request), await caller_of(request)
    status = _status(await services.actions.read(caller, verification_id))
    # Nobody else's reply may so much as wait for a decision: from the time of a look-up one could tell what it found.
    if caller.test:
        found = await services.operator_queries.explain(caller.client_id, verification_id)
        if asks_why(request) or (found is not None and found.explain):
            status.decision = msgspec.convert(found, SendDecision | None, from_attributes=True)
            return Response(status, headers=VARIES)
    return Response(status)


@post(
    "/verifications/{verification_id:uuid}/fallback",
    status_code=202,
    operation_id="useFallback",
    summary="Use the next channel",
    description="Accepted once `fallback.available_at` is reached, whatever became of the first send; counted like a "
    "request.",
    call=ApiCall(
        means="Accepted.",
        gives=VerificationStatus,
        problems=(NotFound, Closed, NoChannelLeft, TooEarly, Limited, Unavailable),
    ),
)
async def use_fallback(request: AnyRequest, verification_id: FromPath[UUID]) -> VerificationStatus:
    """Use the next channel."""
    services, caller = services_of(request), await caller_of(request)
    async with services.traces.join("fallback", verification_id):
        return _status(await services.actions.use_fallback(caller, verification_id, waiting_of(request)))


@post(
    "/verifications/{verification_id:uuid}/cancel",
    status_code=200,
    operation_id="cancelVerification",
    summary="End a verification",
    description="From now on no code is accepted, and nothing more is sent. What was sent is not called back.",
    call=ApiCall(means="Canceled.", gives=VerificationStatus, problems=(NotFound, Closed, Unavailable)),
)
async def cancel_verification(request: AnyRequest, verification_id: FromPath[UUID]) -> VerificationStatus:
    services, caller = services_of(request), await caller_of(request)
    async with services.traces.join("cancel", verification_id):
        return _status(await services.actions.cancel(caller, verification_id, waiting_of(request)))


router = Router(
    "/v1",
    route_handlers=[request_verification, verify_code, read_verification, use_fallback, cancel_verification],
    security=BEARER,
    tags=["Verifications"],
)


def _code(text: str, length: int) -> str:
    """Read a code as typed, in the digits of any script; Telnyx compares 0 to 9."""
    code = read_code(text, length)
    if code is None or not FEWEST_DIGITS <= len(code) <= MOST_DIGITS:
        raise Invalid("code", detail="A code has 4 to 15 digits.")
    return code


def _idempotency(request: AnyRequest, caller: Caller, call: str, key: str, body: bytes) -> tuple[UUID, UUID]:
    vault, client = services_of(request).vault, str(caller.client_id)
    # By client and call: two products may use the same keys, and one of them a key for both calls.
    return vault.hash(b"idem.key", client, call, key), vault.hash(b"idem.body", client, body.hex())


def _replayed(*, replayed: bool) -> dict[str, str]:
    return {"Idempotent-Replayed": "true"} if replayed else {}


def _fallback(offer: Offer | None) -> FallbackOffer | None:
    return FallbackOffer(offer.channel, offer.available_at) if offer else None


def _status(view: VerificationView) -> VerificationStatus:
    return VerificationStatus(
        id=view.id,
        status=view.status,
        created_at=view.created_at,
        expires_at=view.expires_at,
        verified_at=view.verified_at,
        attempts_remaining=view.remaining,
        fallback=_fallback(view.offer),
    )
