"""What answers requests and what works after the reply share: one process's verifications, put together.

Made by app; used by api.services and worker.loop. Opens nothing and starts nothing.
"""

from __future__ import annotations

import msgspec

from service.clients.authenticator import Authenticator
from service.clients.store import KeyStore
from service.db.engine import Database
from service.fraud.judge import Judge
from service.fraud.tally import Tally
from service.policy.model import Policies
from service.providers.verify.protocol import Provider
from service.settings import Settings
from service.vault import Vault
from service.verification.activity import Activity
from service.verification.checks import Checks
from service.verification.ended_verifications import Ended
from service.verification.gate import Gate
from service.verification.review import ReviewProvider
from service.verification.senders import Senders, make_senders
from service.verification.sends.dispatch import Dispatch
from service.verification.slots import Slots
from service.verification.storage.owed import DatabaseClock
from service.verification.storage.store import Store
from service.verification.traces import Traces


class Core(msgspec.Struct, frozen=True, kw_only=True):
    """The parts. `now`: as in Store."""

    database: Database
    vault: Vault
    policies: Policies
    now: DatabaseClock
    store: Store
    keys: Authenticator
    senders: Senders
    ended: Ended
    gate: Gate
    slots: Slots
    dispatch: Dispatch
    checks: Checks
    tally: Tally
    traces: Traces
    activity: Activity


def make_core(
    database: Database,
    vault: Vault,
    policies: Policies,
    judge: Judge,
    provider: Provider,
    settings: Settings,
    now: DatabaseClock,
) -> Core:
    """Put them together. `provider`: the real one, which stays the caller's to close."""
    store, ended = Store(database, policies, now, settings.webhook_max_unknown), Ended(database, provider.name, now)
    senders = make_senders(
        provider, ended, vault, policies, settings.telnyx_verify_profile_id, ReviewProvider(database, vault, now)
    )
    # The same health that the senders report to: with one of its own the gate would never close.
    gate = Gate(senders.health, senders.profile_id, settings.max_backlog)
    slots, tally, traces, activity = Slots(settings.max_sends), Tally(), Traces(database), Activity()
    return Core(
        database=database,
        vault=vault,
        policies=policies,
        now=now,
        store=store,
        keys=Authenticator(KeyStore(database, now), vault, policies),
        senders=senders,
        ended=ended,
        gate=gate,
        slots=slots,
        dispatch=Dispatch(store, judge, senders, slots.ask, traces, tally=tally, activity=activity),
        checks=Checks(store, judge, senders, gate, activity),
        tally=tally,
        traces=traces,
        activity=activity,
    )
