"""What the operator configures: the ``HUB_*`` variables of contract section 1.

All of them are read and checked together at start, so that one failed start names every problem.
A secret is held as ``SecretStr`` or inside a URL that is masked wherever settings are printed.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from config import values
from config.values import Rate, mask_url

__all__ = ["Problem", "Rate", "Settings", "SettingsError", "load_settings", "mask_url"]

PREFIX = "HUB_"

_URLS = ("redis_url", "mongo_url", "jwt_jwks_url", "authorize_url")
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(values.split_names)]
Seconds = Annotated[float, Field(gt=0)]


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one variable; ``message`` never repeats a secret."""

    variable: str
    message: str

    def __str__(self) -> str:
        return f"{self.variable}: {self.message}"


class SettingsError(Exception):
    """The environment is not usable; ``problems`` has all of them, ``str()`` a line for each."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class Settings(BaseSettings):
    """The hub's configuration, frozen. Build it with :func:`load_settings`, in tests directly.

    The constructor itself reads nothing from the environment. Contract section 1 says what each
    variable means; times are seconds, sizes bytes.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        use_attribute_docstrings=True,
    )

    redis_url: Annotated[str, BeforeValidator(values.redis_url)] | None = None
    """Redis or Valkey: ``redis://``, ``rediss://``, ``redis+sentinel://`` or ``redis+cluster://``."""
    mongo_url: Annotated[str, BeforeValidator(values.mongo_url)] | None = None
    """MongoDB, a replica set."""
    mongo_db: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,63}$")] = "hub"
    """The database in it."""

    jwt_secret: Annotated[SecretStr, BeforeValidator(values.jwt_secret)] | None = None
    """What tokens are signed with by HS256: at least 32 bytes."""
    jwt_jwks_url: Annotated[str, BeforeValidator(values.http_url)] | None = None
    """Where the keys of tokens are published (JWKS)."""
    jwt_public_key: Annotated[str, BeforeValidator(values.public_key)] | None = None
    """Keys of tokens, PEM; several one after the other."""
    jwt_algorithms: Annotated[Names, BeforeValidator(values.algorithms)] = ()
    """What a token may be signed with; the default follows from which keys are set."""
    jwt_previous_secret: Annotated[SecretStr, BeforeValidator(values.jwt_secret)] | None = None
    """The secret before this one, while tokens signed with it are about."""
    jwt_leeway: Annotated[float, Field(ge=0, le=60)] = 5
    """Seconds by which the clocks of hub and issuer may differ."""
    revocation_seconds: Seconds = 2_592_000
    """Seconds that a revocation is kept: at least as long as the longest-lived token."""
    jwt_issuer: str | None = None
    """The only one whose tokens are good; else any."""
    jwt_audience: str | None = None
    """What a token must be for; else anything."""

    authorize_url: Annotated[str, BeforeValidator(values.http_url)] | None = None
    """Whom to ask who may read a project; without it, the token's ``projects`` say so."""
    authorize_timeout: Annotated[float, Field(gt=0, le=10)] = 1.5
    """Seconds to wait for its answer; then nobody gets in."""
    authorize_ttl: Annotated[float, Field(ge=0, le=3600)] = 10
    """Seconds that an answer counts: permission that is withdrawn is noticed so much later."""

    cors_origins: Annotated[Names, BeforeValidator(values.origins)] = ()
    """Origins beside the hub's own that browsers may call from; ``*`` is any."""

    max_connections_per_job: Annotated[int, Field(ge=1)] = 5
    """Followers of one running job, on all doors and nodes."""
    max_connections_per_user: Annotated[int, Field(ge=1)] = 20
    """Connections of one user, by all doors and on all nodes together."""
    max_connections: Annotated[int, Field(ge=1)] = 50_000
    """Connections of one node, by all doors together."""
    idle_timeout: Seconds = 1800
    """Seconds after which a connection that neither sends nor gets anything is ended."""
    job_retention: Annotated[int, Field(ge=1)] = 86_400
    """Seconds that a job is kept after its end."""
    notification_retention: Annotated[int, Field(ge=1)] = 7_776_000
    """Seconds that a notification is kept."""
    audit_retention: Annotated[int, Field(ge=1)] = 7_776_000
    """Seconds that what administrators did is kept."""
    socketio_admin: bool = False
    """Serve the namespace ``/socketio-admin``, for the stock Socket.IO admin UI."""
    socketio_admin_user: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = "admin"
    """The name that goes with its password."""
    socketio_admin_password_hash: (
        Annotated[SecretStr, BeforeValidator(values.password_hash)] | None
    ) = None
    """Of the password that lets in there, beside tokens with the role ``admin``; made by
    ``python -m hub hash-password``."""
    rate_commands: Annotated[Rate, NoDecode, BeforeValidator(Rate.parse)] = Rate(20, 1)
    """Commands of one connection."""
    rate_user_commands: Annotated[Rate, NoDecode, BeforeValidator(Rate.parse)] = Rate(100, 1)
    """Commands of one user, on all connections and nodes together."""
    rate_connects: Annotated[Rate, NoDecode, BeforeValidator(Rate.parse)] = Rate(60, 60)
    """Connects of one address, by every live door and on all nodes together."""
    rate_requests: Annotated[Rate, NoDecode, BeforeValidator(Rate.parse)] = Rate(100, 1)
    """HTTP requests of one user, and those of one address without a good token."""
    rate_publishes: Annotated[Rate, NoDecode, BeforeValidator(Rate.parse)] = Rate(2000, 1)
    """Publications of one service by HTTP."""
    trusted_proxies: Annotated[Names, BeforeValidator(values.networks)] = ()
    """Whose ``X-Forwarded-For`` is believed: addresses and networks."""
    request_timeout: Annotated[float, Field(gt=0, le=600)] = 20
    """Seconds in which the header of an HTTP request has to be there, and again its body."""
    outbox_bytes: Annotated[int, Field(ge=1024)] = 1_048_576
    """Bytes that may wait for one client that reads too slowly."""
    drain_seconds: Annotated[float, Field(ge=0)] = 25
    """Seconds that a node that is stopped takes to send its clients away."""
    max_message: Annotated[int, Field(ge=1024)] = 65_536
    """Bytes of one message of a client, at most."""
    compression: bool = False
    """Compress for clients that offer it (polling and WebSocket): less to send, more to compute."""
    recovery_seconds: Seconds = 120
    """Seconds that a client may be away and still go on with its session."""
    partitions: Annotated[int, Field(ge=1, le=100)] = 16
    """Journal partitions. Every process of a cluster needs the same number, for good."""

    metrics_port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    """Where an ingest worker serves its metrics; a node serves them at ``/metrics``."""
    trace_sample: Annotated[float, Field(ge=0, le=1)] = 0.01
    """The share of events whose way is noted, for administrators to look up."""

    otel: bool = False
    """Record the spans of what comes with a ``traceparent``, and export them as OTEL_* say."""

    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(values.upper)
    ] = "INFO"
    """What is less than this is not logged."""
    log_format: Annotated[Literal["json", "console"], BeforeValidator(values.lower)] = "json"
    """One JSON object a line, or for people."""
    log_wire: Annotated[Names, BeforeValidator(values.wire_names)] = ()
    """Whose frames are logged: ``user:<userId>``, ``sid:<sid>``."""

    @model_validator(mode="before")
    @classmethod
    def _default_algorithms(cls, given: Any) -> Any:
        if isinstance(given, dict) and not given.get("jwt_algorithms"):
            return {**given, "jwt_algorithms": values.default_algorithms(given)}
        return given

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what the constructor was given; :func:`load_settings` brings the environment."""
        return (init_settings,)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Fields for ``repr`` and ``str``, passwords in URLs masked."""
        for name, value in super().__repr_args__():
            is_url = name in _URLS and value is not None
            yield name, mask_url(value) if is_url else value


