"""Check what production installs for published vulnerabilities, and say so if that could not be done.

Called by `make audit`, and so by .ci/run. Must never pass off "could not look" as "found nothing".
Exit status: 0 nothing known, or the data could not be reached (which is printed); 1 something is known.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-build.lock")
LIMIT = 120  # seconds for one lock: a service that hangs is one that could not be reached


def ask(lock: str) -> list[dict[str, object]] | None:
    """Return what pip-audit says of each package of a lock; None when it could not say anything."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off"]
    try:
        done = subprocess.run(
            [*command, "--format", "json", "-r", lock],
            cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=LIMIT,
        )  # fmt: skip
        packages: list[dict[str, object]] = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return None
    return packages


def main() -> int:
    """Print what is known, package by package, and what could not be looked up."""
    known = 0
    for lock in LOCKS:
        packages = ask(lock)
        if packages is None:
            print(f"audit: {lock}: NOT CHECKED, the data on vulnerabilities could not be reached.")
            continue
        skipped = [package["name"] for package in packages if "skip_reason" in package]
        if skipped:
            print(f"audit: {lock}: {len(skipped)} of {len(packages)} packages NOT CHECKED, no data could be reached.")
        for package in packages:
            for flaw in package.get("vulns") or []:
                known += 1
                fixes = f"{flaw['id']}, fixed in {flaw['fix_versions']}"
                print(f"audit: {lock}: {package['name']} {package['version']}: {fixes}")
        if not skipped and not known:
            print(f"audit: {lock}: {len(packages)} packages, nothing known.")
    return int(known > 0)


if __name__ == "__main__":
    sys.exit(main())
