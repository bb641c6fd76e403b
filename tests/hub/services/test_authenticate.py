"""Tokens: who is let in as whom, and everybody else is not; PyJWT is asked for its opinion, too."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from config.settings import Settings, load_settings
from hub.domain import codes
from hub.domain.principal import Principal, Role
from hub.services.authenticate import Authenticator

SECRET = "a-secret-of-these-tests-that-is-long-enough"
SOON = int(time.time()) + 36_000  # not while these tests run
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
WRONG_KEY = rsa.generate_private_key(65537, 2048)
CLAIMS: dict[str, Any] = {"sub": "u1", "exp": SOON}


def settings(**variables: str) -> Settings:
    """Settings of these variables only."""
    named = {f"HUB_{name.upper()}": value for name, value in variables.items()}
    return load_settings(named, require=())


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    """The public half."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def token(
    claims: Mapping[str, Any] | None = None,
    key: Any = SECRET,
    algorithm: str = "HS256",
    headers: dict[str, Any] | None = None,
) -> str:
    return jwt.encode(dict(claims or CLAIMS), key, algorithm, headers)


async def verdict(authenticator: Authenticator, given: object) -> Principal | str:
    """The principal, or the code of the refusal."""
    try:
        return await authenticator.verify(given)
    except codes.HubError as error:
        return error.code.name


@pytest.fixture
def by_secret() -> Authenticator:
    return Authenticator(settings(jwt_secret=SECRET))


# -- what a token says ----------------------------------------------------------------------------


async def test_a_token_names_its_holder(by_secret: Authenticator) -> None:
    claims = {"sub": "u1", "exp": SOON, "jti": "t1", "roles": ["admin", "cook"]}
    who = await by_secret.verify(token({**claims, "projects": ["p1", "p2"]}))
    assert (who.user_id, who.token_id) == ("u1", "t1")
    assert who.roles == {Role.ADMIN}
    assert who.projects == frozenset({"p1", "p2"})
    assert who.expires_at.timestamp() == SOON


async def test_a_token_that_says_no_more_than_it_must_is_a_users(by_secret: Authenticator) -> None:
    who = await by_secret.verify(token())
    assert (who.projects, who.token_id) == (frozenset(), None)
    assert who.roles == {Role.USER}


@pytest.mark.parametrize("projects", ["*", ["*"], ["p1", "*"]])
async def test_a_star_is_every_project(by_secret: Authenticator, projects: object) -> None:
    assert (await by_secret.verify(token({**CLAIMS, "projects": projects}))).projects is None


async def test_an_empty_list_of_roles_is_none(by_secret: Authenticator) -> None:
    assert (await by_secret.verify(token({**CLAIMS, "roles": []}))).roles == frozenset()


REFUSED = {
    "no subject": {"exp": SOON},
    "a subject that is no text": {"sub": 7},
    "a subject that is no user id": {"sub": "a b"},
    "an empty subject": {"sub": ""},
    "no expiry": {"exp": None},
    "an expiry in words": {"exp": str(SOON)},
    "an expiry beyond all calendars": {"exp": 1e300},
    "not yet valid": {"nbf": SOON},
    "issued in the future": {"iat": SOON},
    "roles that are no list": {"roles": "admin"},
    "roles that are no names": {"roles": [1]},
    "projects that are no list": {"projects": "p1"},
    "projects that are no ids": {"projects": [{}]},
    "an id that is no text": {"jti": 7},
}


@pytest.mark.parametrize("claims", REFUSED.values(), ids=REFUSED)
async def test_claims_that_refuse_a_token(by_secret: Authenticator, claims: Any) -> None:
    whole = claims if claims == {"exp": SOON} else {**CLAIMS, **claims}
    assert await verdict(by_secret, token(whole)) == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        ({"exp": -60}, "TOKEN_EXPIRED"),
        ({"exp": -2}, None),
        ({"nbf": 3, "iat": 3}, None),
        ({"exp": -60, "nbf": 60}, "UNAUTHENTICATED"),
    ],
    ids=["expired", "within the leeway", "clocks that differ a little", "never valid"],
)
async def test_times(by_secret: Authenticator, seconds: dict[str, int], code: str | None) -> None:
    times = {name: int(time.time()) + delta for name, delta in seconds.items()}
    found = await verdict(by_secret, token({**CLAIMS, **times}))
    assert found == code or (code is None and isinstance(found, Principal))


