"""Who calls and what is asked: the values that api makes and the flows take.

Made by api; read by request, check and fallback. Holds no statement and no rule.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from service.accounts import normalise
from service.addresses import network_of
from service.fraud.policy import Policy
from service.fraud.subjects import number_of
from service.phone import subscriber_of
from service.providers.base import Channel
from service.vault import Vault


class Caller(msgspec.Struct, frozen=True):
    """A client behind one of its keys, and the policy that holds for it. `ends_at`: when the key is good no more."""

    key_id: int
    client_id: int
    client: str
    test: bool
    operator: bool
    policy: Policy
    ends_at: datetime | None = None


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a request said of the end user. Stored sealed, and dropped with the verification."""

    phone_number: str
    ip_address: str | None = None
    account_id: str | None = None
    device_event_id: str | None = None
    device_sealed_result: str | None = None
    captcha_token: str | None = None


class Ask(msgspec.Struct, frozen=True):
    """One request for a verification. `idem` and `body` are keyed hashes, where the caller gave a key."""

    evidence: Evidence
    channel: Channel
    deliver: bool
    idem: UUID | None = None
    body: UUID | None = None


class Subjects(msgspec.Struct, frozen=True):
    """The keyed hashes that a request is counted under."""

    phone_hash: UUID
    phone_limit: UUID
    ip_limit: UUID | None
    account_limit: UUID | None
    source_budget: UUID
    total_budget: UUID


def subjects_of(vault: Vault, client_id: int, evidence: Evidence, *, test: bool = False) -> Subjects:
    """Hash what is counted: number and account by client, addresses over all clients (IPv6 by /64).

    Those of test clients apart: nobody's tests, and no lost key of theirs, may shut an address out.
    """
    client, phone = str(client_id), subscriber_of(evidence.phone_number)
    network = network_of(evidence.ip_address) if evidence.ip_address else ""
    account = None if evidence.account_id is None else normalise(evidence.account_id)
    source = ("ip", network) if account is None else ("account", account)
    return Subjects(
        phone_hash=number_of(vault, evidence.phone_number),
        phone_limit=vault.hash(b"limit.phone", client, phone),
        ip_limit=vault.hash(b"limit.ip.test" if test else b"limit.ip", network) if network else None,
        account_limit=None if account is None else vault.hash(b"limit.account", client, account),
        source_budget=vault.hash(b"codes.source", client, phone, *source),
        total_budget=vault.hash(b"codes.total", client, phone),
    )
