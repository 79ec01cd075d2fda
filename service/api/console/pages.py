"""Makes the console's pages: templates with escaping on, and headers that let a page load nothing but its style.

Used by the modules beside it. Holds no state; a browser stores none. One page has a script, which loads it again.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response, get

from service.api.bodies import AnyRequest
from service.api.console import charts
from service.providers.loading import LoadedOnce

PAGES = resources.files("service.api.console").joinpath("pages")
# Operators sign in here: a page must be able to run nothing, and to send what is typed nowhere else. That no browser
# keeps it or guesses its type, the server says on every reply.
POLICY = "Content-Security-Policy"
LIVE = "; script-src 'self'; connect-src 'self'"
HEADERS = {
    POLICY: "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
NOTHING = "-"
MINUTE, HOUR, DAY = 60, 3600, 86_400


def render(name: str, status: int = 200, *, live: bool = False, **values: Any) -> Response[str]:
    """Make a page from a template. `live`: it may run our script, which loads it again."""
    text = environment().get_template(f"{name}.html").render(**values)
    headers = HEADERS | {POLICY: HEADERS[POLICY] + LIVE} if live else HEADERS
    return Response(text, status_code=status, media_type="text/html", headers=headers)


async def prepare(_: AnyRequest) -> None:
    """Compile every template for the first visitor, in a thread: on the event loop it would hold up all requests."""
    await _compiled.get()


@cache
def environment() -> Environment:
    """Return the templates."""
    made = Environment(
        loader=PackageLoader("service.api.console", "pages"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {
        "moment": write_moment, "clock": write_clock, "length": write_length, "count": write_count,
        "money": write_money, "share": write_share, "word": write_word,
    }  # fmt: skip
    made.globals |= {"columns_chart": charts.draw_columns, "bar": charts.draw_bar}
    return made


def _compile_all() -> Environment:
    made = environment()
    for name in made.list_templates(extensions=["html"]):
        made.get_template(name)
    return made


_compiled = LoadedOnce(_compile_all)


@get("/console.css", sync_to_thread=False)
def read_style() -> Response[bytes]:
    """Give the pages' style."""
    return Response(_read("console.css"), media_type="text/css", headers=HEADERS)


@get("/console.js", sync_to_thread=False)
def read_script() -> Response[bytes]:
    """Give the script of the page that shows progress."""
    return Response(_read("console.js"), media_type="text/javascript", headers=HEADERS)


@cache
def _read(name: str) -> bytes:
    return PAGES.joinpath(name).read_bytes()


def write_moment(moment: datetime) -> str:
    """Write a time with its day, in UTC."""
    return f"{moment.astimezone(UTC):%d %b %H:%M:%S}"


def write_clock(moment: datetime) -> str:
    """Write a time of day, in UTC."""
    return f"{moment.astimezone(UTC):%H:%M}"


def write_length(seconds: float | timedelta | None) -> str:
    """Write a length of time with one unit or two."""
    if seconds is None:
        return NOTHING
    left = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
    if left < 1:
        return f"{left * 1000:.0f} ms"
    if left < MINUTE:
        return f"{left:.1f} s" if left < 10 and left != int(left) else f"{left:.0f} s"  # noqa: PLR2004 (digits)
    if left < HOUR:
        return f"{left / MINUTE:.0f} min"
    return f"{left / HOUR:.0f} h" if left < 2 * DAY else f"{left / DAY:.0f} days"


def write_count(count: int) -> str:
    """Write a number with its thousands apart."""
    return f"{count:,}"


def write_money(amount: Decimal | float, currency: str) -> str:
    """Write a sum of money: cents, or what is less of a small one."""
    value = Decimal(str(amount))
    return f"{value:,.2f} {currency}" if abs(value) >= 1 or not value else f"{value:,.4f} {currency}"


def write_share(part: int, whole: int) -> str:
    """Write how much of a whole a part is."""
    return f"{part / whole:.0%}" if whole else NOTHING


def write_word(name: str) -> str:
    """Write a name from the database as words."""
    return name.replace("_", " ")
