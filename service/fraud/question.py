"""The question of one send: to whom, by which channel, and what its request brought.

Made by verification.sends.deciding; read by fraud.judge and fraud.gathering. Values only.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import msgspec

from service.channels import Channel
from service.fraud.facts import CaptchaState


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a code may go to this number, by this channel, for this request.

    `network`: what counts as one address. `asked_at`: when the request came, from which an event's age is counted.
    `captcha`: the token's result in an earlier send; `captcha_begun`: an earlier send may have spent the token, and the
    result was lost.
    `counts`: whether it may become a send at all; a decoy is weighed, and leaves no trace. `waived`: the rules (and
    "limits", for all of them) that an operator waived for this number. `observed`: rules only observe; limits hold.
    """

    id: UUID
    ordinal: int
    client_id: int
    phone_hash: UUID
    phone_number: str
    channel: Channel
    asked_at: datetime
    counts: bool
    ip_address: str | None = None
    network: str | None = None
    account_id: str | None = None
    event_id: str | None = None
    sealed_result: str | None = None
    captcha_token: str | None = None
    captcha: CaptchaState | None = None
    captcha_begun: bool = False
    waived: Collection[str] = ()
    observed: bool = False
