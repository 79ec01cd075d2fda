"""A promise that was not kept, once: made by the checks, printed by report."""

from __future__ import annotations

import msgspec


class Imbalance(msgspec.Struct, frozen=True):
    """One case. `verification` and `phone` lead to its calls, rows and sends, as far as they are known.

    `documented`: where the documents say that this can happen, and it did happen as they say.
    """

    text: str
    verification: str | None = None
    phone: str | None = None
    documented: str = ""
