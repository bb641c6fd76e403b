"""Hashes of passwords."""

import re

import pytest

from config import scrypt
from config.settings import SettingsError, load_settings


def test_a_hash_matches_its_password_and_no_other() -> None:
    one, two = scrypt.hashed("pässword of many words"), scrypt.hashed("pässword of many words")
    assert one != two
    assert scrypt.matches("pässword of many words", one)
    assert scrypt.matches("pässword of many words", two)
    assert not scrypt.matches("password of many words", one)
    assert not scrypt.matches("", one)


@pytest.mark.parametrize(
    "given",
    ["", "secret", "$2b$12$abc", "scrypt$1$8$1$AAAAAAAAAAAAAAAA$x", "scrypt$1048576$8$1$a$b"],
)
def test_what_is_no_hash_is_refused_at_start_and_never_matches(given: str) -> None:
    assert not scrypt.matches("secret", given)
    if given:
        with pytest.raises(SettingsError) as refused:
            load_settings({"HUB_SOCKETIO_ADMIN_PASSWORD_HASH": given}, require=())
        assert re.match(r"HUB_SOCKETIO_ADMIN_PASSWORD_HASH: is no hash", str(refused.value))
        assert given not in str(refused.value)


def test_a_hash_is_a_setting_that_is_not_printed() -> None:
    hashed = scrypt.hashed("a password of many words")
    settings = load_settings({"HUB_SOCKETIO_ADMIN_PASSWORD_HASH": hashed}, require=())
    assert settings.socketio_admin_password_hash is not None
    assert settings.socketio_admin_password_hash.get_secret_value() == hashed
    assert hashed not in repr(settings)
    assert not settings.socketio_admin
