"""How long the batched calls on verifications wait for more items, where they share what a call costs.

Used by verification.storage.store and the simulation. A wait may depend on how many items come, never on what becomes
of one.
"""

from __future__ import annotations

from typing import NamedTuple

from service.db.batch import AT_ONCE, Tick

# Items a second and process from which on a call is worth a wait that its caller feels.
BUSY = 100


class Ticks(NamedTuple):
    """The ticks of a store. Who gives a wrong code waits for their step anyway, and nobody for the record of a send."""

    requests: Tick = Tick(0.002, 0.004, BUSY)
    codes: Tick = Tick(0.012, 0.024, BUSY)
    wrong: Tick = Tick(0.03, 0.06)
    records: Tick = Tick(0.06, 0.12)


NO_TICKS = Ticks(AT_ONCE, AT_ONCE, AT_ONCE, AT_ONCE)
