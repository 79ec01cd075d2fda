"""Points about PostgreSQL: schema, clock, pooler, connections, locks, and an embedded server's disk.

Listed by operators.doctor.examination. Pure: each point is judged by facts alone.
"""

from __future__ import annotations

from service.db.engine import DESK_SIZE
from service.operators.doctor.deployment import judge_clock
from service.operators.doctor.diagnosis import Diagnosis, Unknown, doubtful, fit, not_known, unfit
from service.operators.doctor.gathering import Facts

# Connections of a process for rare statements, beside its two pools.
RARE = 5
# Locks that a process holds with every batch full at once: docs/operations.md, "How many processes".
LOCKS = 2_100
GIGABYTE = 10**9
# Bytes.
LITTLE, TOO_LITTLE = 5 * GIGABYTE, GIGABYTE
MIGRATE = "Run verify-gateway migrate."


def judge_schema(facts: Facts) -> Diagnosis:
    if isinstance(facts.schema, Unknown):
        outdated = "migrate" in facts.schema.reason
        return unfit(facts.schema.reason, MIGRATE if outdated else "Start the database, and check DATABASE_URL.")
    return fit(f"The database answers, and its schema is {facts.schema}.")


def judge_database_clock(facts: Facts) -> Diagnosis:
    if isinstance(facts.server, Unknown):
        return not_known(facts.server)
    return judge_clock("The database", facts.server.ahead)


def judge_pooler(facts: Facts) -> Diagnosis:
    """Whether something ends a statement that waits for a lock: behind a pooler the gateway cannot see to it."""
    if isinstance(facts.advice, Unknown):
        return not_known(facts.advice)
    if facts.advice is not None:
        return unfit("Behind the pooler no statement has a time limit of 2 s.", facts.advice)
    if facts.settings.database_pooler == "none":
        return fit("There is no pooler: the gateway limits each statement itself.")
    return fit("Behind the pooler the role limits each statement.")


def judge_connections(facts: Facts) -> Diagnosis:
    """Whether the server has connections for all processes at once."""
    if isinstance(facts.server, Unknown):
        return not_known(facts.server)
    if facts.settings.database_pooler != "none":
        return fit("The pooler shares the server's connections.")
    need = facts.processes * (facts.settings.database_pool_size + DESK_SIZE + RARE)
    have = facts.server.max_connections - facts.server.reserved
    seen = f"{_word(facts)} may open {need} connections; the server has {have}."
    if need <= have:
        return fit(seen)
    return unfit(seen, "Raise max_connections, lower DATABASE_POOL_SIZE, or put PgBouncer between.")


def judge_locks(facts: Facts) -> Diagnosis:
    """Whether the server has locks for all processes with every batch full at once."""
    if isinstance(facts.server, Unknown):
        return not_known(facts.server)
    need = facts.processes * LOCKS
    seen = f"{_word(facts)} may hold {need:,} locks; the server has {facts.server.locks:,}."
    if need <= facts.server.locks:
        return fit(seen)
    least = max(64, -(-need // facts.server.max_connections))
    return doubtful(seen, f"Set max_locks_per_transaction = {least} and restart PostgreSQL.")


def judge_disk(facts: Facts) -> Diagnosis:
    if isinstance(facts.free, Unknown):
        return not_known(facts.free)
    if facts.free is None:
        return fit("The database is not embedded: watch its disk where it runs.")
    seen = f"The embedded database's disk has {facts.free / GIGABYTE:.1f} GB free."
    if facts.free >= LITTLE:
        return fit(seen)
    return (unfit if facts.free < TOO_LITTLE else doubtful)(seen, "Free some, or move the database to a larger disk.")


def _word(facts: Facts) -> str:
    return "1 process" if facts.processes == 1 else f"{facts.processes} processes"
