"""The processes that serve or only send: what each needs from its machine, checks at its start, and runs.

To import it is to become such a process: garbage is collected less often from then on.
"""

from __future__ import annotations

import gc

# Objects made since the last garbage collection beyond those freed: a few MB at most. As often as Python does it by
# default, collecting took a tenth of all CPU time, and as much of a start, which makes 170,000 objects that stay.
gc.set_threshold(20_000, 20, 20)
