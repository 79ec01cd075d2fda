"""docs/integrate.md is true: its programs run as they stand there, and its tables have every field and every error."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from service.api.problems import BASE
from tests.support.gateway import PHONE, Gateway, read_code, run_gateway, wrong
from tests.support.generators import CHECKOUT, FILE, lend_modules, needs_node, run_node
from tests.support.ports import free_port
from tests.support.receivers import Receiver, call_back, run_receiver, set_up
from tests.support.waiting import PATIENCE, until

PAGE = (CHECKOUT / "docs" / "integrate.md").read_text(encoding="utf-8")
DOCUMENT: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
SENT = "If this number can receive codes, one is on its way."
# What `tsc --init` writes, so that the page's backend compiles in a project that began with it.
TSCONFIG = {
    "module": "nodenext", "target": "esnext", "types": ["node"], "sourceMap": True, "declaration": True,
    "declarationMap": True, "noUncheckedIndexedAccess": True, "exactOptionalPropertyTypes": True, "strict": True,
    "jsx": "react-jsx", "verbatimModuleSyntax": True, "isolatedModules": True, "noUncheckedSideEffectImports": True,
    "moduleDetection": "force", "skipLibCheck": True, "outDir": "build",
}  # fmt: skip
# Those of every HTTP server, which no caller of these calls is told by name.
NOT_LISTED = {"unexpected", "head-too-large", "method-not-allowed"}


def block(language: str) -> str:
    """Return the page's only program in a language."""
    [program] = re.findall(rf"(?ms)^```{language}\n(.+?)^```", PAGE)
    return str(program)


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def first_cells(text: str) -> set[str]:
    """Return what stands in backquotes in the first column of a section's tables."""
    return {name for line in re.findall(r"(?m)^\|([^|]+)\|", text) for name in re.findall(r"`([\w-]+)`", line)} - {
        "type"
    }


@pytest.fixture
async def gateway(database_url: str) -> AsyncIterator[Gateway]:
    allowed = run_gateway(database_url, CALLBACK_ALLOW_PRIVATE="true", ALLOW_PRIVATE_USER_ADDRESSES="true")
    async with allowed as running:
        yield running


async def test_the_commands_for_curl_get_a_number_verified(gateway: Gateway, tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", block("sh"), cwd=tmp_path, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, env=os.environ | {"GATEWAY_URL": gateway.url, "GATEWAY_KEY": gateway.key},
    )  # fmt: skip
    out, _ = await process.communicate(f"{await read_code(gateway)}\n".encode())
    requested, checked, read = map(json.loads, out.decode().split("\n")[:3])
    assert requested["message"] == SENT
    assert checked["verified"] is True
    assert read["status"] == "verified"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with run_receiver() as running:
        yield running


