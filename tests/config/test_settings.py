"""Settings: contract section 1's variables, all problems at once, no secret in any text."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr, ValidationError

from config.settings import Rate, Settings, SettingsError, load_settings, mask_url

SECRET = "s3cret-" * 5
GOOD = {
    "HUB_REDIS_URL": "redis://127.0.0.1:6379/0",
    "HUB_MONGO_URL": "mongodb://127.0.0.1:27017/",
    "HUB_JWT_SECRET": SECRET,
}
PEM = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


def test_each_is_described_for_the_reference() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_defaults_are_the_contracts() -> None:
    settings = load_settings(GOOD)
    assert settings.mongo_db == "hub"
    assert settings.max_connections_per_job == 5
    assert settings.idle_timeout == 1800
    assert settings.job_retention == 86_400
    assert settings.notification_retention == 7_776_000
    assert settings.rate_commands == Rate(20, 1)
    assert settings.rate_connects == Rate(60, 60)
    assert settings.outbox_bytes == 1_048_576
    assert settings.drain_seconds == 25
    assert settings.cors_origins == ()
    assert (settings.partitions, settings.max_message) == (16, 65_536)
    assert settings.compression is False


def test_everything_can_be_set() -> None:
    settings = load_settings(
        {
            **GOOD,
            "HUB_MONGO_DB": "other",
            "HUB_CORS_ORIGINS": "https://a.example, http://localhost:5173",
            "HUB_JWT_ALGORITHMS": "HS256,HS512",
            "HUB_RATE_CONNECTS": "100/5minute",
            "HUB_IDLE_TIMEOUT": "0.5",
            "HUB_COMPRESSION": "on",
            "HUB_LOG_LEVEL": "debug",
            "HUB_LOG_WIRE": "user:u1, sid:a-b_c",
            "HUB_LOG_FORMAT": "Console",
        }
    )
    assert settings.cors_origins == ("https://a.example", "http://localhost:5173")
    assert settings.jwt_algorithms == ("HS256", "HS512")
    assert settings.rate_connects == Rate(100, 300)
    assert settings.idle_timeout == 0.5
    assert settings.compression is True
    assert (settings.log_level, settings.log_format) == ("DEBUG", "console")
    assert settings.log_wire == ("user:u1", "sid:a-b_c")


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "rediss://u:p@h:6380/1",
        "redis+sentinel://:p@h1:26379,h2:26379/mymaster/0",
        "redis+cluster://h1:7000,h2:7000,[::1]:7000",
    ],
)
def test_redis_urls_of_every_topology(url: str) -> None:
    assert load_settings({**GOOD, "HUB_REDIS_URL": url}).redis_url == url


@pytest.mark.parametrize("rest", ["", "/", "/?db=1"])
def test_a_sentinel_url_names_its_service(rest: str) -> None:
    with pytest.raises(SettingsError, match=r"HUB_REDIS_URL.*service"):
        load_settings({**GOOD, "HUB_REDIS_URL": f"redis+sentinel://h:26379{rest}"})


def test_every_problem_is_named_in_one_error() -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings(
            {
                "HUB_MONGO_URL": "http://127.0.0.1/",
                "HUB_JWT_SECRET": "too-short",
                "HUB_JWT_ALGORITHMS": "none",
                "HUB_RATE_COMMANDS": "20 per second",
                "HUB_IDLE_TIMEOUT": "-1",
                "HUB_OUTBOX_BYTES": "lots",
                "HUB_AUTHORIZE_TIMEOUT": "11",
                "HUB_AUTHORIZE_TTL": "-1",
                "HUB_AUTHORIZE_URL": "ftp://backend.example/may",
                "HUB_CORS_ORIGINS": "example.com",
                "HUB_LOG_WIRE": "u1",
                "HUB_LOG_FORMAT": "xml",
                "HUB_PARTITIONS": "101",
                "HUB_COMPRESSION": "gzip",
                "HUB_MONGO_DB": "a/b",
            }
        )
    lines = str(raised.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "HUB_AUTHORIZE_TIMEOUT",
        "HUB_AUTHORIZE_TTL",
        "HUB_AUTHORIZE_URL",
        "HUB_COMPRESSION",
        "HUB_CORS_ORIGINS",
        "HUB_IDLE_TIMEOUT",
        "HUB_JWT_ALGORITHMS",
        "HUB_JWT_SECRET",
        "HUB_LOG_FORMAT",
        "HUB_LOG_WIRE",
        "HUB_MONGO_DB",
        "HUB_MONGO_URL",
        "HUB_OUTBOX_BYTES",
        "HUB_PARTITIONS",
        "HUB_RATE_COMMANDS",
        "HUB_REDIS_URL",
    ]
    assert "too-short" not in str(raised.value)
    assert len(lines) == len(raised.value.problems)


def test_missing_variables_are_named_and_can_be_waived() -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings({"HUB_REDIS_URL": ""})
    assert [problem.variable for problem in raised.value.problems] == [
        "HUB_JWT_SECRET",
        "HUB_MONGO_URL",
        "HUB_REDIS_URL",
    ]
    assert load_settings({}, require=()).redis_url is None
    assert load_settings({"HUB_REDIS_URL": "redis://h"}, require=["redis_url"]).mongo_url is None


@pytest.mark.parametrize(
    ("given", "algorithms"),
    [
        ({"HUB_JWT_SECRET": SECRET}, ("HS256",)),
        ({"HUB_JWT_PUBLIC_KEY": PEM}, ("RS256", "ES256")),
        ({"HUB_JWT_PUBLIC_KEY": PEM.replace("\n", "\\n")}, ("RS256", "ES256")),
        ({"HUB_JWT_JWKS_URL": "https://issuer.example/jwks"}, ("RS256", "ES256")),
        ({"HUB_JWT_SECRET": SECRET, "HUB_JWT_PUBLIC_KEY": PEM}, ("HS256", "RS256", "ES256")),
    ],
)
def test_default_algorithms_follow_the_keys(
    given: dict[str, str], algorithms: tuple[str, ...]
) -> None:
    assert load_settings(given, require=["jwt"]).jwt_algorithms == algorithms


def test_an_algorithm_without_its_own_key_is_a_problem() -> None:
    with pytest.raises(SettingsError, match="HUB_JWT_ALGORITHMS: RS256 needs HUB_JWT_JWKS_URL"):
        load_settings({**GOOD, "HUB_JWT_ALGORITHMS": "HS256,RS256"})
    with pytest.raises(SettingsError, match="HUB_JWT_ALGORITHMS: HS256 needs HUB_JWT_SECRET"):
        load_settings({"HUB_JWT_PUBLIC_KEY": PEM, "HUB_JWT_ALGORITHMS": "HS256"}, require=["jwt"])


def test_no_text_of_the_settings_has_a_secret() -> None:
    settings = load_settings(
        {
            **GOOD,
            "HUB_REDIS_URL": "rediss://user:hunter2@h:6379/0",
            "HUB_MONGO_URL": "mongodb://user:hunter2@h1,h2/?authSource=admin",
        }
    )
    for text in (repr(settings), str(settings), settings.model_dump_json(include={"jwt_secret"})):
        assert "hunter2" not in text
        assert SECRET not in text
    assert settings.jwt_secret is not None
    assert settings.jwt_secret.get_secret_value() == SECRET


@pytest.mark.parametrize(
    "url", ["redis://user:hunter2@h:99999/0", "redis://user:hunter2@/0", "http://u:hunter2@h"]
)
def test_no_error_text_has_a_password(url: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings({**GOOD, "HUB_REDIS_URL": url})
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("redis://h:1/0", "redis://h:1/0"),
        ("redis://:p@h:1/0", "redis://:***@h:1/0"),
        ("redis://u:p@ss@h:1/0", "redis://u:***@h:1/0"),
        ("redis://token@h", "redis://***@h"),
        ("mongodb://u:p@a,b/?x=1&password=q", "mongodb://u:***@a,b/?x=1&password=***"),
    ],
)
def test_mask_url(url: str, masked: str) -> None:
    assert mask_url(url) == masked


@pytest.mark.parametrize("rate", ["20/second", "60/minute", "100/5minute", "1/day", "7/90second"])
def test_a_rate_is_written_as_it_is_read(rate: str) -> None:
    assert str(Rate.parse(rate)) == rate


@pytest.mark.parametrize("rate", ["", "20", "0/second", "20/0second", "20/week", "-1/second"])
def test_a_wrong_rate_is_refused(rate: str) -> None:
    with pytest.raises(ValueError, match="is not a rate"):
        Rate.parse(rate)


def test_the_constructor_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    assert Settings().redis_url is None
    assert load_settings().redis_url == GOOD["HUB_REDIS_URL"]


def test_settings_are_frozen() -> None:
    settings = Settings(jwt_secret=SecretStr(SECRET))
    with pytest.raises(ValidationError, match="frozen"):
        settings.mongo_db = "other"


def test_json_like_values_are_not_evaluated() -> None:
    with pytest.raises(SettingsError, match="HUB_CORS_ORIGINS"):
        load_settings({**GOOD, "HUB_CORS_ORIGINS": json.dumps(["https://a.example"])})


@pytest.mark.parametrize("password", ["plain", "hun/ter3", "what?", "a#b", "a@b"])
def test_a_password_is_masked_even_where_it_should_have_been_escaped(password: str) -> None:
    shown = mask_url(f"mongodb://u:{password}@host/db")
    assert password not in shown
    assert shown == "mongodb://u:***@host/db"


def test_the_password_of_the_authorizing_backend_is_masked() -> None:
    url = "https://hub:hush@backend.example/may"
    settings = load_settings({**GOOD, "HUB_AUTHORIZE_URL": url})
    assert settings.authorize_url == url
    assert (settings.authorize_timeout, settings.authorize_ttl) == (1.5, 10)
    assert "hush" not in repr(settings)
