"""The operators' calls on how things stand: the queue and Telnyx, the policy in force, the doctor's list.

Part of operator's router. Changes nothing; the doctor's list is the one that the console shows.
"""

from __future__ import annotations

import msgspec
from litestar import get

from service.api.access.auth import operator_of
from service.api.bodies import AnyRequest
from service.api.openapi.document import ApiCall
from service.api.schemas import standing as wire
from service.api.services import Services, services_of
from service.errors import PolicyError, Unavailable
from service.operators.doctor.diagnosis import rank
from service.policy import rendering
from service.verification.gate import OTHERS


@get(
    "/situation",
    operation_id="readSituation",
    summary="See what waits, and whether Telnyx takes it",
    description="The queue, how long sends take, and the circuit breakers of the process that answers.",
    call=ApiCall(means="The situation.", gives=wire.SituationSeen, problems=(Unavailable,)),
)
async def read_situation(request: AnyRequest) -> wire.SituationSeen:
    await operator_of(request)
    services = services_of(request)
    queue, latency = await services.situation.queue(), await services.situation.latency()
    return wire.SituationSeen(
        msgspec.convert(queue, wire.QueueSeen, from_attributes=True),
        msgspec.convert(latency, wire.LatencySeen, from_attributes=True),
        services.gate.health.paused_for(),
        _list_breakers(services),
    )


@get(
    "/policy",
    operation_id="readPolicy",
    summary="See the policy in force",
    description="And its file, with what of it differs from the shipped one.",
    call=ApiCall(means="The policy.", gives=wire.PolicySeen, problems=(Unavailable,)),
)
async def read_policy(request: AnyRequest) -> wire.PolicySeen:
    await operator_of(request)
    services = services_of(request)
    version = services.policies.default.version
    try:
        told = rendering.compare(services.policy_file)
    except PolicyError as error:
        return wire.PolicySeen(version, None, str(error))
    differences = [wire.PolicyDifference(*one) for one in told.differences]
    return wire.PolicySeen(version, wire.PolicyFile(told.version, told.text, differences), None)


@get(
    "/doctor",
    operation_id="readDoctor",
    summary="See the doctor's list",
    description="What `verify-gateway doctor` finds, some minutes old at most. If it is not there yet, it is busy.",
    call=ApiCall(means="The list.", gives=wire.DoctorSeen, problems=(Unavailable,)),
)
async def read_doctor(request: AnyRequest) -> wire.DoctorSeen:
    await operator_of(request)
    found = await services_of(request).examination.look()
    points = sorted(found.what or [], key=lambda point: -rank(point.status))
    seen = [msgspec.convert(point, wire.DoctorPoint, from_attributes=True) for point in points]
    return wire.DoctorSeen(found.at, found.busy, seen)


HANDLERS = [read_situation, read_policy, read_doctor]


def _list_breakers(services: Services) -> list[wire.BreakerSeen]:
    health = services.gate.health
    trouble, reasons = health.trouble(), health.reasons_of_profiles()
    breakers = [wire.BreakerSeen(None, trouble is not None, trouble.reason if trouble else None)]
    for profile, owners in health.owners.items():
        clients, reason = ["*" if one == OTHERS else one for one in owners], reasons.get(profile)
        breakers.append(wire.BreakerSeen(clients, reason is not None, reason))
    return breakers
