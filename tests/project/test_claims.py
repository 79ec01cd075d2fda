"""What docstrings and docs say of the code is true: modules and files that they name exist, and callers really call."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
SERVICE = CHECKOUT / "service"
CODE = sorted(
    path for folder in ("service", "migrations", "tests", "benchmarks") for path in (CHECKOUT / folder).rglob("*.py")
)
DOCS = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")])
# The changelog may name what no longer exists.
NOW = [page for page in DOCS if page.name != "CHANGELOG.md"]
ROOMS = sorted(path.name for path in SERVICE.iterdir() if path.is_dir() and (path / "__init__.py").exists())
DOTTED = re.compile(
    r"(?<![\w./-])(?:service\.)?(?:" + "|".join(ROOMS) + r")(?:\.(?!(?:md|toml|lock|json|log)\b)[a-z_0-9]+)+\b(?![/(-])"
)
FILE = re.compile(r"(?<![\w.*{<-])(?:[\w-]+/)*[\w-]+\.(?:py|sql|html|js|css)\b(?!:)")
CALLED = re.compile(
    r"\b(?:Called|Read|Made|Used|Filled|Asked|Held|Opened|Written|Refreshed|Imported|Run|Routed|Built|Mounted|Walked"
    r"|Started) (?:through|by) (?P<who>(?:[^.]|\.(?=[a-z]))*)"
)
NAME = re.compile(r"(?<![\w.])[a-z][a-z_0-9.]*[a-z0-9]")
TEST = re.compile(r"(?<=`)(?:[a-z_]+/)*test_[a-z_0-9]+(?=(?:\.py)?`)")
VERSION = re.compile(r"\b(?P<family>[a-z_]+)_v\d+\b")
# Types of callbacks, which begin as a room does.
EVENTS = re.compile(r"\bverification\.(?:verified|locked|expired|canceled)\b")
# Their subject is the functions of earlier releases.
HISTORY = {"0021-sql-functions", "test_rollout", "test_sql_functions"}
# Callers that are no modules of service/.
OTHERS = {"everyone", "handlers", "people", "tests"}


@cache
def modules() -> set[str]:
    """Answer every module and package below service/, without that prefix."""
    paths = (path.relative_to(SERVICE) for path in SERVICE.rglob("*.py"))
    return {".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in paths} - {"__init__"}


@cache
def files() -> list[str]:
    """Answer every file of the project as a path with slashes."""
    hidden = re.compile(r"\.(?!ci)|__pycache__|node_modules")
    found = []
    for folder, inside, names in os.walk(CHECKOUT):
        # Never entered: they hold fifty times as many files as the project has.
        inside[:] = [name for name in inside if not hidden.match(name)]
        place = Path(folder).relative_to(CHECKOUT)
        found += [f"/{place / name}" for name in names if not hidden.match(name)]
    return found


@cache
def named_tests() -> set[str]:
    """Answer every file of tests and every test in one, a file also with the folders that it is in."""
    found = set()
    for path in (CHECKOUT / "tests").rglob("test_*.py"):
        places = path.relative_to(CHECKOUT).with_suffix("").parts
        found |= {"/".join(places[start:]) for start in range(len(places))}
        found |= set(re.findall(r"(?m)^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8")))
    return found


@cache
def prose_of(path: Path) -> str:
    """Answer the docstrings and comments of a file of code, or the whole text of a page."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        # A program for readers imports what is theirs.
        return re.sub(r"(?ms)^```(?:python|ts)\n.*?^```", "", text)
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = [ast.get_docstring(node) or "" for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]
    comments = re.findall(r"(?m)(?:^|\s)#\s(.*)$", text)
    return "\n".join([*docstrings, *comments])


def resolves(name: str) -> bool:
    """Say whether a dotted name is a module, or something in one."""
    name = name.removeprefix("service.")
    if name in modules():
        return True
    module, _, rest = name.rpartition(".")
    return module in modules() and hasattr(import_module(f"service.{module}"), rest)


