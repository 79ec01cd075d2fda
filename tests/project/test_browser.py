"""The browser that tests look at pages with: what a page must never do fails the test, whatever else it looks at."""

from __future__ import annotations

import pytest
from litestar import Litestar, MediaType, get
from litestar.params import FromPath
from playwright.async_api import Browser

from tests.support.browser import measure_overhang, open_page
from tests.support.serving import serve_app

FAULTS = {
    "/elsewhere": ('<img src="http://elsewhere.example/logo.png">', "asked for http://elsewhere.example/logo.png"),
    "/forbidden": (
        '<meta http-equiv="Content-Security-Policy" content="style-src \'none\'"><p style="color: red">',
        "complained",
    ),
    "/throws": ("<script>throw new Error('broken')</script>", "threw"),
}


@get("/{name:str}", media_type=MediaType.HTML, sync_to_thread=False)
def show(name: FromPath[str]) -> str:
    return f"<!doctype html><title>{name}</title>{FAULTS.get(f'/{name}', ('',))[0]}"


@pytest.mark.parametrize("path", FAULTS)
async def test_a_page_that_does_what_it_must_not_fails_the_test_that_opened_it(browser: Browser, path: str) -> None:
    async with serve_app(Litestar([show], openapi_config=None)) as url:
        with pytest.raises(AssertionError, match=FAULTS[path][1]):
            async with open_page(browser, f"{url}{path}"):
                pass


async def test_a_page_that_does_nothing_of_the_kind_passes(browser: Browser) -> None:
    async with serve_app(Litestar([show], openapi_config=None)) as url, open_page(browser, f"{url}/plain") as page:
        assert await measure_overhang(page) == 0
