"""Verifies a phone number: requests a code, checks what is typed until it is right, and shows how it ended.

`verify_gateway_client` is made from the gateway's OpenAPI file: see README.md.
"""

from __future__ import annotations

import os
import sys
from uuid import uuid4

from verify_gateway_client import AuthenticatedClient
from verify_gateway_client.api.verifications import read_verification, request_verification, verify_code
from verify_gateway_client.models import (
    ClosedProblem,
    CodeCheck,
    CodeChecked,
    InvalidProblem,
    LimitedProblem,
    Status,
    UnavailableProblem,
    VerificationAccepted,
    VerificationRequest,
    VerificationStatus,
)


def explain(problem: object) -> str:
    """Say what to tell the user. A field that a problem does not have is an error for mypy."""
    match problem:
        case LimitedProblem() | UnavailableProblem():
            return f"Please try again in {problem.retry_after} seconds."
        case InvalidProblem():
            return f"Please correct {' and '.join(problem.fields or ['the request'])}: {problem.detail}"
        case ClosedProblem():
            return f"This code is no longer valid ({problem.verification_status}). Request a new one."
    return "Something went wrong."


def main(phone_number: str) -> None:
    """Verify one number."""
    client = AuthenticatedClient(os.environ.get("GATEWAY_URL", "http://127.0.0.1:8080"), os.environ["GATEWAY_KEY"])
    # The user's address as your server sees it, and one key for each tap on the button, however often you retry.
    body = VerificationRequest(phone_number=phone_number, ip_address="203.0.113.9")
    requested = request_verification.sync(client=client, body=body, idempotency_key=str(uuid4()))
    if not isinstance(requested, VerificationAccepted):
        print(explain(requested))
        return
    print(requested.message, flush=True)

    for code in map(str.strip, sys.stdin):
        checked = verify_code.sync(requested.id, client=client, body=CodeCheck(code))
        if not isinstance(checked, CodeChecked):
            print(explain(checked), flush=True)
            continue
        if checked.verified or checked.status == Status.LOCKED:
            break
        print(f"Not right: {checked.attempts_remaining} attempts left.", flush=True)
    read = read_verification.sync(requested.id, client=client)
    print(read.status if isinstance(read, VerificationStatus) else explain(read))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "+13125550142")
