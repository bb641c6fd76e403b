"""The OpenAPI document: valid, complete, its examples true, and a running hub keeps to it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import openapi_spec_validator
import pytest
from aiohttp import web

from hub import __version__, app
from hub.domain import codes
from hub.domain.parsing import parse_item
from hub.gateways.http import examples
from hub.gateways.http.documents import Problem
from hub.gateways.http.openapi import document
from hub.gateways.http.operation import Operation
from tests.contract.conftest import address
from tests.e2e.conftest import system as system
from tests.support import documents
from tests.support.play import steps
from tests.support.system import System
from workers import Publisher

HERE = Path(__file__).parent
SEED = "7"
EXAMPLES = os.environ.get("HUB_LIVES", "15")


@pytest.fixture
def operations(application: web.Application) -> list[Operation]:
    return application[app.OPERATIONS]


async def test_the_document_is_valid_and_says_something_of_everything(
    runner: web.AppRunner,
) -> None:
    url = address(runner, "/openapi.json")
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        assert answer.content_type == "application/json"
        described = await answer.json()
    openapi_spec_validator.validate(described)
    assert described["openapi"] == "3.1.0"
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            told = f"{method} {path}"
            assert operation["summary"], told
            assert operation["description"], told
            assert "500" in operation["responses"], told
            assert bool(operation["security"]) == ("401" in operation["responses"]), told


async def test_nothing_is_served_that_is_not_described(application: web.Application) -> None:
    served = {
        (route.method, route.resource.canonical)
        for route in application.router.routes()
        if route.resource is not None and not route.resource.canonical.startswith("/socket.io")
    }
    described = {(each.method, each.path) for each in application[app.OPERATIONS]}
    assert served - {("HEAD", path) for _, path in described} == described
    operations: list[Operation] = application[app.OPERATIONS]
    assert documents.openapi_document() == document(operations, __version__)


async def test_examples_fit_their_shapes(operations: list[Operation]) -> None:
    for each in operations:
        if each.body_example is not None and each.id != "publish":
            msgspec.convert(each.body_example, each.body)
        for answer in each.answers.values():
            if answer.example is not None:
                msgspec.convert(answer.example, answer.shape)
        if 200 in each.answers and each.tag in ("jobs", "inbox"):
            assert each.answers[200].example is not None, each.id
    parse_item(examples.PUBLICATION)


async def test_every_code_that_http_answers_is_in_the_document(
    operations: list[Operation],
) -> None:
    named = {name for _, answer in described(operations) for name in problems_of(answer)}
    answering = {each.name for each in codes.CATALOGUE.values() if each.http is not None}
    assert named == answering - {codes.UNKNOWN_COMMAND.name}  # of no request


async def test_examples_of_problems_are_problems(operations: list[Operation]) -> None:
    with_details = {codes.INVALID_REQUEST.name, codes.UNSUPPORTED_VERSION.name}
    for _, answer in described(operations):
        for name, example in problems_of(answer).items():
            assert msgspec.convert(example["value"], Problem).error_code == name
            assert ("details" in example["value"]) == (name in with_details)
            assert ("retryAfter" in example["value"]) >= (name == codes.RATE_LIMITED.name)


async def test_answers_name_their_headers(operations: list[Operation]) -> None:
    for told, answer in described(operations):
        named = answer["headers"].keys()
        status = {int(each["value"]["status"]) for each in problems_of(answer).values()}
        assert "X-Request-Id" in named, told
        assert ({"Hub-Version", "Deprecation", "Sunset"} <= named) == ("/v1/" in told), told
        assert ("Retry-After" in named) == (not status.isdisjoint({429, 503})), told
        assert ("WWW-Authenticate" in named) == (status == {401}), told
        assert ("Allow" in named) == (status == {405}), told


async def test_answers_have_the_headers_that_are_named(system: System) -> None:
    async with aiohttp.ClientSession() as http:
        jobs = f"{system.url}/v1/jobs"
        bearer = {"Authorization": f"Bearer {system.token()}"}
        async with http.get(jobs, headers=bearer) as answer:
            assert answer.status == 200
            assert {"Hub-Version", "X-Request-Id"} <= answer.headers.keys()
        async with http.get(jobs) as answer:
            assert answer.status == 401
            assert {"Hub-Version", "WWW-Authenticate"} <= answer.headers.keys()
        async with http.delete(jobs, headers=bearer) as answer:
            assert answer.status == 405
            assert answer.headers["Allow"] == "GET,HEAD"


def described(operations: list[Operation]) -> Iterator[tuple[str, Any]]:
    """Every answer of the document, with where it is named."""
    found = document(operations, "1")
    for name, answer in found["components"]["responses"].items():
        yield name, answer
    for path, methods in found["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                yield f"{method} {path} {status}", answer


def problems_of(answer: Any) -> dict[str, Any]:
    """The examples of an answer that is a problem, by their codes."""
    problem = answer.get("content", {}).get("application/problem+json", {})
    found: dict[str, Any] = problem.get("examples", {})
    return found


def test_patterns_are_those_of_json_schema(operations: list[Operation]) -> None:
    def walk(value: Any) -> None:
        if isinstance(value, dict):
            assert "\\Z" not in str(value.get("pattern", ""))
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(document(operations, "1"))


@pytest.mark.timeout(300)
async def test_schemathesis_finds_nothing(system: System, tmp_path: Path) -> None:
    async with Publisher(system.settings.redis_url or "") as hub:
        for job_id, kind in ((examples.JOB, "GENERATION_JOB"), ("t1", "TEAM_EXECUTION")):
            job = hub.job(job_id, project_id="p1", owner_id="u1", kind=kind)
            await job.start(total_scenarios=12, total_features=3)
            for step in steps(job):
                await step()
    token = system.token(roles=("user", "service", "admin"), projects=["*"])
    config = (HERE / "schemathesis.toml").read_text()
    for number, known in enumerate(("", f'[parameters]\n"path.jobId" = "{examples.JOB}"\n')):
        place = tmp_path / str(number)
        place.mkdir()
        (place / "schemathesis.toml").write_text(known + config)
        process = await asyncio.create_subprocess_exec(
            *(str(Path(sys.executable).with_name("schemathesis")), "run"),
            *(f"{system.url}/openapi.json", "--seed", SEED, "--max-examples", EXAMPLES),
            *("--header", f"Authorization: Bearer {token}"),
            *("--phases", "examples,coverage,fuzzing", "--no-shrink", "--warnings", "off"),
            cwd=place,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await process.communicate()
        assert process.returncode == 0, told.decode()[-6000:]
        assert b"Tested: " in told
