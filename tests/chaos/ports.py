"""Ports of a run: they are held by processes that die and come again, so nobody else may be dealt one meanwhile.

Used by world. Above what other tests take, and below what Linux deals out.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

FIRST, LAST = 30_000, 32_700


def deal_ports() -> Iterator[int]:
    """Yield ports that nobody listens on, each once, beginning somewhere else in each process."""
    many = LAST - FIRST
    start = os.getpid() * 37 % many
    for step in range(many):
        port = FIRST + (start + step) % many
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                yield port
