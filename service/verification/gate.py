"""Whether requests are taken at all: closed for everybody alike, or open for everybody alike.

Read by the flows before anything is counted; kept up to date by worker.
"""

from __future__ import annotations

import math

from service.errors import Unavailable
from service.providers.breaker import Breaker

# The oldest due verification has waited this long (seconds): more are being asked for than can be sent.
OVERLOAD = 10.0


class Gate:
    """One process's view of the two reasons to refuse: too much is waiting, or Telnyx is down."""

    def __init__(self, breaker: Breaker) -> None:
        """Start open."""
        self.breaker = breaker
        self.backlog = 0.0

    def check_requests(self) -> None:
        """Raise Unavailable when no request can be taken."""
        # While Telnyx has us wait for longer than that, it comes to the same: a code would come too late to be of use.
        pause = self.breaker.paused_for()
        if max(self.backlog, pause) > OVERLOAD:
            reason = "more is waiting than can be sent"
            raise Unavailable(reason, retry_after=max(5, math.ceil(pause)))
        self.check_provider()

    def check_provider(self) -> None:
        """Raise Unavailable while Telnyx is down."""
        if self.breaker.open:
            reason = "the provider is down"
            raise Unavailable(reason, self.breaker.retry_after)
