"""What the phones of the sandbox have received: the codes, on a page and as JSON.

Read by people, by the demo page and by tests. It shows numbers and codes in clear text, so nothing but the sandbox may
ever serve it.
"""

from __future__ import annotations

import html
from pathlib import Path

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from service.sandbox.pages import create_page
from service.sandbox.telnyx.service import SimulatedTelnyx
from service.sandbox.telnyx.state import TelnyxVerification

_SHOWN = 100
_PAGE = Path(__file__).with_name("inbox.html").read_text(encoding="utf-8")


class InboxMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One send as the phone sees it. `code` is None until it has arrived; `caller` is a flashcall's calling number."""

    id: str
    sent_at: str
    phone_number: str
    channel: str
    state: str
    code: str | None
    caller: str | None


class Search(msgspec.Struct, frozen=True):
    """Whose messages to list; in a body, because numbers do not belong in URLs."""

    phone_number: str


def describe_message(verification: TelnyxVerification) -> InboxMessage:
    """Return a verification as a message."""
    arrived = verification.arrived()
    waiting = "never arrives" if verification.outcome == "undelivered" else "on its way"
    return InboxMessage(
        id=verification.id,
        sent_at=verification.created_at,
        phone_number=verification.phone_number,
        channel=verification.type,
        state="received" if arrived else waiting,
        code=verification.code if arrived else None,
        caller=verification.caller if arrived else None,
    )


@get("/inbox.json", sync_to_thread=False)
def list_messages(telnyx: NamedDependency[SimulatedTelnyx]) -> list[InboxMessage]:
    """Return the newest messages of all phones, newest first."""
    return [describe_message(one) for one in telnyx.verifications.list_newest(_SHOWN)]


@post("/control/inbox", status_code=200, sync_to_thread=False)
def search_messages(data: JSONBody[Search], telnyx: NamedDependency[SimulatedTelnyx]) -> list[InboxMessage]:
    """Return the messages of one phone, newest first."""
    return [describe_message(one) for one in telnyx.verifications.list_by_phone(data.phone_number)]


@get("/inbox", sync_to_thread=False)
def show_inbox(telnyx: NamedDependency[SimulatedTelnyx]) -> Response[str]:
    """Return the page, which reloads itself every two seconds."""
    messages = [describe_message(one) for one in telnyx.verifications.list_newest(_SHOWN)]
    rows = "\n".join(_write_row(message) for message in messages)
    empty = "" if rows else '<p class="empty">Nothing yet. Request a verification and its code appears here.</p>'
    return create_page(_PAGE.replace("{{empty}}", empty).replace("{{rows}}", rows))


def _write_row(message: InboxMessage) -> str:
    code = message.code or "—"
    if message.caller is not None:
        code = f"{code} (call from {message.caller})"
    cells = [message.phone_number, message.channel, code, message.state, message.sent_at[:19].replace("T", " ")]
    classes = ["number", "channel", "code", "state", "time"]
    return "<tr>" + "".join(
        f'<td class="{name}">{html.escape(cell)}</td>' for name, cell in zip(classes, cells, strict=True)
    ) + "</tr>"  # fmt: skip


def list_inbox_routes() -> list[HTTPRouteHandler]:
    """Return this module's handlers, which use `telnyx`."""
    return [list_messages, search_messages, show_inbox]
