"""The channels are declared in one place, from which everything else follows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from telnyx.types import Verification

from service.channels import CHANNELS, DEFAULT, Channel
from service.policy import loading
from service.sandbox.demo.page import _PAGE
from service.verification.states import MOST_SENDS

CHECKOUT = Path(__file__).parents[2]
DECLARATION = CHECKOUT / "service" / "channels.py"
# Where a channel may be named besides, and why. Telnyx's profiles name theirs as fields, which are no texts.
NAMED = {
    "service/api/openapi/examples.py": "examples of calls",
    "service/api/openapi/operator_examples.py": "examples of answers",
    "service/api/openapi/document.py": "an option of a handler that is called so",
    "service/operators/verify_profiles.py": "which fields a profile has, by channel",
    "service/providers/telnyx/sdk.py": "which fields of a profile the package can change",
    "service/providers/verify/test_numbers.py": "what becomes of a send to a fictional number, by channel",
    "service/simulation/scenarios/destinations.py": "which channel an attacker asks for",
    "service/simulation/population/people.py": "which channels people ask for",
}


def names_in(module: Path) -> set[str]:
    """Find the channels that a module names in texts of its own, examples for readers left out."""
    tree = ast.parse(module.read_text())
    examples = {
        node
        for call in ast.walk(tree)
        if isinstance(call, ast.keyword) and call.arg == "examples"
        for node in ast.walk(call)
    }
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node not in examples}
    return {channel for channel in CHANNELS if channel in texts}


def named() -> Iterator[str]:
    for module in (CHECKOUT / "service").rglob("*.py"):
        if module != DECLARATION and names_in(module):
            yield str(module.relative_to(CHECKOUT))
    for function in (CHECKOUT / "migrations" / "functions").glob("*.sql"):
        if re.search("|".join(f"'{channel}'" for channel in CHANNELS), function.read_text()):
            yield str(function.relative_to(CHECKOUT))
    for page in (CHECKOUT / "service").rglob("*.html"):
        if re.search(rf"\b({'|'.join(CHANNELS)})\s*:|[\"'>]({'|'.join(CHANNELS)})[\"'<]", page.read_text()):
            yield str(page.relative_to(CHECKOUT))


def test_no_code_names_a_channel_but_where_that_is_its_subject() -> None:
    assert sorted(named()) == sorted(NAMED)


def test_every_channel_has_its_traits_and_may_be_used_once_in_a_verification() -> None:
    assert tuple(CHANNELS) == get_args(Channel)
    assert len(CHANNELS) == MOST_SENDS


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_shipped_policy_has_a_price_for_every_channel(channel: Channel) -> None:
    policy = loading.parse("").default
    assert policy.prices.by_channel[channel] > 0
    assert (channel in policy.fallback.order) is not CHANNELS[channel].opt_in


def test_what_has_to_be_named_to_be_used_goes_nowhere_as_shipped() -> None:
    policy = loading.parse("").default
    assert not CHANNELS[DEFAULT].opt_in
    for channel, traits in CHANNELS.items():
        assert policy.countries.by_channel.get(channel) == ([] if traits.opt_in else None)


@pytest.mark.parametrize("channel", CHANNELS)
def test_telnyx_knows_every_channel_by_our_name(channel: Channel) -> None:
    """Its name is a part of the path, and the type of what a look-up lists."""
    assert f"'{channel}'" in str(Verification.model_fields["type"].annotation)


@pytest.mark.parametrize("channel", CHANNELS)
def test_docs_and_demo_page_know_every_channel(channel: Channel) -> None:
    assert f"`{channel}`" in (CHECKOUT / "docs" / "sandbox.md").read_text()
    assert CHANNELS[channel].noun in _PAGE