@cache
def imported_by(module: str) -> set[str]:
    """Answer what a module imports from service/, by name."""
    found = set()
    for node in ast.walk(ast.parse((SERVICE / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("service."):
            base = node.module.removeprefix("service.")
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
        if isinstance(node, ast.ImportFrom) and node.module == "service":
            found |= {alias.name for alias in node.names}
    return found


def callers_in(said: str) -> Iterator[str]:
    """List what stands for a caller: every item of a list that is one word, and every word before its first comma."""
    said = re.sub(r"`[^`]*`|\([^)]*\)", "", re.split(r"[:;] |, (?:and never|which|where|when|so|as|once)\b", said)[0])
    for place, item in enumerate(re.split(r",? and (?:by )?|, ", said)):
        words = NAME.findall(item)
        if len(item.split()) == 1 and words and item.strip() == words[0]:
            yield f"{words[0]}!"
        elif place == 0:
            yield from words


def callers_said() -> Iterator[tuple[str, str]]:
    """Pair each module with each caller that its docstring names; one that can be nothing else ends with "!"."""
    for module in sorted(modules()):
        path = SERVICE / f"{module.replace('.', '/')}.py"
        path = path if path.exists() else path.with_suffix("") / "__init__.py"
        docstring = " ".join((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split())
        for said in CALLED.finditer(docstring):
            for name in callers_in(said["who"]):
                yield module, name


def find_caller(name: str, module: str) -> str | None:
    """Answer the module or package that a caller's name means: in full, beside the module, or wherever it is unique."""
    beside = [".".join([*module.split(".")[:depth], name]) for depth in range(module.count("."), -1, -1)]
    return next((full for full in beside if full in modules()), None)


@pytest.mark.parametrize("path", [*CODE, *NOW], ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_every_module_that_is_named_exists(path: Path) -> None:
    named = {match.group() for match in DOTTED.finditer(EVENTS.sub("", prose_of(path)))}
    assert sorted(name for name in named if not resolves(name)) == []


@pytest.mark.parametrize("path", [*CODE, *NOW], ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_every_file_that_is_named_exists(path: Path) -> None:
    named = {match.group() for match in FILE.finditer(prose_of(path))}
    assert sorted(name for name in named if not any(file.endswith(f"/{name}") for file in files())) == []


@pytest.mark.parametrize("page", NOW, ids=lambda page: str(page.relative_to(CHECKOUT)))
def test_every_test_that_is_named_exists(page: Path) -> None:
    named = {match.group() for match in TEST.finditer(page.read_text(encoding="utf-8"))}
    assert sorted(named - named_tests()) == []


@pytest.mark.parametrize("path", [*CODE, *NOW], ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_every_version_of_an_sql_function_that_is_named_is_the_current_one(path: Path) -> None:
    if path.is_relative_to(CHECKOUT / "migrations") or path.stem in HISTORY:
        return
    current = {file.stem for file in (CHECKOUT / "migrations" / "functions").glob("*.sql")}
    families = {re.sub(r"_v\d+$", "", name) for name in current}
    named = {match.group() for match in VERSION.finditer(prose_of(path)) if match["family"] in families}
    assert sorted(named - current) == []


@pytest.mark.parametrize(("module", "name"), sorted(set(callers_said())))
def test_whoever_is_said_to_call_a_module_imports_it(module: str, name: str) -> None:
    name, certain = name.removesuffix("!"), name.endswith("!")
    if name in OTHERS:
        return
    caller = find_caller(name, module)
    if caller is None:
        assert not certain, f"{module} says that {name} calls it, which is nowhere"
        assert not set("._") & set(name), f"{module} says that {name} calls it, which is nowhere"
        return
    inside = [one for one in modules() if one == caller or one.startswith(f"{caller}.")]
    called = {one for one in modules() if one == module or one.startswith(f"{module}.")}
    called |= {module.rpartition(".")[0]} if module.count(".") > 1 else set()
    assert any(called & imported_by(one) for one in inside if (SERVICE / f"{one.replace('.', '/')}.py").exists()), (
        caller
    )


def test_the_picture_of_the_rooms_shows_each_of_them_and_no_other() -> None:
    picture = (CHECKOUT / "docs/pictures/rooms.svg").read_text(encoding="utf-8")
    drawn = set(re.findall(r'class="name"[^>]*>([\w/.]+)<', picture))
    assert drawn - {"app.py", "leaves", "migrations/functions"} == set(ROOMS)
    leaves = re.search(r">(settings[^<]*)<", picture)
    assert leaves
    alone = {path.stem for path in SERVICE.glob("*.py")} - {"__init__", "__main__", "app"}
    assert set(leaves[1].split(" · ")) == alone