@pytest.mark.parametrize(
    ("claims", "accepted"),
    [
        ({"iss": "us", "aud": "hub"}, True),
        ({"iss": "us", "aud": ["other", "hub"]}, True),
        ({"iss": "us", "aud": "hu"}, False),
        ({"iss": "us", "aud": ["other"]}, False),
        ({"iss": "us", "aud": []}, False),
        ({"iss": "us"}, False),
        ({"iss": "them", "aud": "hub"}, False),
        ({"aud": "hub"}, False),
    ],
)
async def test_issuer_and_audience(claims: Any, accepted: bool) -> None:
    by_issuer = Authenticator(
        settings(jwt_secret=SECRET, jwt_issuer="us", jwt_audience="hub"),
    )
    found = await verdict(by_issuer, token({**CLAIMS, **claims}))
    assert isinstance(found, Principal) == accepted


async def test_an_audience_that_nobody_asks_for_does_not_matter(by_secret: Authenticator) -> None:
    assert (await by_secret.verify(token({**CLAIMS, "iss": "x", "aud": "y"}))).user_id == "u1"


# -- who signed it --------------------------------------------------------------------------------


def part(content: object) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned(header: object, claims: object = CLAIMS, signature: bytes = b"") -> str:
    return f"{part(header)}.{part(claims)}.{part(signature)}"


GOOD = token()
MALFORMED = {
    "nothing": "",
    "no text": None,
    "bytes": GOOD.encode(),
    "one part": GOOD.partition(".")[0],
    "two parts": GOOD.rpartition(".")[0],
    "four parts": f"{GOOD}.{GOOD.rpartition('.')[2]}",
    "no signature": GOOD.rpartition(".")[0] + ".",
    "padding": GOOD + "=",
    "a character that is none of base64url's": GOOD[:-4] + "!" + GOOD[-4:],
    "a character of base64's": GOOD[:-4] + "+/" + GOOD[-2:],
    "a line break": GOOD + "\n",
    "letters beyond ASCII": GOOD[:-1] + "\u00e9",
    "a lone surrogate": GOOD[:-1] + "\ud800",
    "too long": token({**CLAIMS, "more": "x" * 8192}),
    "a header that is no JSON": unsigned(b"{"),
    "a header that is no object": unsigned([]),
    "a header without end": unsigned(b"[" * 5000),
    "no algorithm": unsigned({"typ": "JWT"}),
    "the algorithm none": unsigned({"alg": "none"}),
    "another spelling of none": unsigned({"alg": "nOnE"}),
    "an algorithm that is a list": unsigned({"alg": ["HS256"]}),
    "an algorithm that is not allowed": token(key=SECRET * 2, algorithm="HS512"),
    "another secret": token(key="another-secret-that-is-long-enough-too"),
    "an extension that must be understood": token(headers={"crit": ["exp"], "exp": SOON}),
    "a header with a key of its own": token(key=RSA_KEY, algorithm="RS256", headers={"jwk": {}}),
}


@pytest.mark.parametrize("given", MALFORMED.values(), ids=MALFORMED)
async def test_tokens_that_none_of_the_keys_signed(by_secret: Authenticator, given: object) -> None:
    assert await verdict(by_secret, given) == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA_KEY, "RS256"), (EC_KEY, "ES256")], ids=["RSA", "EC"]
)
async def test_a_public_key_checks_tokens_of_its_own_algorithm(key: Any, algorithm: str) -> None:
    by_public_key = Authenticator(settings(jwt_public_key=pem(key)))
    assert isinstance(await verdict(by_public_key, token(None, key, algorithm)), Principal)
    for other in (token(None, WRONG_KEY, "RS256"), forged_with(pem(key)), token()):
        assert await verdict(by_public_key, other) == "UNAUTHENTICATED"


def forged_with(secret: str) -> str:
    """An HS256 token of which the secret is a public key, which everybody knows."""
    signed = f"{part({'alg': 'HS256'})}.{part(CLAIMS)}"
    algorithm = jwt.get_algorithm_by_name("HS256")
    return f"{signed}.{part(algorithm.sign(signed.encode(), secret.encode()))}"