@pytest.fixture
async def program(
    gateway: Gateway, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ModuleType]:
    """Return the page's program for Python as a module."""
    secret = await call_back(gateway, receiver)
    for name, value in (("URL", gateway.url), ("KEY", gateway.key)):
        monkeypatch.setenv(f"GATEWAY_{name}", value)
    monkeypatch.setenv("CALLBACK_SECRET", secret)
    file = tmp_path / "verification.py"
    file.write_text(block("python"))
    spec = importlib.util.spec_from_file_location("verification_of_the_page", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    module.gateway.close()


async def test_the_program_for_python_verifies_a_number_and_receives_its_callback(
    program: ModuleType, gateway: Gateway, receiver: Receiver
) -> None:
    session: dict[str, Any] = {}
    ask = partial(program.request_code, session, "203.0.113.9", PHONE, None, "tap-1")
    assert await asyncio.to_thread(ask) == SENT
    first = session["verification"]
    assert await asyncio.to_thread(ask) == SENT
    assert session["verification"] == first
    code = await read_code(gateway)
    said = await asyncio.to_thread(program.check_code, session, wrong(code), "tap-2")
    assert said == "That code is not right. 4 attempts left."
    assert "again in" in await asyncio.to_thread(program.call_instead, session)
    assert await asyncio.to_thread(program.check_code, session, code, "tap-3") == "Your number is verified."
    assert session["verified"]
    said = await asyncio.to_thread(program.check_code, session, code, "tap-4")
    assert said == "This code is no longer valid. Please request a new one."
    await until(lambda: bool(receiver.told), "it is told")
    told = receiver.told[0]
    assert program.receive(told.text.encode(), told.headers) == (first, "verified")
    with pytest.raises(WebhookVerificationError):
        program.receive(told.text.replace("verified", "locked").encode(), told.headers)


async def test_the_program_for_python_says_what_to_correct(program: ModuleType) -> None:
    session: dict[str, Any] = {}
    said = await asyncio.to_thread(program.request_code, session, "203.0.113.9", "+1", None, "tap-1")
    assert said == "Please check your number, with its country code."
    assert session == {}


@asynccontextmanager
async def run_backend(folder: Path, gateway: Gateway, port: int, secret: str) -> AsyncIterator[str]:
    """Compile the page's backend for TypeScript, strictly, and run it."""
    (folder / "backend.ts").write_text(block("ts"))
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": TSCONFIG, "files": ["backend.ts"]}))
    lend_modules(folder)
    await asyncio.to_thread(run_node, "openapi-typescript", FILE, "--output", "gateway.d.ts", cwd=folder)
    assert await asyncio.to_thread(run_node, "tsc", cwd=folder) == ""
    more = {"GATEWAY_URL": gateway.url, "GATEWAY_KEY": gateway.key, "CALLBACK_SECRET": secret, "PORT": str(port)}
    node = shutil.which("node")
    assert node
    process = await asyncio.create_subprocess_exec(node, "build/backend.js", cwd=folder, env=os.environ | more)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


@needs_node
async def test_the_backend_for_typescript_verifies_a_number_and_is_called_back(
    gateway: Gateway, tmp_path: Path
) -> None:
    port = free_port()
    secret = await set_up(gateway.database, f"http://127.0.0.1:{port}/callbacks")
    async with run_backend(tmp_path, gateway, port, secret) as url:

        async def post(path: str, **form: str) -> tuple[int, str]:
            async with gateway.session.post(url + path, json=form, headers={"Cookie": "session=1"}) as reply:
                return reply.status, await reply.text()

        await until(lambda: _answers(gateway, url), "it listens", PATIENCE)
        assert await post("/code", code="123456", tap="0") == (200, "Please enter your number first.")
        assert await post("/number", number="nothing", tap="1") == (200, "Please check what you entered.")
        assert await post("/number", number=PHONE, tap="2") == (200, SENT)
        code = await read_code(gateway)
        assert await post("/code", code=wrong(code), tap="3") == (200, "Not right. 4 attempts left.")
        # Verified without the backend's own call: only the callback can tell it.
        found = await gateway.database.pool.fetchval("select id::text from verifications")
        assert (await gateway.verify(str(found), code)).body["verified"]

        async def told() -> bool:
            return await post("/status") == (200, "verified")

        await until(told, "the callback has arrived")
        assert (await post("/callbacks", data="forged"))[0] == 400


async def _answers(gateway: Gateway, url: str) -> bool:
    try:
        async with gateway.session.get(url):
            return True
    except OSError:
        return False


def test_the_page_says_where_each_field_of_a_request_comes_from() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    fields = set(schemas["VerificationRequest"]["properties"]) | set(schemas["CodeCheck"]["properties"])
    assert first_cells(section("What each field must be")) == fields


def test_the_page_says_what_to_do_about_each_error_of_a_products_calls() -> None:
    operations = [one for path in DOCUMENT["paths"].values() for one in path.values()]
    refs = {
        response["$ref"].rpartition("/")[2]
        for one in operations if one.get("tags") == ["Verifications"]
        for response in one["responses"].values() if "$ref" in response
    }  # fmt: skip
    texts = json.dumps([DOCUMENT["components"]["responses"][name]["content"] for name in refs])
    told = set(re.findall(rf'"{BASE}([a-z-]+)"', texts))
    assert told
    assert first_cells(section("Errors, and what to tell the user")) == told - NOT_LISTED


def test_the_page_for_python_names_only_errors_that_exist() -> None:
    known = {
        mapped.removeprefix(BASE) for mapped in DOCUMENT["components"]["schemas"]["Problem"]["discriminator"]["mapping"]
    }
    named = set(re.findall(r'"([a-z-]+)"(?= \||:| if)', block("python").partition("def explain")[2]))
    assert named
    assert named <= known
