"""The parts of the OpenAPI file that come from no route and no struct: head, headers, parameters, authentication.

Read by document. Texts only; says nothing that the app does not do.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

SECONDS: Json = {"type": "integer", "minimum": 1, "examples": [30]}
REQUEST_ID = "01a2001c325a71f0"

HEAD: Json = {
    "info": {
        "title": "verify-gateway",
        "summary": "Phone verification whose replies reveal nothing about a number.",
        "description": "Request a verification of a phone number, check its code, read its status. "
        "Replies never reveal whether a number exists, is blocked, or was sent a code. "
        "Errors are RFC 9457 problem+json with a stable `type`; every reply carries `X-Request-Id`.",
        "contact": {"name": "Whoever runs this gateway"},
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    },
    "servers": [{"url": "/", "description": "Wherever this gateway is served."}],
    "tags": [
        {"name": "Verifications", "description": "For product backends."},
        {"name": "Callbacks", "description": "From the gateway to a product's backend, where an operator has set one."},
        {"name": "Operators", "description": "For those who run the gateway: with keys of the scope operator only."},
        {"name": "Telnyx", "description": "For Telnyx only."},
        {"name": "Health", "description": "For whatever runs the gateway."},
    ],
}
COMPONENTS: Json = {
    "securitySchemes": {
        "apiKey": {
            "type": "http",
            "scheme": "bearer",
            "description": "A key made by `verify-gateway keys create NAME`; for operators, with `--scope operator`. "
            "A key of the wrong scope is answered 403.",
        }
    },
    "headers": {
        "X-Request-Id": {
            "description": "Identifies this reply in the gateway's log.",
            "required": True,
            "schema": {"type": "string", "pattern": "^[0-9a-f]{16}$", "examples": [REQUEST_ID]},
        },
        "Retry-After": {"description": "Seconds to wait.", "required": True, "schema": SECONDS},
        "Retry-After-If-Any": {"description": "Seconds to wait, if waiting helps.", "schema": SECONDS},
        "Idempotent-Replayed": {
            "description": "Present when this repeats the reply to an earlier call: one with the same Idempotency-Key, "
            "or the first of two taps.",
            "schema": {"type": "string", "const": "true", "examples": ["true"]},
        },
        "WWW-Authenticate": {
            "description": "How to authenticate.",
            "required": True,
            "schema": {"type": "string", "const": "Bearer", "examples": ["Bearer"]},
        },
    },
}
PARAMETERS: dict[str, Json] = {
    "verification_id": {
        "name": "verification_id",
        "in": "path",
        "required": True,
        "description": "The id that was returned when the verification was requested.",
        "schema": {"type": "string", "format": "uuid", "examples": ["01a2001c-325a-71f0-9c85-1a4935d9dd81"]},
    },
    "block_id": {
        "name": "block_id",
        "in": "path",
        "required": True,
        "description": "The block's id in the list.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 2147483647, "examples": [17]},
    },
    "exemption_id": {
        "name": "exemption_id",
        "in": "path",
        "required": True,
        "description": "The exemption's id in the list.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 2147483647, "examples": [3]},
    },
    "review_number_id": {
        "name": "review_number_id",
        "in": "path",
        "required": True,
        "description": "The review number's id in the list.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 2147483647, "examples": [1]},
    },
    "window": {
        "name": "window",
        "in": "query",
        "required": False,
        "description": "How far back from now: a whole number and s, m, h or d, at most 24h; 1h if left out.",
        "schema": {"type": "string", "pattern": "^[1-9][0-9]{0,5}[smhd]$", "examples": ["1h"]},
    },
    "activity_window": {
        "name": "window",
        "in": "query",
        "required": False,
        "description": "How far back: the minutes of an hour, the hours of a day, or the days of a month.",
        "schema": {"type": "string", "enum": ["1h", "24h", "30d"], "examples": ["24h"]},
    },
    "backtest_id": {
        "name": "backtest_id",
        "in": "path",
        "required": True,
        "description": "The id that was returned when the backtest was started.",
        "schema": {"type": "string", "format": "uuid", "examples": ["01a2001c-325a-71f0-9c85-1a4935d9dd81"]},
    },
    "ledger_window": {
        "name": "window",
        "in": "query",
        "required": False,
        "description": "How far back from now: a whole number and s, m, h or d, at most 92d; 1d if left out.",
        "schema": {"type": "string", "pattern": "^[1-9][0-9]{0,5}[smhd]$", "examples": ["7d"]},
    },
    "limit": {
        "name": "limit",
        "in": "query",
        "required": False,
        "description": "How many at most; 500 if left out.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 500, "examples": [50]},
    },
    "cursor": {
        "name": "cursor",
        "in": "query",
        "required": False,
        "description": "The next_cursor of the page before. Without it the list begins.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,600}$", "examples": ["WzQyXQ"]},
    },
    "open": {
        "name": "open",
        "in": "query",
        "required": False,
        "description": "true: only those that are open; false: only those that are over.",
        "schema": {"type": "boolean", "examples": [True]},
    },
    "key_id": {
        "name": "key_id",
        "in": "path",
        "required": True,
        "description": "The key's id in the list.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 2147483647, "examples": [2]},
    },
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "Up to 255 visible ASCII characters of your choice. For 24 hours the same call with the same "
        "key is done once, and gets the same reply.",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": "^[\\x21-\\x7e]+$",
            "examples": ["6f8c0a52-checkout-4711"],
        },
    },
    "X-Explain": {
        "name": "X-Explain",
        "in": "header",
        "required": False,
        "description": "true, with a test client's key: the verification's status then has `decision`, which says why "
        "its number gets a code or none. With a production key it does nothing.",
        "schema": {"type": "string", "examples": ["true"]},
    },
}
# What is said of the components that are no structs: enumerations, and objects without fields of their own.
NAMED: dict[str, str] = {
    "BlockKind": "What a block is on.",
    "Channel": "How a code goes out.",
    "KeyScope": "What a key opens.",
    "RuleMode": "What becomes of a send to which a rule objects.",
    "RuleName": "A rule, or a budget, which can suppress like one.",
    "EndedStatus": "How a verification has ended.",
    "SendFacts": "What the rules saw of a send, by its kind.",
    "VerificationEventType": "What a callback tells.",
    "Status": "A verification's status: pending, until it has ended in one of the other ways.",
}
# What a struct cannot say of its fields together. Generators ignore it; validators do not.
RULES: dict[str, Json] = {
    "VerificationRequest": {
        # Also true where there is no ip_address: null is as good as nothing.
        "if": {"properties": {"ip_address": {"type": "null"}}},
        "then": {"properties": {"account_id": {"type": "string"}}, "required": ["account_id"]},
    }
}
