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
CLEAR = re.compile(r"Expected `(?P<kinds>[\w |]+)`(, got `(?P<got>\w+)`| of length (?P<sign>[<>])= (?P<length>\d+))")
# msgspec speaks of Python's types; whoever reads this may write in any language.
KINDS = {
    "str": "a string", "int": "a whole number", "float": "a number", "bool": "true or false", "array": "an array",
    "object": "an object",
}  # fmt: skip
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
    # Where null is refused, it is as good as nothing: a body of nulls hears of all of them at once too.
    missing = [
        name
        for name, field in fields.items()
        if field.required and (name not in given or (_is_null(given[name]) and any(_refusals(given[name], field.type))))
    ]
    mistakes: list[Mistake] = [(name, REQUIRED) for name in missing]
    if mistakes:
        mistakes += list_missing({name for name, raw in given.items() if not _is_null(raw)})
    for name, raw in given.items():
        if name in missing:
            continue
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


def _is_null(raw: msgspec.Raw) -> bool:
    return bytes(raw) == b"null"


def _refusals(raw: msgspec.Raw, kind: Any) -> Iterator[str]:
    try:
        msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        yield str(error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        yield ""


def _clarify(text: str, kind: Any) -> str:
    # A field of a few words has them named, whether what came is another word or no word at all.
    if text.startswith(("Invalid enum value", "Expected `str")) and (choices := list_choices(kind)):
        return f"One of {', '.join(choices)}."
    clear = CLEAR.match(text)
    if clear is None:
        return NOT_ALLOWED
    if clear["length"]:
        counted = "entries" if clear["kinds"] == "array" else "characters"
        return f"At {'most' if clear['sign'] == '<' else 'least'} {clear['length']} {counted}."
    expected = " or ".join(KINDS.get(one, one) for one in clear["kinds"].split(" | "))
    return f"Expected {expected}, got {KINDS.get(clear['got'], clear['got'])}."
