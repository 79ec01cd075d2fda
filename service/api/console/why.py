"""Why a number got no code: its verifications, its limits and blocks, and each verification told in sentences.

Routed by app through the console's router. A number comes in a form, never in a URL, and each search is audited.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from service.api.bodies import AnyRequest
from service.api.console.entry import leave_for
from service.api.console.pages import render
from service.api.console.session import read_signed_form, signed_in
from service.api.fields import read_number
from service.api.problems import Invalid
from service.api.services import Services, services_of
from service.errors import NotFound
from service.operators.explaining.explanations import LIMITS
from service.operators.explaining.story import Story, tell_story
from service.operators.explaining.verification_detail import VerificationDetail, stopping
from service.operators.overrides.exemptions import RULES
from service.phone import mask

MOST_FOUND = 50


@get("/why")
async def show_search(request: AnyRequest) -> Response[str]:
    """Show the form."""
    return render("why", signed=await signed_in(request), wrong=None)


@post("/why", status_code=200)
async def search(request: AnyRequest) -> Response[Any]:
    """Show all that is known of a number; for an id, its verification."""
    signed, form = await read_signed_form(request, search=True)
    services, given = services_of(request), form.get("what", "").strip()
    if (row := _read_id(given)) is not None:
        return leave_for(f"/operator/verifications/{row}")
    try:
        number = read_number(given)
    except Invalid:
        wrong = "This is neither a phone number with its country code, such as +1 312 555 0142, nor an id."
        return render("why", 422, signed=signed, wrong=wrong)
    found = await services.operator_queries.search(signed.caller.key_id, number, MOST_FOUND)
    newest = await services.operator_queries.read(found.rows[0].id) if found.rows else None
    return render(
        "number",
        signed=signed,
        number=number,
        masked=mask(number),
        limit_words=LIMITS,
        stopped=_stopped(newest) if newest else [],
        found=found.rows,
        newest=newest,
        story=await _tell(services, newest) if newest else None,
        limits=await services.number_limits.read(number),
        blocks=await services.blocks.of_number(number),
        exemptions=await services.exemptions.of_number(number),
    )


@get("/verifications/{verification_id:uuid}")
async def show_verification(request: AnyRequest, verification_id: FromPath[UUID]) -> Response[str]:
    """Tell one verification."""
    signed, services = await signed_in(request), services_of(request)
    try:
        detail = await services.operator_queries.read(verification_id)
    except NotFound:
        wrong = "There is no verification with this id. Verifications are kept for 30 days."
        return render("why", 404, signed=signed, wrong=wrong)
    return render(
        "verification", signed=signed, detail=detail, story=await _tell(services, detail), exemptible=_stopped(detail)
    )


async def _tell(services: Services, detail: VerificationDetail) -> Story:
    """Tell a verification's story; a block that has ended meanwhile is none to lift."""
    story = tell_story(detail)
    seen = [one.block for one in story.advice if one.block is not None]
    held = {block.id for block in await services.blocks.of((), seen)} if seen else set()
    advice = [one for one in story.advice if one.block is None or one.block in held]
    return msgspec.structs.replace(story, advice=advice)


def _stopped(detail: VerificationDetail) -> list[str]:
    """List the rules that stopped a verification's sends, and can be waived."""
    return sorted({one.rule for send in detail.sends for one in stopping(send.decision)} & RULES)


def _read_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
