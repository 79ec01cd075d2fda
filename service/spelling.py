"""How people write digits: which characters around and between them mean nothing, and may be dropped.

Called by phone, for numbers, and by api, for codes. Guesses nothing: a character that could mean something is refused.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

# What a character is, for whoever reads digits. `mark`: has no width, such as the direction marks that phones put
# around a copied number. `break`: may also stand between a number and an extension, or between two numbers.
Sort = Literal["digit", "plus", "mark", "space", "dash", "dot", "bracket", "break"]

_PLUS = "+\uff0b\ufe62"
_DOTS = ".\u00b7\u2022\u2024\u2027\u2219\u22c5\u3002\u30fb\uff0e\uff61\uff65_'\"`"
# Minus, hyphen bullet, the long vowel of Japanese keyboards; all others are of category Pd.
_DASHES = "\u2212\u2043\u30fc\uff70"
_BREAKS = ",\u060c\u3001\uff0c/\u2044\u2215\uff0f~\u2053\u223c\u301c\uff5e\n\r\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029"
# What is never seen and of no category that says so: the grapheme joiner, fillers, variation selectors.
_UNSEEN = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0" + "".join(
    map(chr, range(0xFE00, 0xFE10))
)

_BY_CHARACTER: dict[str, Sort] = {
    **dict.fromkeys(_PLUS, "plus"),
    **dict.fromkeys(_DOTS, "dot"),
    **dict.fromkeys(_DASHES, "dash"),
    **dict.fromkeys(_BREAKS, "break"),
    **dict.fromkeys(_UNSEEN, "mark"),
    **dict.fromkeys("\t\u2800", "space"),
}
_BY_CATEGORY: dict[str, Sort] = {
    "Nd": "digit", "Cf": "mark", "Zs": "space", "Pd": "dash", "Ps": "bracket", "Pe": "bracket", "Pi": "dot",
    "Pf": "dot",
}  # fmt: skip


@lru_cache(maxsize=1024)
def sort_of(character: str) -> Sort | None:
    """Say what a character is; None for one that belongs to no number and no code."""
    return _BY_CHARACTER.get(character) or _BY_CATEGORY.get(unicodedata.category(character))


def sort(text: str) -> Iterator[tuple[Sort | None, str]]:
    """Yield what each character is, and the character, with digits of any script as 0 to 9."""
    for character in text:
        found = sort_of(character)
        yield found, str(unicodedata.decimal(character)) if found == "digit" else character


def read_code(text: str, length: int) -> str | None:
    """Read a code as typed or pasted; None for what is no code.

    iOS may fill a code in twice: twice `length` digits, both halves alike, are one code.
    """
    seen = [(found, character) for found, character in sort(text) if found not in ("mark", "space")]
    inner = seen[1:] if seen[:1] and seen[0][0] == "plus" else seen
    if any(found in (None, "plus", "bracket") or (found == "break" and not one.isspace()) for found, one in inner):
        return None
    if inner[:1] and inner[0][0] == "dash":
        return None
    code = "".join(character for found, character in inner if found == "digit")
    half = code[: len(code) // 2]
    return half if len(half) == length and code == half * 2 else code