async def test_with_a_secret_and_a_public_key_each_algorithm_takes_its_own() -> None:
    both = Authenticator(
        settings(jwt_secret=SECRET, jwt_public_key=pem(RSA_KEY)),
    )
    assert isinstance(await verdict(both, token()), Principal)
    assert isinstance(await verdict(both, token(None, RSA_KEY, "RS256")), Principal)
    assert await verdict(both, forged_with(pem(RSA_KEY))) == "UNAUTHENTICATED"


@given(st.data())
async def test_nothing_is_accepted_that_pyjwt_refuses(data: st.DataObject) -> None:
    """Whatever is made of a good token by changing, dropping or adding a few characters."""
    text = list(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        to = data.draw(st.integers(at, min(len(text), at + 2)))
        text[at:to] = data.draw(st.text("AZaz09-_=.+/ \n", max_size=2))
    changed = "".join(text)
    found = await verdict(Authenticator(settings(jwt_secret=SECRET)), changed)
    if isinstance(found, Principal):
        claims = jwt.decode(changed, SECRET, ["HS256"], options={"require": ["sub", "exp"]})
        assert claims["sub"] == found.user_id


# -- published keys -------------------------------------------------------------------------------


@dataclass
class KeySet:
    """An identity provider's published keys."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    fetches: int = 0

    async def serve(self, request: web.Request) -> web.Response:
        self.fetches += 1
        return web.json_response({"keys": self.keys})


@asynccontextmanager
async def served(keys: KeySet) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_get("/keys", keys.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    keys.url = f"http://127.0.0.1:{runner.addresses[0][1]}/keys"
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.fixture
async def keys() -> AsyncIterator[KeySet]:
    published = KeySet()
    published.keys = [
        {**RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True), "kid": "r", "use": "sig"},
        {**ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True), "kid": "e"},
        {**RSAAlgorithm.to_jwk(WRONG_KEY.public_key(), as_dict=True), "kid": "x", "use": "enc"},
    ]
    async with served(published):
        yield published


async def test_published_keys_are_found_by_their_names_and_fetched_once(keys: KeySet) -> None:
    by_key_set = Authenticator(settings(jwt_jwks_url=keys.url))
    for _ in range(3):
        for key, algorithm, kid in ((RSA_KEY, "RS256", "r"), (EC_KEY, "ES256", "e")):
            given = token(None, key, algorithm, {"kid": kid})
            assert isinstance(await verdict(by_key_set, given), Principal)
    assert keys.fetches == 1


@pytest.mark.parametrize(
    "given",
    [
        token(None, RSA_KEY, "RS256"),
        token(None, RSA_KEY, "RS256", {"kid": "unknown"}),
        token(None, RSA_KEY, "RS256", {"kid": "e"}),
        token(None, WRONG_KEY, "RS256", {"kid": "r"}),
        token(None, WRONG_KEY, "RS256", {"kid": "x"}),
        token(None, SECRET, "HS256", {"kid": "r"}),
    ],
    ids=["no name", "unknown", "of another kind", "another key", "not for signing", "a secret"],
)
async def test_published_keys_that_do_not_fit(keys: KeySet, given: str) -> None:
    by_key_set = Authenticator(settings(jwt_jwks_url=keys.url))
    for _ in range(2):  # before and after the set is known
        assert await verdict(by_key_set, given) == "UNAUTHENTICATED"
        await verdict(by_key_set, token(None, RSA_KEY, "RS256", {"kid": "r"}))


async def test_a_secret_is_never_taken_from_a_key_set(keys: KeySet) -> None:
    keys.keys.append({"kty": "oct", "k": part(SECRET.encode()), "kid": "o"})
    unusable = pem(RSA_KEY)  # as a secret
    by_key_set = Authenticator(settings(jwt_secret=unusable, jwt_jwks_url=keys.url))
    assert await verdict(by_key_set, token(headers={"kid": "o"})) == "UNAUTHENTICATED"


async def test_a_key_set_out_of_reach_is_no_refusal(free_port: int) -> None:
    by_key_set = Authenticator(settings(jwt_jwks_url=f"http://127.0.0.1:{free_port}/keys"))
    given = token(None, RSA_KEY, "RS256", {"kid": "r"})
    assert await verdict(by_key_set, given) == "UNAVAILABLE"
