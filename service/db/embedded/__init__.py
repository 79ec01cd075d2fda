"""A PostgreSQL server of our own on one machine: for the sandbox, tests and DATABASE_URL=embedded:PATH.

Called by db.engine and simulation, and by tests. Reachable only over its own account's socket directory, and never
trusts or signals a process that it did not start (docs/decisions/0001).
"""

from __future__ import annotations

from service.db.embedded.installation import EmbeddedServerError
from service.db.embedded.launcher import ServerShare, start

__all__ = ["EmbeddedServerError", "ServerShare", "start"]
