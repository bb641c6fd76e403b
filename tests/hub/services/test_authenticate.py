"""Tokens: who is let in as whom, and everybody else is not; PyJWT is asked for its opinion, too."""

from __future__ import annotations

import asyncio
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
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from config.settings import Settings, load_settings
from hub.domain import codes
from hub.domain.principal import Principal, Role
from hub.services.authenticate import Authenticator
from hub.services.keyset import PublishedKeys, Unreachable

SECRET = "a-secret-of-these-tests-that-is-long-enough"
SOON = int(time.time()) + 36_000  # not while these tests run
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_RSA = rsa.generate_private_key(65537, 2048)
WRONG_KEY = rsa.generate_private_key(65537, 2048)
CLAIMS: dict[str, Any] = {"sub": "u1", "exp": SOON}


def settings(**variables: str) -> Settings:
    """Settings of these variables only."""
    named = {f"HUB_{name.upper()}": value for name, value in variables.items()}
    return load_settings(named, require=())


def pem(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey,
) -> str:
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


def confused() -> dict[str, str]:
    """Names of keys that are none: where somebody else's key might be found."""
    return {
        "a path": "../../../../dev/null",
        "an address": "http://127.0.0.1:9/keys",
        "a file": "file:///etc/passwd",
        "a query": "' UNION SELECT 'key' --",
        "very long": "k" * 4000,
        "nothing": "",
    }


@pytest.mark.parametrize("kid", confused().values(), ids=confused())
async def test_the_name_of_a_key_is_no_more_than_a_name(by_secret: Authenticator, kid: str) -> None:
    for forged in (
        token(key="\0" * 32, headers={"kid": kid}),
        token(key="x" * 40, headers={"kid": kid}),
    ):
        assert await verdict(by_secret, forged) == "UNAUTHENTICATED"
    named = token(headers={"kid": kid})  # by the one secret there is, whatever it calls it
    assert isinstance(await verdict(by_secret, named), Principal)


@pytest.mark.parametrize("kid", [7, ["r"], {"a": 1}, True])
async def test_a_name_of_another_type_refuses(by_secret: Authenticator, kid: object) -> None:
    signed = f"{part({'alg': 'HS256', 'kid': kid})}.{part(CLAIMS)}".encode()
    proof = jwt.get_algorithm_by_name("HS256").sign(signed, SECRET.encode())
    assert await verdict(by_secret, f"{signed.decode()}.{part(proof)}") == "UNAUTHENTICATED"


async def test_the_previous_secret_is_taken_while_it_is_set() -> None:
    rotating = Authenticator(settings(jwt_secret="n" * 40, jwt_previous_secret=SECRET))
    assert isinstance(await verdict(rotating, token()), Principal)
    assert isinstance(await verdict(rotating, token(key="n" * 40)), Principal)
    assert await verdict(rotating, token(key="m" * 40)) == "UNAUTHENTICATED"


async def test_several_public_keys_of_any_kind() -> None:
    two = Authenticator(settings(jwt_public_key=pem(RSA_KEY) + pem(EC_KEY) + pem(OTHER_RSA)))
    for key, algorithm in ((RSA_KEY, "RS256"), (OTHER_RSA, "RS256"), (EC_KEY, "ES256")):
        assert isinstance(await verdict(two, token(None, key, algorithm)), Principal)
    assert await verdict(two, token(None, WRONG_KEY, "RS256")) == "UNAUTHENTICATED"
    assert await verdict(two, forged_with(pem(RSA_KEY))) == "UNAUTHENTICATED"


async def test_edwards_curves() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    by_key = Authenticator(settings(jwt_public_key=pem(key), jwt_algorithms="EdDSA"))
    assert isinstance(await verdict(by_key, token(None, key, "EdDSA")), Principal)
    assert await verdict(by_key, token(None, RSA_KEY, "RS256")) == "UNAUTHENTICATED"


async def test_clocks_may_differ_by_the_leeway_of_the_settings() -> None:
    strict = Authenticator(settings(jwt_secret=SECRET, jwt_leeway="0"))
    lenient = Authenticator(settings(jwt_secret=SECRET, jwt_leeway="60"))
    late = token({**CLAIMS, "exp": int(time.time()) - 2})
    early = token({**CLAIMS, "nbf": int(time.time()) + 30})
    assert await verdict(strict, late) == "TOKEN_EXPIRED"
    assert await verdict(strict, early) == "UNAUTHENTICATED"
    assert isinstance(await verdict(lenient, late), Principal)
    assert isinstance(await verdict(lenient, early), Principal)


