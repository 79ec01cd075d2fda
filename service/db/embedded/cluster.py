"""What one server has on disk: its data directory and its socket's directory.

Called by the launcher under its lock. Both belong only to the server's account (mode 0700): the socket's directory is
all that protects a database without passwords from other users of this machine.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

from service.db.embedded.installation import Account, EmbeddedServerError, Installation

PRIVATE = 0o700
LONGEST_SOCKET_DIRECTORY = 80  # bytes: a socket's whole path has 103 on macOS, 107 on Linux


def make_cluster(data: Path, installation: Installation, turn: int) -> None:
    """Make the data directory, completely or not at all.

    `turn` is the launcher's lock. initdb inherits it, so that it is held until initdb has ended even if the launcher is
    killed.
    """
    if data.exists():
        return
    # Renamed only when it is complete: half a data directory would be taken for a whole one, and never start.
    draft = data.with_name("data.draft")
    shutil.rmtree(draft, ignore_errors=True)
    _make_private(draft, installation.account)
    made = installation.run(
        "initdb", "-D", draft, "-U", "app", "--auth=trust", "--encoding=UTF8", "--locale=C", pass_fds=(turn,)
    )
    if made.returncode:
        raise EmbeddedServerError(f"PostgreSQL's data directory cannot be made in {data.parent}: {made.stderr.strip()}")
    draft.rename(data)


def make_socket_directory(place: Path, account: Account | None) -> Path:
    """Make the socket's directory: `place`/socket, or what that points to.

    It points to a directory with a random name below /tmp if its own path is too long for a socket, or contains the
    comma that separates hosts in a URL. That directory is reused only while it is ours.
    """
    directory = place / "socket"
    if len(os.fsencode(directory)) <= LONGEST_SOCKET_DIRECTORY and "," not in str(directory):
        if not directory.exists():
            _make_private(directory, account)
        return directory
    if not _is_private(directory.resolve(), account):
        # Whoever owns the old target could answer in the server's place: names below /tmp are anybody's to take.
        directory.unlink(missing_ok=True)
        drawn = Path(tempfile.mkdtemp(prefix="verify-gateway-", dir="/tmp"))
        _give(drawn, account)
        directory.symlink_to(drawn)
    return directory.resolve()


def _make_private(directory: Path, account: Account | None) -> None:
    directory.mkdir(mode=PRIVATE)
    _give(directory, account)


def _give(path: Path, account: Account | None) -> None:
    if account:
        os.chown(path, account.uid, account.gid)


def _is_private(directory: Path, account: Account | None) -> bool:
    try:
        # Not `stat`: a link put in its place by another user must not pass as ours.
        status = directory.lstat()
    except FileNotFoundError:
        return False
    owner = account.uid if account else os.geteuid()
    return stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == PRIVATE and status.st_uid == owner
