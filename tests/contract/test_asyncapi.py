"""The AsyncAPI document: complete, its examples true, and a running hub takes them. The official
parser looks at it in ``web/test/documents.test.ts``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import aiohttp
import jsonschema_rs
import pytest
from aiohttp import web
from redis.asyncio import Redis

from hub import app
from hub.broker.keys import Keys
from hub.domain import codes
from hub.domain.channels import partition_of
from hub.domain.emissions import OWN_EVENTS
from hub.domain.publications import JOB_EVENT_DATA, RESERVED_TYPES
from hub.gateways.contract import commands, examples, messages
from hub.gateways.contract.asyncapi import document
from hub.gateways.contract.commands import Command
from hub.gateways.http.examples import JOB
from tests.contract.conftest import address
from tests.e2e.conftest import system as system
from tests.support.sioline import line
from tests.support.system import System
from tests.support.wait import eventually
from workers import Publisher

DOCUMENT = document("1")
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
UNANSWERED = {"emit"}
"""What nobody is told of when it is not taken."""


def errors(schema: Any, value: Any) -> list[str]:
    """Where the value does not fit."""
    whole = {"allOf": [schema], "components": DOCUMENT["components"]}
    return [each.message for each in jsonschema_rs.Draft7Validator(whole).iter_errors(value)]


def walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from walk(inner)


async def test_it_is_served_to_everyone(runner: web.AppRunner) -> None:
    url = address(runner, "/asyncapi.json")
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        assert answer.content_type == "application/json"
        assert (await answer.json())["channels"] == DOCUMENT["channels"]


async def test_every_command_is_described_in_the_shape_that_is_parsed(
    application: web.Application,
) -> None:
    sio = application[app.SOCKETS]
    for namespace, described in (("/", commands.MAIN), ("/admin", commands.ADMIN)):
        served: Any = sio.served(namespace)
        assert {each.name for each in described} == set(served._commands)


def test_every_operation_says_what_it_does_shows_it_and_names_its_errors() -> None:
    for key, operation in DOCUMENT["operations"].items():
        assert operation["summary"], key
        assert operation["description"], key
        assert operation["messages"], key
        if operation["action"] == "receive" and key not in UNANSWERED:
            assert operation["x-errors"], key
    for key, message in MESSAGES.items():
        assert message["summary"], key
        assert message["examples"], key


@pytest.mark.parametrize("key", list(MESSAGES))
def test_examples_fit(key: str) -> None:
    for example in MESSAGES[key]["examples"]:
        assert errors(MESSAGES[key]["payload"], example["payload"]) == []
    assert errors(MESSAGES[key]["payload"], 7) != []


def test_every_event_and_every_code_is_in_it() -> None:
    types = set(examples.EVENTS) - {""}
    assert types == {*JOB_EVENT_DATA, *RESERVED_TYPES} - {"RESET"}
    names = {each["name"] for each in MESSAGES.values()}
    assert names >= OWN_EVENTS | {"stats", "tail", "RESET", "end"}
    places = (DOCUMENT["operations"], DOCUMENT["channels"])
    assert {each["code"] for each in walk(places) if "code" in each} == set(codes.CATALOGUE)


def test_envelopes_are_told_apart_by_their_type() -> None:
    envelope = {"$ref": f"#/components/schemas/{messages.ENVELOPE}"}
    for type_, example in examples.EVENTS.items():
        assert errors(envelope, example) == [], type_
        assert errors(envelope, {**example, "type": "JOB_ENDED", "data": 1}) != []
    own = examples.EVENTS[""] | {"type": "JOB_FAILED"}
    assert errors(envelope, own) != [], "the hub's own types are no application's"


async def test_a_running_hub_takes_the_examples(system: System) -> None:
    """And the one of a publication first, on the journal."""
    async with Publisher(system.settings.redis_url or "") as hub:
        await hub.job(JOB, project_id="p1", owner_id="u1").start()
    keys = Keys(system.settings.partitions)
    journal = keys.journal(partition_of(examples.CHANNEL, system.settings.partitions))
    publication = MESSAGES["publication"]["examples"][0]["payload"]
    token = system.token(projects=["*"])
    async with (
        line(system.url, token) as client,
        line(system.url, system.token("root", roles=["admin"]), namespace="/admin") as admin,
    ):

        async def subscribed() -> bool:
            answer = await client.command("subscribe", {"channel": examples.CHANNEL})
            return bool(answer["ok"])

        await eventually(subscribed)
        async with Redis.from_url(system.settings.redis_url or "") as redis:
            await redis.xadd(journal, {"p": json.dumps(publication)})
        await client.until(lambda: examples.ID in [each["id"] for each in client.named("event")])
        for namespace, connection, each in (
            *(("", client, each) for each in commands.MAIN),
            *(("admin", admin, each) for each in commands.ADMIN),
        ):
            payload = each.example | ({"token": token} if each.name == "auth:refresh" else {})
            answer = await connection.command(each.name, payload)
            assert fits(namespace, each, answer) == [], each.name


def fits(namespace: str, command: Command, answer: dict[str, Any]) -> list[str]:
    if not answer["ok"]:
        named = {code.name for code in command.refusals} - {"INVALID_REQUEST", "INTERNAL"}
        return [] if answer["error"]["code"] in named else [str(answer)]
    words = f"{namespace} {command.name}".replace(":", " ").split()
    key = "".join(word.capitalize() for word in words) + "Answer"
    return errors({"$ref": f"#/components/schemas/{key}"}, answer)
