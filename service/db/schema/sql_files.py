"""Runs the SQL files of a migration.

Called from migrations/versions, since 0003. Never decides which files: a migration names its own folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from alembic import op

# Planned while its tables are small and kept until they are analysed again, a join would soon read the whole of them
# (7 ms a call instead of 0.4). So what many callers wait for looks rows up by their keys, whatever the planner thinks.
SETTINGS = (
    "enable_seqscan = off", "enable_bitmapscan = off", "enable_hashjoin = off", "enable_mergejoin = off",
    "plan_cache_mode = force_generic_plan",
)  # fmt: skip
BY_KEYS_ALONE = frozenset({
    "admit_v4", "apply_webhooks_v3", "backlog_v2", "bind_event", "budget_left_v2", "claim_v2", "credit", "expire",
    "hold_weighed", "record_v3", "refund_sends", "reserve_guesses_v4", "resolve_v5", "settle_guesses_v3", "take_out",
    "unconverted_codes", "use_fallback", "use_fallback_once", "watch_traffic_v2", "weigh_v6", "withdraw",
})  # fmt: skip
# The same of functions that only processes of an earlier revision call.
BY_KEYS_BEFORE = frozenset({
    "admit_v3", "reserve_guess_v3", "reserve_once_v2", "resolve_v3", "resolve_v4", "settle_guess_v2", "weigh_v3",
    "weigh_v4", "weigh_v5",
})  # fmt: skip


def run_topics(folder: Path, direction: str) -> None:
    """Run a folder's files `TOPIC.up.sql`, or `TOPIC.down.sql` in reverse order."""
    for path in sorted(folder.glob(f"*.{direction}.sql"), reverse=direction == "down"):
        for statement in path.read_text().split(";\n"):
            if statement.strip():
                op.execute(statement)


def list_functions(folder: Path) -> list[Path]:
    """List a folder's functions, one a file: neither the topics nor the tables of a version."""
    return [path for path in sorted(folder.glob("*.sql")) if path.suffixes == [".sql"] and path.stem != "tables"]


def make_functions(paths: Iterable[Path]) -> None:
    """Create or replace functions, one for each file, in any order."""
    # Functions call one another, so their bodies must not be checked before they run.
    op.execute("set local check_function_bodies = off")
    for path in paths:
        for statement in write_function(path):
            op.get_bind().exec_driver_sql(statement)


def write_function(path: Path) -> Iterator[str]:
    """Write down what makes the function of a file, with the settings under which it runs."""
    yield path.read_text()
    if path.stem in BY_KEYS_ALONE | BY_KEYS_BEFORE:
        yield from (f"alter function {path.stem} set {setting}" for setting in SETTINGS)