def load_settings(
    env: Mapping[str, str] | None = None,
    *,
    require: Collection[str] = ("redis_url", "mongo_url", "jwt"),
) -> Settings:
    """Read the settings from ``env`` (default: this process's environment).

    ``require`` names what must be set: fields of :class:`Settings`, or ``jwt`` for any way to
    check a token. Raises :class:`SettingsError` with every problem at once.
    """
    source = EnvSettingsSource(Settings, env_ignore_empty=True)
    environ = os.environ if env is None else env
    source.env_vars = {name.lower(): value for name, value in environ.items() if value}
    given = source()
    problems = [*_missing(given, require), *_keys_without_algorithm(given)]
    try:
        settings = Settings(**given)
    except ValidationError as error:
        problems += _malformed(error)
    if problems:
        raise SettingsError(sorted(problems, key=lambda problem: problem.variable))
    return settings


_EXAMPLES = {
    "redis_url": "redis://127.0.0.1:6379/0",
    "mongo_url": "mongodb://127.0.0.1:27017/?replicaSet=rs0",
}


def _missing(given: Mapping[str, Any], require: Collection[str]) -> Iterator[Problem]:
    for name in require:
        if name == "jwt":
            if not any(given.get(key) for key in values.KEY_FIELDS):
                message = (
                    "is not set: set it (at least 32 bytes), HUB_JWT_JWKS_URL or HUB_JWT_PUBLIC_KEY"
                )
                yield Problem(variable("jwt_secret"), message)
        elif not given.get(name):
            example = f", for example {_EXAMPLES[name]}" if name in _EXAMPLES else ""
            yield Problem(variable(name), f"is not set{example}")


def _keys_without_algorithm(given: Mapping[str, Any]) -> Iterator[Problem]:
    """An algorithm whose own key is not set could never accept a token."""
    chosen = values.split_names(given.get("jwt_algorithms") or ())
    if not isinstance(chosen, tuple) or not any(given.get(key) for key in values.KEY_FIELDS):
        return
    for name in chosen:
        if name in values.ALGORITHMS and not any(given.get(key) for key in values.key_fields(name)):
            needed = " or ".join(variable(key) for key in values.key_fields(name))
            yield Problem(variable("jwt_algorithms"), f"{name} needs {needed}, which is not set")


def _malformed(error: ValidationError) -> Iterator[Problem]:
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        message = item["msg"].removeprefix("Value error, ").replace("Input should", "should", 1)
        yield Problem(variable(str(item["loc"][0])), message)


def variable(field: str) -> str:
    """The environment variable of a field of :class:`Settings`."""
    return PREFIX + field.upper()
