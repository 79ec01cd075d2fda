"""A request for a verification, from the body to what the flows take: which fields it needs, and what they mean.

Called by verifications for a caller's body, and by the simulation for a line of a trace. Repeats nothing that was sent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from service.api.fields import read_account, read_address, read_number, read_public_address
from service.api.mistakes import REQUIRED, Mistake, summarise
from service.api.problems import Invalid
from service.api.schemas.product import VerificationRequest
from service.channels import CHANNELS, Channel
from service.policy.model import ClientSettings, Policy
from service.verification.callers import Ask, Evidence

# Fields that may be left out, unless a client's settings require them.
REQUIRABLE = ("ip_address", "account_id", "captcha_token")


def list_open(policy: Policy) -> list[Channel]:
    """List the channels that a request may name: whatever its number, so that the answer tells nothing of that."""
    order = policy.fallback.order
    return [*order, *(name for name, traits in CHANNELS.items() if not traits.opt_in and name not in order)]


def list_missing(settings: ClientSettings, given: Collection[str]) -> Iterator[Mistake]:
    """List the fields that a client's settings require, and that are not given."""
    if "ip_address" not in given:
        if settings.ip_required:
            yield "ip_address", REQUIRED
        # With neither, nothing but the number would be limited, and its wrong codes would have no source.
        elif "account_id" not in given:
            yield "account_id", "The field is required when ip_address is left out."
    # Only that one is there: what it is worth is found out after the reply, or its time would show.
    if settings.captcha_required and "captcha_token" not in given:
        yield "captcha_token", REQUIRED


def read_request(policy: Policy, data: VerificationRequest, *, private_addresses: bool) -> Ask:
    """Read a body as a client's policy wants it. Raises Invalid, which names the fields.

    `private_addresses`: whether an end user may have one that the Internet does not know.
    """
    if data.channel not in (opened := list_open(policy)):
        raise Invalid("channel", detail=f"It is not in use here. Open are {', '.join(opened)}.")
    given = {name for name in REQUIRABLE if getattr(data, name) is not None}
    if missing := list(list_missing(policy.client, given)):
        raise summarise(missing)
    read_ip = read_address if private_addresses else read_public_address
    evidence = Evidence(
        phone_number=read_number(data.phone_number),
        ip_address=read_ip(data.ip_address) if data.ip_address is not None else None,
        account_id=read_account(data.account_id) if data.account_id is not None else None,
        device_event_id=data.device_event_id,
        device_sealed_result=data.device_sealed_result,
        captcha_token=data.captcha_token,
    )
    return Ask(evidence=evidence, channel=data.channel, deliver=data.deliver)
