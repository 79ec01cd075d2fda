"""A client's share in an embedded server: while one is held, the server is up.

Called through the package. A share is a lock that the kernel releases when its holder ends, so nothing has to be
cleaned up after a SIGKILL; the supervisor, a separate process, starts and stops the server.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from urllib.parse import quote

from service.db.embedded import supervisor
from service.db.embedded.cluster import make_cluster, make_socket_directory
from service.db.embedded.installation import EmbeddedServerError, find_account, find_installation, settle

PORT = "5432"  # appears only in the socket's file name
START_LIMIT = 60.0  # seconds; a start can include recovery after a crash
PAUSE = 0.01  # seconds between two looks whether the server is up
LOOK = 1.0  # seconds between two looks whether the supervisor lives
SETTINGS = {
    "jit": "off",
    "log_checkpoints": "off",
    "log_error_verbosity": "terse",  # without the DETAIL line, which contains values of rows
    "max_wal_senders": "0",
    "timezone": "UTC",
    "wal_level": "minimal",
}


def start(home: Path, *, settings: Mapping[str, str] | None = None) -> ServerShare:
    """Return a share in the server in `home`, which is made and started if necessary.

    `settings` are PostgreSQL's (`fsync` and so on); they apply only if this call starts the server. Blocks for about a
    second in a new home, a fifth of one to start the server, less to join it.
    Raises EmbeddedServerError.
    """
    home = home.expanduser().resolve()
    try:
        home.mkdir(mode=0o711, parents=True, exist_ok=True)
        _refuse_shared(home)
        return ServerShare(home, {**SETTINGS, **(settings or {})})
    except OSError as error:
        raise EmbeddedServerError(f"{home} cannot be PostgreSQL's home: {error}.") from error


def _refuse_shared(home: Path) -> None:
    """Raise if another user could replace our server by one of theirs."""
    status = home.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o002:
        raise EmbeddedServerError(f"{home} belongs to, or can be written by, somebody else; choose another directory.")


class ServerShare:
    """A share in a running server, held until `release` or the end of the process."""

    def __init__(self, home: Path, settings: Mapping[str, str]) -> None:
        self.home = home
        self._settings = settings
        self._released = threading.Event()
        self._share = supervisor.open_lock(home / "clients.lock")
        with ExitStack() as undo:
            # Of a start that failed or was interrupted: a share that nobody holds would keep the server up.
            undo.callback(self.release)
            fcntl.flock(self._share, fcntl.LOCK_SH)  # waits while a supervisor is stopping the server
            self._bring_up()
            undo.pop_all()
        threading.Thread(target=self._keep_supervised, name="embedded-server", daemon=True).start()

    def url(self, database: str = "verify") -> str:
        """Return the URL of `database`, which is created if it does not exist."""
        server = ("-h", self._socket, "-p", PORT, "-U", "app")
        probe = ("psql", *server, "-X", "-d", database, "-c", "")
        if self._installation.run(*probe).returncode:
            made = self._installation.run("createdb", *server, database)
            if self._installation.run(*probe).returncode:  # unless another process has made it meanwhile
                raise EmbeddedServerError(f"The database {database} cannot be made: {made.stderr.strip()}")
        return f"postgresql+asyncpg://app@/{quote(database, safe='')}?host={quote(str(self._socket))}&port={PORT}"

    def release(self) -> None:
        """Release the share. Half a second after the last one is released, the server is stopped."""
        if not self._released.is_set():
            self._released.set()
            os.close(self._share)

    def _bring_up(self) -> None:
        """Make sure that the server is supervised and up. One process at a time does this."""
        with _turn(self.home / "start.lock") as turn:
            account = find_account()
            self._place = settle(self.home, account)
            self._installation = find_installation(self._place, account)
            self._socket = make_socket_directory(self._place, account)
            make_cluster(self._place / "data", self._installation, turn)
            deadline = time.monotonic() + START_LIMIT
            while not (self._is_supervised() and self._is_up()):
                if time.monotonic() > deadline:
                    raise self._say_silent()
                if not self._is_supervised():
                    self._start_supervisor()
                time.sleep(PAUSE)

    def _keep_supervised(self) -> None:
        """Replace a killed supervisor for as long as we hold our share."""
        while not self._released.wait(LOOK):
            if not self._is_supervised():
                with suppress(
                    EmbeddedServerError, OSError
                ):  # tried again a second later; meanwhile queries report the outage
                    self._bring_up()

    def _is_supervised(self) -> bool:
        free = supervisor.try_lock(self.home / "supervisor.lock")
        if free is not None:
            os.close(free)
        return free is None

    def _is_up(self) -> bool:
        return self._installation.run("pg_isready", *self._probe()).returncode == 0

    def _probe(self) -> list[str]:
        return ["-q", "-h", str(self._socket), "-p", PORT, "-U", "app", "-d", "postgres"]

    def _start_supervisor(self) -> None:
        task = self._describe_task()
        # The home is an argument for whoever reads a list of processes.
        command = [sys.executable, "-I", "-S", supervisor.__file__, task.home]
        try:
            started = subprocess.run(
                command, input=json.dumps(asdict(task)), capture_output=True, text=True, check=False,
                timeout=START_LIMIT,
            )  # fmt: skip
        except (
            subprocess.TimeoutExpired
        ) as error:  # a server of an earlier run stands still; its supervisor keeps waiting
            raise self._say_silent() from error
        if started.returncode:
            log = Path(task.log).read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
            raise EmbeddedServerError("\n".join([started.stderr.strip(), *log]))

    def _say_silent(self) -> EmbeddedServerError:
        return EmbeddedServerError(f"PostgreSQL does not answer; see {self.home / 'server.log'}.")

    def _describe_task(self) -> supervisor.Task:
        programs, account = self._installation.programs, self._installation.account
        data = str(self._place / "data")
        fixed = {"listen_addresses": "", "unix_socket_directories": str(self._socket), "port": PORT}
        options = [f"--{name}={value}" for name, value in {**self._settings, **fixed}.items()]
        return supervisor.Task(
            home=str(self.home),
            data=data,
            socket=str(self._socket),
            log=str(self.home / "server.log"),
            command=[str(programs / "postgres"), "-D", data, *options],
            probe=[str(programs / "pg_isready"), *self._probe()],
            identity=account.identity if account else {},
        )


@contextmanager
def _turn(path: Path) -> Iterator[int]:
    """Hold the lock at `path`, and yield its descriptor."""
    descriptor = supervisor.open_lock(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
