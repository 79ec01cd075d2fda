"""Embedded servers under test: clients that are processes of their own, and the means to kill them.

Used by conftest and test_embedded. Signals only processes that belong to the home it is given.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy.engine import make_url

from service.db.embedded.supervisor import try_lock
from tests.support.waiting import PATIENCE

CHECKOUT = Path(__file__).parent.parent.parent
MEMORY = Path("/dev/shm")  # noqa: S108 (what is made in it has a random name)
ROOM = 3 * 1024**3  # bytes; four servers with their tests' databases take about one
CLIENT = """
import sys
from pathlib import Path
from service.db.embedded import start
print(start(Path(sys.argv[1])).url(), flush=True)
sys.stdin.read()
"""


def find_place() -> Path | None:
    """Answer where homes are made: in memory, or where temporary files are (None) if memory has no room for them.

    On a disk, to copy and drop a database of 300 files costs each test ten times the processor time.
    """
    roomy = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    return MEMORY if roomy else None


@contextmanager
def make_home(*, on_disk: bool = False) -> Iterator[Path]:
    """Answer an empty directory for a server; wait at the end until its server has stopped, and delete it.

    `on_disk`: where a commit costs what it costs in production, and millions of rows have room.
    """
    place = None if on_disk else find_place()
    with tempfile.TemporaryDirectory(prefix="verify-gateway-test-", dir=place) as directory:
        Path(directory).chmod(0o711)  # root's server runs in another account's name
        try:
            yield Path(directory)
        finally:
            wait_until_stopped(Path(directory))


class Client:
    """Another process that holds a share in the server until it is closed or killed."""

    def __init__(
        self, home: Path, *, python: str = sys.executable, paths: tuple[Path, ...] = (), **options: Any
    ) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*paths, CHECKOUT)))}
        self.process = subprocess.Popen(
            [python, "-c", CLIENT, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            cwd="/",
            **options,
        )

    def url(self) -> str:
        """Wait for the server and answer its address."""
        assert self.process.stdout
        assert self.process.stderr
        line = str(self.process.stdout.readline()).strip()
        assert line, self.process.stderr.read()
        return line

    def close(self) -> None:
        """Let it close its share and end."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()

    def kill(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream
            stream.close()


async def query(url: str, statement: str, *values: object) -> Any:
    """Answer the first value of the first row, over a connection of its own."""
    _, places = make_url(url).get_dialect()().create_connect_args(make_url(url))
    connection = await asyncpg.connect(**places)
    try:
        return await connection.fetchval(statement, *values)
    finally:
        await connection.close()


def find_processes(mark: str, home: Path) -> list[int]:
    """Answer the ids of running processes whose command line has both words."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    lines = [line.split(None, 2) for line in listed.splitlines()]
    return [int(pid) for pid, state, command in lines if mark in command and str(home) in command and "Z" not in state]


def kill(mark: str, home: Path) -> None:
    """SIGKILL the process whose command line has both words; there must be one."""
    (process,) = find_processes(mark, home)
    os.kill(process, signal.SIGKILL)


def wait_until_stopped(home: Path) -> None:
    """Wait until the supervisor of the server in `home` has ended, and the server before it."""
    end = time.monotonic() + PATIENCE
    while (free := try_lock(home / "supervisor.lock")) is None:
        assert time.monotonic() < end, "somebody still holds a share in the server"
        time.sleep(0.05)
    os.close(free)


def wait_until(condition: Callable[[], bool], limit: float = PATIENCE) -> None:
    """Wait until the condition holds; fail after `limit` seconds."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
