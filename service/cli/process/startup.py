"""What a process logs when it starts: one line that says what it is, and a warning for each unsafe setting.

Called by serving, once for all workers. Never logs a secret value.
"""

from __future__ import annotations

import os
from importlib.metadata import version

from service import telemetry
from service.cli.process.safety import find_unknown, find_unsafe
from service.policy.model import Policies
from service.settings import Settings


def announce(settings: Settings, policies: Policies, *, schema: str, workers: int, address: str | None) -> None:
    """Log the line and the warnings. `address`: where the process listens, None if it does not."""
    telemetry.log.info(
        "starting", version=version("verify-gateway"), address=address, schema=schema, workers=workers,
        policy=policies.default.version,
    )  # fmt: skip
    for unsafe in find_unsafe(settings):
        telemetry.log.warning("unsafe", setting=unsafe.setting, risk=unsafe.risk, remedy=unsafe.remedy)
    for name in find_unknown(os.environ):
        telemetry.log.warning(
            "unknown_setting",
            setting=name,
            remedy="Correct or remove it: there is no setting of this name.",
        )
