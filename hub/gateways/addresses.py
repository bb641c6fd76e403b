"""Where a client is: its own address, also behind proxies that are trusted to tell it."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from hub.gateways.http.problems import Handler

_ADDRESS: Final = web.RequestKey("address", str)
_SITE: Final = 64  # bits of an IPv6 address that its holder does not choose
Address = IPv4Address | IPv6Address


def addresses(trusted: Iterable[str]) -> Middleware:
    """Finds out each request's address. ``trusted``: addresses and networks of the proxies whose
    ``X-Forwarded-For`` is believed; anybody else may write there what they like."""
    networks = [ip_network(each) for each in trusted]

    def believed(address: Address) -> bool:
        return any(address in each for each in networks)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if networks and (peer := _parsed(request.remote or "")) is not None:
            told = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
            while believed(peer) and told and (before := _parsed(told.pop())) is not None:
                peer = before
            request[_ADDRESS] = str(peer)
        return await handler(request)

    return middleware


def address_of(request: web.BaseRequest) -> str:
    """The client's address."""
    found: str = request.get(_ADDRESS) or request.remote or ""
    return found


def site(address: str) -> str:
    """Whom a limit per address is of: with IPv6, all addresses of one network of 64 bits."""
    found = _parsed(address)
    if not isinstance(found, IPv6Address):
        return str(found or "unknown")
    return str(IPv6Network((found, _SITE), strict=False).network_address)


def _parsed(text: str) -> Address | None:
    """An address, perhaps with a port; that of IPv4 within IPv6 is IPv4."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found
