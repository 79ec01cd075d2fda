"""Whether requests are accepted at all: the same for all of a client's requests, and for everybody if possible.

Asked by admission, checks and actions before anything is counted; a round of the worker keeps it up to date. Knows no
number.
"""

from __future__ import annotations

import math

from service.errors import Unavailable
from service.policy.model import Policies, Policy
from service.providers.verify.health import ProviderHealth

# Means every client without a profile of its own; no client can have this name.
OTHERS = "(others)"


class Gate:
    """One process's reasons to refuse: too much is waiting, or Telnyx is down, for everybody or for a profile."""

    def __init__(self, health: ProviderHealth, profile_id: str = "", max_backlog: float = math.inf) -> None:
        """`profile_id`: the Verify profile of clients that have none of their own.

        `max_backlog`: if the oldest due verification has waited longer (seconds), more is requested than can be sent.
        """
        self.health = health
        self.profile_id = profile_id
        self._max_backlog = max_backlog
        self.backlog = 0.0

    def check_requests(self, policy: Policy) -> None:
        """Raise Unavailable if no request of a client with this policy can be accepted."""
        # If Telnyx makes us wait longer than that, the result is the same: a code would come too late to be of use.
        pause = self.health.paused_for()
        if max(self.backlog, pause) > self._max_backlog:
            reason = "more is waiting than can be sent"
            raise Unavailable(reason, retry_after=max(5, math.ceil(pause)))
        self.check_provider(policy)

    def check_provider(self, policy: Policy) -> None:
        """Raise Unavailable while Telnyx is down, for everybody or for the profile of a client with this policy."""
        trouble = self.health.trouble(policy.client.verify_profile_id or self.profile_id)
        if trouble is not None:
            reason = "the provider is down"
            raise Unavailable(reason, trouble.retry_after)


def profiles_of(policies: Policies, profile_id: str) -> dict[str, list[str]]:
    """List the Verify profiles in use, each with the clients that name it; the settings' one with all the others."""
    shared = policies.default.client.verify_profile_id or profile_id
    owners = {shared: [OTHERS]}
    for client, policy in policies.clients.items():
        if (own := policy.client.verify_profile_id or profile_id) != shared:
            owners.setdefault(own, []).append(client)
    return owners
