"""Who calls and what they request: the values that api makes and verification takes.

Made by api; read by admission and sends. Holds no statement and no rule.
"""

from __future__ import annotations

from uuid import UUID

import msgspec

from service.accounts import normalise
from service.addresses import network_of
from service.channels import Channel
from service.fraud.facts import CaptchaState
from service.fraud.histories.subjects import number_of
from service.phone import subscriber_of
from service.vault import Vault
from service.verification.storage.rows import Sources


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a request said of the end user. Stored sealed, and dropped with the verification.

    `observed`: the client's rules only observed when it came, and do so for all sends of the verification.
    `captcha`: what became of its token, if that was verified before the reply. `explain`: a test client asked to be
    told why.
    """

    phone_number: str
    ip_address: str | None = None
    account_id: str | None = None
    device_event_id: str | None = None
    device_sealed_result: str | None = None
    captcha_token: str | None = None
    observed: bool = False
    captcha: CaptchaState | None = None
    explain: bool = False


class Ask(msgspec.Struct, frozen=True):
    """One request for a verification. `idem` and `body`: keyed hashes, if the caller gave an Idempotency-Key."""

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
    sources: Sources


def subjects_of(
    vault: Vault, client_id: int, evidence: Evidence, *, visitor_id: str | None = None, test: bool = False
) -> Subjects:
    """Hash what is counted: number and account by client, addresses over all clients (IPv6 by /64).

    Test clients have counts of their own: neither their tests nor a lost key of theirs may shut out an address.
    The source of a wrong code is account and network: naming another's account does not put anybody on their network.
    """
    client, phone = str(client_id), subscriber_of(evidence.phone_number)
    network = network_of(evidence.ip_address) if evidence.ip_address else ""
    account = None if evidence.account_id is None else normalise(evidence.account_id)
    # With its network: else ten wrong codes under a stranger's account id would lock its owner out at home.
    source = ("ip", network) if account is None else ("account", account, network)
    return Subjects(
        phone_hash=number_of(vault, evidence.phone_number),
        phone_limit=vault.hash(b"limit.phone", client, phone),
        # Over all clients, so without theirs in the hash: an attacker has more products than one to ask through.
        ip_limit=vault.hash(b"limit.ip.test" if test else b"limit.ip", network) if network else None,
        account_limit=None if account is None else vault.hash(b"limit.account", client, account),
        source_budget=vault.hash(b"codes.source", client, phone, *source),
        total_budget=vault.hash(b"codes.total", client, phone),
        sources=_sources(vault, client, phone, account, network, visitor_id),
    )


def repeat_of(vault: Vault, client_id: int, ask: Ask, phone_hash: UUID) -> UUID:
    """Hash by what a second tap is known: the same client, number, channel and source (account and address).

    Each tap may bring an Idempotency-Key, a captcha token and a device event of its own: pages are told to make a new
    event for each submit.
    """
    evidence = ask.evidence
    account = "" if evidence.account_id is None else normalise(evidence.account_id)
    network = network_of(evidence.ip_address) if evidence.ip_address else ""
    what = ask.channel, "deliver" if ask.deliver else "decoy"
    return vault.hash(b"repeat", str(client_id), str(phone_hash), *what, account, network)


def _sources(
    vault: Vault, client: str, phone: str, account: str | None, network: str, visitor_id: str | None
) -> Sources:
    """List the sources of a request, as hashes; it counts under the first one that is known.

    An account on its network comes before the same account elsewhere: whoever only names it must not use up what its
    owner has at home. The address is used only if nothing better identifies the source.
    """

    def name(kind: str, *parts: str) -> UUID:
        return vault.hash(b"known", client, phone, kind, *parts)

    device = None if visitor_id is None else name("device", visitor_id)
    if account is not None:
        return [name("home", account, network) if network else None, device, name("account", account)]
    return [None, device, name("ip", network) if network and device is None else None]
