"""The command line explains itself, and a command that is light does not pay for those that are not."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from service.cli import COMMANDS, group
from service.cli.policies.policy import POLICY_COMMANDS
from tests.support.commands import environment_with, run

HEAVY = {"litestar", "telnyx", "alembic", "sqlalchemy", "uvicorn", "aiohttp", "httpx", "asyncpg", "pydantic"}


def find(words: str) -> click.Command:
    command: click.Command = group
    for word in words.split():
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found is not None
        command = found
    return command


def list_leaves() -> list[str]:
    names: list[str] = []
    for name in COMMANDS:
        command = find(name)
        inner = command.list_commands(click.Context(command)) if isinstance(command, click.Group) else [""]
        names += [f"{name} {word}".strip() for word in inner]
    return names


async def test_the_commands_are_listed_each_with_its_help() -> None:
    done = await run("--help")
    assert done.code == 0
    assert done.out.startswith("Usage: verify-gateway [OPTIONS] COMMAND")
    for name, (_, words) in COMMANDS.items():
        assert f"  {name} " in done.out
        assert words in done.out
        assert find(name).get_short_help_str(200) == words
    for name, (_, words) in POLICY_COMMANDS.items():
        assert find(f"policy {name}").get_short_help_str(200) == words


@pytest.mark.parametrize("words", list_leaves())
def test_every_command_and_every_option_has_a_help_text(words: str) -> None:
    command = find(words)
    assert command.help
    assert len(command.get_short_help_str(200)) < 80
    for parameter in command.params:
        assert isinstance(parameter, click.Argument) or getattr(parameter, "help", None), parameter.name


async def test_help_is_given_by_either_name_and_the_version_by_its_own() -> None:
    for words in (["-h"], ["keys", "-h"], ["serve", "--help"]):
        assert (await run(*words)).code == 0
    assert "0.1" in (await run("--version")).out


async def test_an_unknown_command_is_a_usage_error() -> None:
    for words in (
        ["server"],
        ["keys", "delete"],
        ["serve", "--nonsense"],
        ["serve", "--workers", "0"],
        ["keys", "revoke", "x"],
    ):
        done = await run(*words)
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("Usage: verify-gateway")


@pytest.mark.parametrize(
    "words",
    [
        ("callbacks", "set", "\udcff", "https://shop.example/"),
        ("keys", "create", "\udcff"),
        ("review", "set", "shop", "+14155550123", "--for", "1d", "--reason", "App \udcff"),
    ],
    ids=["callbacks", "keys", "review"],
)
async def test_bytes_that_are_no_text_are_refused_with_a_sentence(words: tuple[str, ...]) -> None:
    assert "UTF-8" in (await run(*words)).sentence()


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["policy", "--help"], ["policy", "check"], ["policy", "show"]]
)
def test_light_commands_import_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys, atexit; sys.argv[0] = 'verify-gateway';"
        "atexit.register(lambda: print('MODULES', *sys.modules, file=sys.stderr));"
        "from service.cli import main; main()"
    )
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, env=environment_with({}), capture_output=True, text=True, check=True)
    modules = {name.partition(".")[0] for name in done.stderr.partition("MODULES")[2].split()}
    assert not modules & HEAVY
