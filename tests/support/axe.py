"""axe-core in a page that is open: which of WCAG's rules, A and AA, it breaks.

Used by the browser tests of the console. The script is read from the package that carries it; nothing is fetched.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from playwright.async_api import Page

RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


@cache
def _read_script() -> str:
    place = distribution("axe-playwright-python").locate_file("axe_playwright_python/axe.min.js")
    return Path(str(place)).read_text(encoding="utf-8")


async def find_violations(page: Page) -> list[str]:
    """List what the page breaks, each with the elements that do."""
    await page.evaluate(_read_script())
    found: list[dict[str, Any]] = await page.evaluate(
        "rules => axe.run({runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']})"
        ".then(results => results.violations)",
        list(RULES),
    )
    return [f"{one['id']}: {', '.join(node['html'][:120] for node in one['nodes'])}" for one in found]
