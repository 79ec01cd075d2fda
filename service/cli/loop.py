"""The event loop of a process that serves: uvloop, which does not wait a minute for a TLS handshake.

Named in serving's UVICORN.
"""

from __future__ import annotations

import asyncio
from typing import Any

import uvloop

from service.api.patience import HEAD


class Loop(uvloop.Loop):
    """uvicorn has no setting for it: a silent connection would hold its place six times as long as without TLS."""

    async def create_server(self, *args: Any, ssl: Any = None, **options: Any) -> asyncio.Server:
        """Listen; with `ssl`, give a connection as long for its handshake as for a head."""
        limits = {"ssl_handshake_timeout": HEAD} if ssl else {}
        listen: Any = super().create_server  # whose two signatures share no way to be called with what is passed on
        server: asyncio.Server = await listen(*args, ssl=ssl, **limits, **options)
        return server
