"""Finds at the provider a send of ours of which no answer came back, so that it is not made twice.

Called by verification.sends.dispatch. It must never take what another row holds, nor an unreadable list for an empty
one.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from service import phone
from service.channels import CHANNELS
from service.providers.verify.protocol import InDoubt, ListedVerification, NotCompared, Provider, Sent
from service.verification.senders import Senders
from service.verification.sends.job import Job
from service.verification.states import SEND_LIMIT, Send
from service.verification.storage.store import Store

# How far Telnyx's clock and ours may differ when we look for a send of ours.
CLOCKS_DIFFER = timedelta(seconds=5)
# Telnyx may still be at work when our time limit ends: a send that is not found is looked for again after this (s).
LOOK_AGAIN = 2.0


class Adopting:
    """Looks sends up at their provider, beside what the database holds of them."""

    def __init__(self, store: Store, senders: Senders) -> None:
        self._store = store
        self._senders = senders

    async def adopt(self, job: Job, send: Send, provider: Provider) -> Sent | None:
        """Find a send of ours of which no id came back, now or a little later; None if it is not found in time."""
        found = await self.find(job, send, provider)
        # Only while the lease leaves time for a second look and the record.
        if not isinstance(found, Sent) and job.age() < SEND_LIMIT + 1:
            await asyncio.sleep(LOOK_AGAIN)
            found = await self.find(job, send, provider)
        return found if isinstance(found, Sent) else None

    async def find(self, job: Job, send: Send, provider: Provider) -> Sent | InDoubt | None:
        """Look our send up at the provider: found, None if there is none, in doubt if the provider is unavailable."""
        listed = await provider.look_up(job.evidence.phone_number)
        # A list that could not be read is not an empty one: sent again on its word, the number would get two codes.
        if isinstance(listed, NotCompared):
            return InDoubt("look_up_failed")
        since = (send.begun_at or send.due_at) - CLOCKS_DIFFER
        ours = [found for found in listed if found.created_at >= since and self._is_like(job, send, found)]
        ids = [found.provider_id for found in ours]
        held = await job.keep_trying(lambda: self._store.held(provider.name, ids))
        # What another row holds is that row's. Of the rest the newest: sends to one number take turns, so nothing newer
        # can belong to one that is still on its way.
        free = [found for found in ours if found.provider_id not in held]
        return Sent(max(free, key=lambda found: found.created_at).provider_id) if free else None

    def _is_like(self, job: Job, send: Send, found: ListedVerification) -> bool:
        # A UUID may come back in other letters than it was set in.
        profile = self._senders.profile_of(job.policy).lower()
        return found.channel in _channels(job, send) and found.profile_id.lower() == profile


def _channels(job: Job, send: Send) -> set[str]:
    """Return the channels by which a send may have gone: an sms to a landline whose decision is lost, also by call."""
    channels, other = {str(send.by or send.channel)}, CHANNELS[send.channel].landline
    if send.allowed is not None or other is None or job.policy.rules.landline.mode != "enforce":
        return channels
    landline = job.policy.lookup.mode == "on" or phone.describe(job.evidence.phone_number).kind == "fixed"
    return channels | {other} if landline else channels
