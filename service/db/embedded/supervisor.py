"""The process that keeps one embedded server up while it has clients, and stops it after the last.

Started by the launcher as a separate script, with only the standard library. Trusts locks that the kernel releases
when their holder ends, never a pid file; signals no process but the one that it started.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TICK = 0.1  # seconds between two looks
GRACE = 5  # looks without a client before the stop, so that the next command of a script finds the server running
STOP_LIMIT = 30.0  # seconds that a fast shutdown may take
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Task:
    """What to run; sent by the launcher as JSON."""

    home: str
    data: str
    socket: str
    log: str
    command: list[str]
    probe: list[str]
    identity: dict[str, Any]


def open_lock(path: Path) -> int:
    """Open a lock's file, which is never deleted."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def try_lock(path: Path) -> int | None:
    """Take the lock and return its descriptor; None if another process holds it."""
    descriptor = open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _bind_to_parent() -> Callable[[], None]:
    """Have the kernel stop the server (a fast shutdown) if this process is killed; on Linux only."""
    if sys.platform != "linux":
        return lambda: None
    library, parent = ctypes.CDLL(None), os.getpid()

    def bind() -> None:
        library.prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent:  # it was killed before the line above
            os._exit(1)

    return bind


class SupervisedServer:
    """Runs PostgreSQL on one data directory, again and again if it dies."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.process: subprocess.Popen[bytes] | None = None
        self.next_start = 0.0  # on the monotonic clock: a server that dies at once is started once a second

    def start(self) -> None:
        """Start PostgreSQL unless a process of an earlier run is still alive.

        Every process of the server inherits the lock. Once it is free none of them is left, and files with a pid are
        stale whatever they say: PostgreSQL itself would refuse to start if such a pid now belonged to another process
        of the same user.
        """
        if time.monotonic() < self.next_start:
            return
        descriptor = try_lock(Path(self.task.home, "server.lock"))
        if descriptor is None:
            return
        self.next_start = time.monotonic() + 1.0
        for stale in (Path(self.task.data, "postmaster.pid"), *Path(self.task.socket).glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)
        with Path(self.task.log).open("ab") as log:
            self.process = subprocess.Popen(
                self.task.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env={"LC_ALL": "C"},
                pass_fds=(descriptor,), start_new_session=True,
                preexec_fn=_bind_to_parent(),  # noqa: PLW1509 (this process has one thread)
                **self.task.identity,
            )  # fmt: skip
        os.close(descriptor)

    def is_up(self) -> bool:
        """Return whether the server accepts connections."""
        return subprocess.run(self.task.probe, capture_output=True, check=False).returncode == 0

    def is_running(self) -> bool:
        """Return whether the process that we started is alive."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """Request a fast shutdown; kill the server if that takes too long."""
        for request in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if self.process is None or not self.is_running():
                return
            self.process.send_signal(request)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_LIMIT)


def bring_up(server: SupervisedServer) -> bool:
    """Start the server and wait until it answers; return False if it ends before that."""
    while not server.is_up():
        if not server.is_running():
            if server.process:
                return False
            server.start()
        time.sleep(TICK / 10)
    return True


def watch(server: SupervisedServer, clients: Path) -> None:
    """Keep the server up until no client has held the lock for a while, then stop it.

    The lock is held during the stop and released when we end, so that a new client waits for both.
    """
    idle = 0
    while idle < GRACE:
        time.sleep(TICK)
        if not server.is_running():
            server.start()
        alone = try_lock(clients)
        idle = 0 if alone is None else idle + 1
        if alone is not None and idle < GRACE:
            os.close(alone)
    server.stop()


def detach() -> int:
    """Continue in a child that no terminal or parent can reach; return where to write how the start went.

    The parent waits for that text and exits with it: empty means success.
    """
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as report:
            sys.exit(report.read() or 0)
    os.close(reader)
    os.setsid()
    os.chdir("/")
    os.umask(0o077)  # only the owner may read the log
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    return writer


def main() -> None:
    """Supervise the server that standard input describes, unless another process already does."""
    task = Task(**json.load(sys.stdin))
    report = detach()
    if try_lock(Path(task.home, "supervisor.lock")) is None:
        return
    server = SupervisedServer(task)
    if not bring_up(server):
        os.write(report, b"PostgreSQL ended while it was starting.")
        return
    os.close(report)
    watch(server, Path(task.home, "clients.lock"))
    if Path(task.socket).parent != Path(task.data).parent:
        with suppress(OSError):
            Path(task.socket).rmdir()


if __name__ == "__main__":
    main()
