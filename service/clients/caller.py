"""The client behind a request's API key.

Made by authenticator; read by api, verification and operators. Holds no key: only the id of the one that was used.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, get_args

import msgspec

from service.policy.model import Policy

# What a key opens: the product calls, the operator's and the metrics, or the metrics alone.
Scope = Literal["verify", "operator", "metrics"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


class Caller(msgspec.Struct, frozen=True):
    """A client behind one of its keys, and the policy in force for it. `ends_at`: when the key ends.

    `observed_until`: for what is requested before, its rules only observe.
    """

    key_id: int
    client_id: int
    client: str
    test: bool
    scope: Scope
    policy: Policy
    ends_at: datetime | None = None
    observed_until: datetime | None = None
