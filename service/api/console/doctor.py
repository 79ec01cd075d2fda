"""The console's page of the doctor's list: each point of this deployment, with what to do.

Routed by app through the console's router. The examination asks Telnyx and runs in the background.
"""

from __future__ import annotations

from typing import Any

from litestar import Response, get, post

from service.api.bodies import AnyRequest
from service.api.console.entry import leave_for
from service.api.console.pages import render
from service.api.console.session import read_signed_form, signed_in
from service.api.services import services_of
from service.operators.doctor.diagnosis import rank


@get("/doctor")
async def show_doctor(request: AnyRequest) -> Response[str]:
    """Show the newest examination; begin one if there is none, or if it is old."""
    signed = await signed_in(request)
    found = await services_of(request).examination.look()
    points = sorted(found.what or [], key=lambda point: -rank(point.status))
    counts = {word: sum(point.status == word for point in points) for word in ("fail", "warn", "pass")}
    return render("doctor", live=True, signed=signed, found=found, points=points, counts=counts)


@post("/doctor", status_code=303)
async def examine_again(request: AnyRequest) -> Response[Any]:
    """Begin another examination."""
    await read_signed_form(request)
    await services_of(request).examination.look(anew=True)
    return leave_for("/operator/doctor")
