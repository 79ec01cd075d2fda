"""Ports for processes that tests start: none that the system deals out itself, and none of another test worker's.

A port that was free a moment ago may be anybody's connection by the time a process listens on it.
"""

from __future__ import annotations

import os
import socket
from itertools import cycle

# Below what Linux deals out (from 32768 on): a block of its own for each worker of a run.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
EACH = 500
FIRST = 20_000 + WORKER % 20 * EACH

_next = cycle(range(FIRST, FIRST + EACH))


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on, another one each time."""
    for port in _next:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise AssertionError
