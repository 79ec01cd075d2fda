"""What the gateway sends to a product's backend, as the OpenAPI file's `webhooks`: one for each type of event.

Called by document. All types share one schema, which has a component of its own: generators that know nothing of
webhooks make a type of it all the same.
"""

from __future__ import annotations

from typing import Any, get_args

from service.callbacks.message import TYPES, Ending, VerificationEvent

Json = dict[str, Any]

MEANS: dict[Ending, str] = {
    "verified": "The right code was entered.",
    "locked": "Five wrong codes were entered.",
    "expired": "It was not verified in time.",
    "canceled": "You canceled it, or an operator erased the number.",
}
HEADERS = (
    ("webhook-id", "Identifies the event: the same at each attempt.", "msg_01a2001c325a71f09c851a4935d9dd81"),
    ("webhook-timestamp", "When this attempt was made, in seconds since 1970.", "1769860867"),
    (
        "webhook-signature",
        "A signature for each secret in force, with spaces between them.",
        "v1,K5oZfzN95Z9UVu1EsfQmfVN=",
    ),
)
DESCRIPTION = (
    "Signed as Standard Webhooks define it: verify the body as it came with any of its packages, answer with 2xx "
    "within ten seconds, and do the work afterwards. What is not taken is tried again for three days. It says nothing "
    "that the status does not, and a decoy's is the same."
)


def describe_callbacks() -> Json:
    """Describe each type of event as a call that a product's backend answers."""
    return {TYPES[status]: {"post": _describe(status)} for status in get_args(Ending)}


def _describe(status: Ending) -> Json:
    example = {
        "type": TYPES[status],
        "timestamp": "2026-01-31T12:01:07.000000Z",
        "data": {"verification_id": "01a2001c-325a-71f0-9c85-1a4935d9dd81", "status": status},
    }
    schema = {"$ref": f"#/components/schemas/{VerificationEvent.__name__}"}
    return {
        "operationId": f"receive{status.capitalize()}",
        "tags": ["Callbacks"],
        "summary": f"A verification was {status}" if status != "expired" else "A verification has expired",
        "description": f"{MEANS[status]} {DESCRIPTION}",
        "parameters": [_header(*header) for header in HEADERS],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "examples": {status: {"value": example}}}},
        },
        "responses": {
            "2XX": {"description": "Taken."},
            "410": {"description": "Nothing more is to be sent: callbacks to this receiver are disabled."},
        },
        "security": [],
    }


def _header(name: str, means: str, example: str) -> Json:
    return {
        "name": name,
        "in": "header",
        "required": True,
        "description": means,
        "schema": {"type": "string", "examples": [example]},
    }
