"""The clients that Python's generators make at their defaults: strictly typed, and they work."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.support.gateway import run_gateway
from tests.support.generators import FILE, copy_example, read_readme_request, run_python
from tests.support.talking import talk

SCHEMAS: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))["components"]["schemas"]
PACKAGE = "verify-gateway-client"
PROBLEM = "urn:verify-gateway:problem"
# One line each that mypy has to refuse, and why.
MISTAKES = {
    "a type that this call cannot answer": (f'problem.type_ == "{PROBLEM}:closed"', "comparison-overlap"),
    "a type that does not exist": (f'problem.type_ == "{PROBLEM}:limitted"', "comparison-overlap"),
    "a field of another problem": ("problem.verification_status", "union-attr"),
    "a status that does not exist": ("accepted.status == Status.APPROVED", "attr-defined"),
}  # fmt: skip
USE = """
from verify_gateway_client import AuthenticatedClient
from verify_gateway_client.api.verifications import request_verification
from verify_gateway_client.models import LimitedProblem, UnavailableProblem, VerificationAccepted, VerificationRequest
from verify_gateway_client.models import Status

Waiting = LimitedProblem | UnavailableProblem

def ask(client: AuthenticatedClient, accepted: VerificationAccepted, problem: Waiting) -> None:
    request_verification.sync(client=client, body=VerificationRequest(**{request}))
    print(problem.retry_after)
"""


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the client that openapi-python-client makes, and the example that uses it."""
    folder = tmp_path_factory.mktemp("python")
    said = run_python("openapi-python-client", "generate", "--path", FILE, cwd=folder)
    assert "Warning" not in said, said
    return copy_example("python", folder).parent


def check_types(*files: Path, folder: Path) -> str:
    """Run mypy as a user's project would, with nothing of ours; return what it said, or an empty text."""
    try:
        run_python(
            "mypy", "--strict", "--config-file=", "--cache-dir", folder / "cache", *files, cwd=folder / PACKAGE
        )  # fmt: skip
    except AssertionError as error:
        return str(error)
    return ""


def test_the_client_of_openapi_python_client_is_strictly_typed_and_refuses_mistakes(generated: Path) -> None:
    package, example, use = (
        generated / PACKAGE / "verify_gateway_client",
        generated / "python/verify.py",
        generated / "use.py",
    )
    use.write_text(USE.replace("**{request}", write_arguments(read_readme_request())))
    assert check_types(package, example, use, folder=generated) == ""
    lines = len(use.read_text().splitlines())
    use.write_text(use.read_text() + "".join(f"    {line}\n" for line, _ in MISTAKES.values()))
    said = check_types(use, folder=generated)
    for place, (name, (_, code)) in enumerate(MISTAKES.items(), lines + 1):
        assert re.search(rf"use\.py:{place}: error: .*\[{code}\]", said), (name, said)


def write_arguments(request: str) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in json.loads(request).items())


async def test_the_example_gets_a_number_verified(generated: Path, database_url: str) -> None:
    async with run_gateway(database_url) as gateway:
        command = (sys.executable, generated / "python" / "verify.py")
        said = await talk(gateway, *command, cwd=generated, PYTHONPATH=str(generated / PACKAGE))
    assert said == [
        "If this number can receive codes, one is on its way.",
        "Not right: 4 attempts left.",
        "verified",
    ]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """Return the module that datamodel-code-generator makes."""
    folder = tmp_path_factory.mktemp("models")
    run_python("datamodel-codegen", "--input", FILE, "--output", "models.py", cwd=folder)
    # Without this mypy refuses what the generator makes of any limit: pydantic's constr().
    run_python("datamodel-codegen", "--use-annotated", "--input", FILE, "--output", "annotated.py", cwd=folder)
    run_python("mypy", "--strict", "--config-file=", "--cache-dir", "cache", "annotated.py", cwd=folder)
    spec = importlib.util.spec_from_file_location("gateway_models", folder / "models.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_models_of_datamodel_code_generator_are_named_as_the_file_names_them(models: ModuleType) -> None:
    made = {name for name, value in vars(models).items() if getattr(value, "__module__", "") == models.__name__}
    # Pydantic keeps the generic base of the union there too, under a name that nobody can write.
    assert {name for name in made if name.isidentifier()} == set(SCHEMAS)


def test_those_models_take_what_the_gateway_takes_and_answers(models: ModuleType) -> None:
    assert models.VerificationRequest.model_validate_json(read_readme_request()).ip_address
    for status, body in (
        (429, {"type": "urn:verify-gateway:problem:limited", "retry_after": 30}),
        (409, {"type": "urn:verify-gateway:problem:closed", "verification_status": "locked"}),
        (422, {"type": "urn:verify-gateway:problem:invalid", "fields": ["code"]}),
    ):
        problem = models.Problem.model_validate({"title": "t", "status": status, "detail": "d"} | body).root
        assert type(problem).__name__ == f"{str(body['type']).rpartition(':')[2].capitalize()}Problem"
