"""An own PostgreSQL server for one machine: sandbox, tests and DATABASE_URL=embedded:PATH.

Called by db.engine, db.schema.migrate, sandbox and the tests. Speaks over a socket directory of its own account
only, and never trusts or signals a process that it did not start (docs/decisions/0001).
"""

from __future__ import annotations

from service.db.embedded.installation import EmbeddedServerError
from service.db.embedded.launcher import Server, start

__all__ = ["EmbeddedServerError", "Server", "start"]
