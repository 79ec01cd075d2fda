"""The schemas of the OpenAPI file, shaped so that every generator makes the types that a person would have written.

Called by document. Shapes what msgspec says of the structs, and says of each kind of problem what it carries; adds no
field and no rule of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from service.api.openapi.wording import NAMED, RULES
from service.api.problems import BASE, Problem, ProblemKind

Json = dict[str, Any]
Schemas = dict[str, Json]

PLACE = "#/components/schemas/"
NULL = {"type": "null"}
# What belongs to a field; the rest of a named schema is its component's.
OF_FIELD = ("description", "examples")


def describe_structs(taken: Iterable[type[msgspec.Struct]], given: Iterable[type[msgspec.Struct]]) -> Schemas:
    """Describe the structs that calls take and give, with everything that they hold."""
    described: Schemas = {}
    # Apart: what the gateway gives has all of its fields, those too that have a default in the struct.
    for structs, whole in ((taken, False), (given, True)):
        ordered = sorted(structs, key=lambda struct: struct.__name__)
        _, schemas = msgspec.json.schema_components(ordered, ref_template=f"{PLACE}{{name}}")
        for name, schema in schemas.items():
            required = _list_given(schema) if whole else schema["required"]
            _name_enumerations(name, schema)
            shaped = {
                word: _shape(value, described)
                for word, value in schema.items()
                if word != "title" or isinstance(value, dict)
            }
            described[name] = shaped | {"required": required} | RULES.get(name, {})
    return described


def _list_given(schema: Json) -> list[str]:
    """List the fields that a reply always has: all but those that are unset, which have no default to write down."""
    return [name for name, field in schema["properties"].items() if name in schema["required"] or "default" in field]


def describe_problems(kinds: Iterable[ProblemKind]) -> Schemas:
    """Describe each kind of problem, and the union of all."""
    described: Schemas = {}
    _, schemas = msgspec.json.schema_components([Problem], ref_template=f"{PLACE}{{name}}")
    words = {name: _shape(_unless_null(field), described) for name, field in schemas["Problem"]["properties"].items()}
    ordered = sorted(kinds, key=lambda kind: (kind.status, kind.name))
    described.update({name_problem(kind): _describe_problem(kind, words) for kind in ordered})
    union = {"description": "An error. `type` is stable: switch on it, not on the texts."}
    return described | {"Problem": union | unite(ordered)}


def unite(kinds: Iterable[ProblemKind]) -> Json:
    """Return the schema of one of some kinds of problem, told apart by `type`."""
    places = {BASE + kind.name: PLACE + name_problem(kind) for kind in kinds}
    refs = [{"$ref": place} for place in places.values()]
    return refs[0] if len(refs) == 1 else {"oneOf": refs, "discriminator": {"propertyName": "type", "mapping": places}}


def name_problem(kind: ProblemKind) -> str:
    """Name the component of a kind of problem."""
    return f"{camel(kind.name)}Problem"


def camel(name: str) -> str:
    """Write a name with dashes as generators write types."""
    return "".join(part.capitalize() for part in name.split("-"))


def _describe_problem(kind: ProblemKind, words: Schemas) -> Json:
    names = ["type", "title", "status", "detail", *kind.members]
    properties = {name: words[name] for name in names}
    for name, value in {"type": BASE + kind.name, "status": kind.status}.items():
        described = {word: known for word, known in words[name].items() if word in ("type", "description")}
        properties[name] = described | {"const": value}
    for name, text in {"title": kind.title, "detail": kind.detail}.items():
        properties[name] = words[name] | {"examples": [text]}
    # What is wrong does not always have a field: it may be the whole body.
    required = [name for name in names if name != "fields"]
    return {"description": f"{kind.title}.", "type": "object", "properties": properties, "required": required}


def _name_enumerations(struct: str, schema: Json) -> None:
    """Name each enumeration that has no title after its struct and field."""
    for field, node in schema["properties"].items():
        for one in (node, node.get("items", {}), *node.get("anyOf", [])):
            if len(one.get("enum", ())) > 1:
                one.setdefault("title", struct + camel(field.replace("_", "-")))


def _shape(node: Any, described: Schemas) -> Any:
    """Shape a schema and what it holds: no defaults, null as a type, and a component for whatever has a title."""
    if isinstance(node, list):
        return [_shape(one, described) for one in node]
    if not isinstance(node, dict):
        return node
    if "anyOf" in node:
        return _shape_nullable(node, described)
    # openapi-typescript makes a field with a default a required one; what is left out means is said in words.
    shaped = {word: _shape(value, described) for word, value in node.items() if not _is_left_out(word, value)}
    if "pattern" in shaped:
        # Python's end of a text; its own $ also matches before a last line break, that of other engines does not.
        shaped["pattern"] = shaped["pattern"].replace(r"\Z", "$")
    if len(shaped.get("enum", ())) == 1:
        (shaped["const"],) = shaped.pop("enum")
    if shaped.get("type") == "object" and "properties" not in shaped:
        shaped["additionalProperties"] = True  # openapi-typescript takes it for an empty object otherwise
    if isinstance(name := node.get("title"), str):
        own = {word: shaped.pop(word) for word in OF_FIELD if word in shaped}
        described[name] = {"description": NAMED.get(name, own.get("description", "")), **shaped}
        return {"$ref": PLACE + name, **own}
    return shaped


def _is_left_out(word: str, value: object) -> bool:
    """Say whether this is no part of the file: a default, or a title (but a field may be called so)."""
    return word == "default" or (word == "title" and isinstance(value, str))


def _shape_nullable(node: Json, described: Schemas) -> Json:
    shaped: Json = _shape(_unless_null(node), described)
    if "type" in shaped:
        return shaped | {"type": [shaped["type"], "null"]}
    # The words stand at the field, where generators look.
    own = {word: shaped.pop(word) for word in OF_FIELD if word in shaped}
    return {"anyOf": [shaped, NULL], **own}


def _unless_null(field: Json) -> Json:
    """Return the one choice beside null, with what is said of the field."""
    if "anyOf" not in field:
        return field
    (choice,) = (one for one in field["anyOf"] if one != NULL)
    merged: Json = {word: value for word, value in field.items() if word != "anyOf"} | choice
    return merged
