"""What is wrong with a body that does not fit its struct: every field at once, each with a sentence.

Called by bodies and request_body. Repeats nothing that was sent, except a field's name that is clearly a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import msgspec

from service.api.problems import Invalid
from service.policy.values import list_choices

# A field, or None for one whose name is not repeated, and what is wrong with it.
Mistake = tuple[str | None, str]
# Lists the fields that are missing beyond those that the struct requires, given the names of those that came. A body
# with nothing else missing is asked for them once it can be read.
ListMissing = Callable[[Collection[str]], Iterable[Mistake]]

REQUIRED = "The field is required."
UNKNOWN = "There is no such field."
NOT_ALLOWED = "The value is not one that is allowed here."
# A name contains no digit: a number or a key that was sent as a field's name is not repeated.
NAME = re.compile(r"[A-Za-z_]{1,40}")
PLACE = re.compile(r" - at `\$\.([A-Za-z_]{1,40})[^`]*`$")
CLEAR = re.compile(r"Expected `[\w |]+`(, got `\w+`| of length [<>]= \d+)")
# A body of 64 KiB holds thousands of unknown fields; nobody reads about more than these.
MOST_NAMED = 20


def explain(kind: type[msgspec.Struct], body: bytes, text: str, list_missing: ListMissing) -> Invalid:
    """Explain a body that msgspec refused for `text`, its word on the first mistake."""
    try:
        given = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    # No object, or one that cannot be looked at whole: too deep, or broken behind the first mistake.
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        place = PLACE.search(text)
        return Invalid(*([place[1]] if place else []), detail=_clarify(text, kind))
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    required = [name for name, field in fields.items() if field.required]
    mistakes: list[Mistake] = [(name, REQUIRED) for name in required if name not in given]
    if mistakes:
        mistakes += list_missing({name for name, raw in given.items() if bytes(raw) != b"null"})
    for name, raw in given.items():
        if name in fields:
            mistakes += [(name, _clarify(said, fields[name].type)) for said in _refusals(raw, fields[name].type)]
        elif kind.__struct_config__.forbid_unknown_fields:
            mistakes.append((name if NAME.fullmatch(name) else None, UNKNOWN))
    return summarise(mistakes) if mistakes else Invalid(detail=_clarify(text, kind))


def summarise(mistakes: list[Mistake]) -> Invalid:
    """Name the fields in one problem, with one sentence for those that have the same mistake."""
    named = [name for name, _ in mistakes if name][:MOST_NAMED]
    sentences: dict[str, list[str]] = {}
    for name, sentence in mistakes:
        sentences.setdefault(sentence, []).extend([name] if name in named else [])
    if len(mistakes) == 1:
        return Invalid(*named, detail=mistakes[0][1])
    parts = [
        f"{', '.join(names)}: {sentence[0].lower()}{sentence[1:]}" if names else sentence
        for sentence, names in sentences.items()
    ]
    return Invalid(*named, detail=" ".join(parts))


def _refusals(raw: msgspec.Raw, kind: Any) -> Iterator[str]:
    try:
        msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        yield str(error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        yield ""


def _clarify(text: str, kind: Any) -> str:
    if text.startswith("Invalid enum value") and (choices := list_choices(kind)):
        return f"One of {', '.join(choices)}."
    clear = CLEAR.match(text)
    return f"{clear[0]}." if clear else NOT_ALLOWED
