"""What is written of replies: uvloop writes at once, and a head of its own would cost a system call as its body does.

Made by protocol, for uvicorn's cycles, in the place of their connection's transport. Holds nothing back of a reply that
is complete.
"""

from __future__ import annotations

from asyncio import Transport
from typing import Any

HEAD, CONTINUE = b"HTTP/1.1 ", b"HTTP/1.1 100 "


class ReplyWriter:
    """A connection's transport, for one reply after another."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        """Write what was kept and this, or keep a reply's head until its body comes."""
        # Whoever is told to continue sends their body only then.
        if not self._head and data.startswith(HEAD) and not data.startswith(CONTINUE):
            self._head = data
            return
        head, self._head = self._head, b""
        self._transport.write(head + data)

    def flush(self) -> None:
        """Write the head of a reply that has no body."""
        if self._head:
            self.write(b"")

    def close(self) -> None:
        """Close the connection once everything is written."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        """Be the transport in all else."""
        return getattr(self._transport, name)
