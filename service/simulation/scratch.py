"""What a trace is played on: a temporary database, and the policy that fits the trace.

Called by cli. Nothing of the database is kept, so its writes are not durable, which saves time.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec

from service.db import embedded
from service.db.embedded.supervisor import try_lock
from service.db.schema import migrate
from service.policy import loading
from service.policy.model import Policy
from service.simulation.trace import TraceLine, served

FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
# Seconds within which the server must end once it is released.
STOPS_WITHIN = 30.0


@contextmanager
def make_databases() -> Iterator[Callable[[str], str]]:
    """Yield what makes a migrated database by name, on a server of its own that is deleted afterwards.

    Blocks for seconds.
    """
    with tempfile.TemporaryDirectory(prefix="verify-gateway-simulation-") as folder:
        home = Path(folder)
        home.chmod(0o711)  # root's server runs as another account
        server = embedded.start(home, settings=FAST)
        try:
            yield partial(_make, server)
        finally:
            server.release()
            _wait_until_stopped(home)


def _make(server: embedded.ServerShare, name: str) -> str:
    url = server.url(name)
    migrate.upgrade(url)
    return url


def choose_policy(path: str | None, lines: Iterable[TraceLine]) -> Policy:
    """Override the shipped policy by the file at `path`, if any, and fit it to a trace. Raises PolicyError.

    Unless the file sets it, `allow` becomes the countries of the trace's people.
    """
    own = loading.own_text(path)
    policy, countries = loading.parse(own).default, loading.read_tables(own).get("countries", {})
    if "allow" not in countries:
        suited = msgspec.structs.replace(policy.countries, allow=served(lines))
        policy = msgspec.structs.replace(policy, countries=suited)
    return policy


def _wait_until_stopped(home: Path) -> None:
    end = time.monotonic() + STOPS_WITHIN
    while (free := try_lock(home / "supervisor.lock")) is None and time.monotonic() < end:
        time.sleep(0.05)
    if free is not None:
        os.close(free)
