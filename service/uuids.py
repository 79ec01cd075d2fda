"""UUIDs as others write them: what is one, before it goes into a path, a setting or a table.

Called by settings, policy and providers. Makes none: our own ids are vault's.
"""

from __future__ import annotations

import re

UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def is_uuid(text: str) -> bool:
    """Say whether a text is a UUID, written out with its hyphens and with nothing around it."""
    return UUID.fullmatch(text) is not None
