"""Account ids: one form for all spellings of an id, so that a limit counts them together.

Called by api, verification and fraud: wherever an account is counted or compared. Never stored: hashed at once.
"""

from __future__ import annotations

import re
import unicodedata

# Invisible characters: controls, zero-width characters, fillers, variation selectors, tags.
INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
# Case folding may leave what folds once more (a Greek iota subscript does); it is stable long before this many rounds.
MOST_FOLDS = 5


def normalise(account_id: str) -> str:
    """Return the form under which an account counts: NFKC, without case, trimmed. Empty if nothing visible is left."""
    if account_id.isascii() and account_id.isprintable():
        return account_id.strip().lower()
    for _ in range(MOST_FOLDS):
        plain = _fold(account_id)
        if plain == account_id:
            break
        account_id = plain
    return account_id


def _fold(text: str) -> str:
    visible = INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return unicodedata.normalize("NFKC", visible.casefold()).strip()