# -- published keys -------------------------------------------------------------------------------


@dataclass
class KeySet:
    """An identity provider's published keys."""

    url: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    fetches: int = 0
    broken: dict[str, Any] | None = None

    async def serve(self, request: web.Request) -> web.Response:
        self.fetches += 1
        if self.broken is not None:
            return web.Response(**self.broken)
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


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_a_new_key_is_fetched_when_its_name_appears_but_not_at_will(keys: KeySet) -> None:
    clock = Clock()
    published = PublishedKeys(keys.url, clock)
    assert await published.get("r") is not None
    for name in range(50):
        assert await published.get(f"invented-{name}") is None
    assert keys.fetches == 1
    keys.keys.append({**RSAAlgorithm.to_jwk(OTHER_RSA.public_key(), as_dict=True), "kid": "new"})
    clock.now += 5
    found = await asyncio.gather(*(published.get("new") for _ in range(50)))
    assert all(found)
    assert keys.fetches == 2
    for name in range(50):
        assert await published.get(f"invented-{name}") is None
    assert keys.fetches == 2


async def test_many_who_come_first_cost_one_fetch(keys: KeySet) -> None:
    by_key_set = Authenticator(settings(jwt_jwks_url=keys.url))
    given = token(None, RSA_KEY, "RS256", {"kid": "r"})
    found = await asyncio.gather(*(verdict(by_key_set, given) for _ in range(50)))
    assert all(isinstance(each, Principal) for each in found)
    assert keys.fetches == 1


async def fetched(published: PublishedKeys) -> None:
    while published._fetching is not None:  # noqa: ASYNC110 - its task is nobody else's
        await asyncio.sleep(0.01)


async def test_a_key_that_was_taken_back_is_forgotten_in_time(keys: KeySet) -> None:
    clock = Clock()
    published = PublishedKeys(keys.url, clock)
    assert await published.get("r") is not None
    del keys.keys[0]
    clock.now += 299
    assert await published.get("r") is not None
    assert keys.fetches == 1
    clock.now += 2
    assert await published.get("r") is not None  # and fetches, without waiting
    await fetched(published)
    assert await published.get("r") is None
    assert keys.fetches == 2


@pytest.mark.parametrize(
    "broken",
    [
        {"status": 500},
        {"status": 302, "headers": {"Location": "/keys"}},
        {"text": "nonsense"},
        {"text": "[]"},
        {"text": '{"keys":[]}'},
        {"text": '{"keys":[{"kty":"RSA","kid":"r"},{"kid":7},{}]}'},
        {"text": '{"keys":"' + "x" * 600_000 + '"}'},
    ],
    ids=["error", "redirect", "no JSON", "no set", "empty", "no key", "too large"],
)
async def test_while_the_provider_is_away_its_last_keys_stay(keys: KeySet, broken: Any) -> None:
    clock = Clock()
    published = PublishedKeys(keys.url, clock)
    keys.broken = broken
    with pytest.raises(Unreachable):
        await published.get("r")
    with pytest.raises(Unreachable):
        await published.get("r")
    assert keys.fetches == 1  # the second one was not worth a try yet
    keys.broken = None
    clock.now += 1
    assert await published.get("r") is not None
    keys.broken = broken
    for _ in range(3):
        clock.now += 1000
        assert await published.get("r") is not None
        await fetched(published)
        clock.now += 1000
        assert await published.get("unknown") is None
    assert keys.fetches == 8
    await published.close()


async def test_a_published_key_is_for_its_own_algorithm_only(keys: KeySet) -> None:
    keys.keys[0]["alg"] = "RS512"
    by_key_set = Authenticator(
        settings(jwt_jwks_url=keys.url, jwt_algorithms="RS256,RS512,PS256,ES256")
    )
    for algorithm, taken in (("RS512", True), ("RS256", False), ("PS256", False)):
        found = await verdict(by_key_set, token(None, RSA_KEY, algorithm, {"kid": "r"}))
        assert isinstance(found, Principal) == taken, algorithm


async def test_a_private_key_that_was_published_is_not_used(keys: KeySet) -> None:
    keys.keys[0] = {**RSAAlgorithm.to_jwk(RSA_KEY, as_dict=True), "kid": "r"}
    by_key_set = Authenticator(settings(jwt_jwks_url=keys.url))
    assert await verdict(by_key_set, token(None, RSA_KEY, "RS256", {"kid": "r"})) == (
        "UNAUTHENTICATED"
    )
