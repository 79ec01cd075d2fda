"""A request for a verification, from the body to what the flows take: which fields it needs, and what they mean.

Called by verifications for a caller's body, and by the simulation for a line of a trace. Repeats nothing that was sent.
"""

from __future__ import annotations

from service.api.fields import read_account, read_address, read_number
from service.api.problems import Invalid
from service.api.schemas.product import VerificationRequest
from service.channels import CHANNELS, Channel
from service.policy.model import Policy
from service.verification.callers import Ask, Evidence


def list_open(policy: Policy) -> list[Channel]:
    """List the channels that a request may name: whatever its number, so that the answer tells nothing of that."""
    order = policy.fallback.order
    return [*order, *(name for name, traits in CHANNELS.items() if not traits.opt_in and name not in order)]


def read_request(policy: Policy, data: VerificationRequest) -> Ask:
    """Read a body as a client's policy wants it. Raises Invalid, which names the field."""
    settings = policy.client
    if data.channel not in (opened := list_open(policy)):
        raise Invalid("channel", detail=f"It is not in use here. Open are {', '.join(opened)}.")
    if data.ip_address is None and settings.ip_required:
        raise Invalid("ip_address", detail="The field is required.")
    # With neither, nothing but the number would be limited, and its wrong codes would have no source.
    if data.ip_address is None and data.account_id is None:
        raise Invalid("account_id", detail="The field is required when ip_address is left out.")
    if data.captcha_token is None and settings.captcha_required:
        # Only that one is there: what it is worth is found out after the reply, or its time would show.
        raise Invalid("captcha_token", detail="The field is required.")
    evidence = Evidence(
        phone_number=read_number(data.phone_number),
        ip_address=read_address(data.ip_address) if data.ip_address is not None else None,
        account_id=read_account(data.account_id) if data.account_id is not None else None,
        device_event_id=data.device_event_id,
        device_sealed_result=data.device_sealed_result,
        captcha_token=data.captcha_token,
    )
    return Ask(evidence=evidence, channel=data.channel, deliver=data.deliver)
