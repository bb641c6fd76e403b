"""Where a client is, and who is believed to tell."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from hub.gateways.addresses import address_of, addresses, site

PROXIES = ("10.0.0.0/8", "fd00::/8", "192.0.2.1")


class Transport:
    """Of a request that comes from somewhere."""

    def __init__(self, peer: str) -> None:
        self._peer = peer

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (self._peer, 1) if name == "peername" else default


async def found(peer: str, *forwarded: str, trusted: tuple[str, ...] = PROXIES) -> str:
    headers = [("X-Forwarded-For", each) for each in forwarded]
    request = make_mocked_request("GET", "/", CIMultiDict(headers), transport=Transport(peer))

    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=address_of(request))

    answer: Any = await addresses(trusted)(request, handler)
    return str(answer.text)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("1.2.3.4", (), "1.2.3.4"),
        ("1.2.3.4", ("5.6.7.8",), "1.2.3.4"),  # nobody that we trust
        ("10.0.0.1", ("5.6.7.8",), "5.6.7.8"),
        ("10.0.0.1", ("9.9.9.9, 5.6.7.8",), "5.6.7.8"),  # the first one is what the client says
        ("10.0.0.1", ("9.9.9.9", "5.6.7.8"), "5.6.7.8"),
        ("10.0.0.1", ("9.9.9.9, 5.6.7.8, 10.0.0.2 , 192.0.2.1",), "5.6.7.8"),
        ("10.0.0.1", ("10.0.0.3, 10.0.0.2",), "10.0.0.3"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("",), "10.0.0.1"),
        ("10.0.0.1", ("5.6.7.8, unknown",), "10.0.0.1"),
        ("10.0.0.1", ("5.6.7.8; DROP",), "10.0.0.1"),
        ("10.0.0.1", ("5.6.7.8:4711",), "5.6.7.8"),
        ("::ffff:10.0.0.1", ("2001:db8::1",), "2001:db8::1"),
        ("fd00::1", ("[2001:db8::1]:80",), "2001:db8::1"),
    ],
)
async def test_the_last_one_that_nobody_vouches_for(
    peer: str, forwarded: tuple[str, ...], address: str
) -> None:
    assert await found(peer, *forwarded) == address
    assert await found(peer, *forwarded, trusted=()) == peer


def test_what_counts_as_one() -> None:
    assert site("192.0.2.1") == site("::ffff:192.0.2.1") == "192.0.2.1"
    assert site("2001:db8::1") == site("2001:db8:0:0:ffff::2") == "2001:db8::"
    assert site("2001:db8:0:1::1") != site("2001:db8::1")
    assert site("fe80::1%eth0") == "fe80::"
    assert site("") == site("nonsense") == "unknown"
