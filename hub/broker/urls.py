"""Redis URLs of several servers, which redis-py does not read (contract section 1).

``redis+cluster://[user:password@]host:port[,host:port …][?ssl=true]`` — some nodes of a cluster.
``redis+sentinel://[user:password@]host:port[,host:port …]/service[/db][?ssl=true]`` — Sentinels and
the name of what they watch. The credentials are those of the servers; the Sentinels' own come as
``sentinel_username`` and ``sentinel_password``. Other parameters are redis-py's, as for ``rediss``.
"""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode

CLUSTER: Final = "redis+cluster"
SENTINEL: Final = "redis+sentinel"
_PORTS: Final = {CLUSTER: 6379, SENTINEL: 26379}

Address = tuple[str, int]
"""Host and port."""


@dataclass(frozen=True)
class ServersUrl:
    """A URL of several servers, taken apart. ``own``: parameters that redis-py does not know."""

    scheme: str
    addresses: tuple[Address, ...]
    service: str
    db: str
    _credentials: str = field(repr=False)
    _query: str = field(repr=False)
    own: dict[str, str] = field(repr=False)

    def of(self, host: str, port: int) -> str:
        """The redis-py URL of one server."""
        scheme = "rediss" if self.own.get("ssl", "").lower() in ("1", "true", "yes") else "redis"
        host = f"[{host}]" if ":" in host else host
        return f"{scheme}://{self._credentials}{host}:{port}/{self.db}?{self._query}"


def parse_servers(url: str) -> ServersUrl | None:
    """``url`` taken apart; None when it is of one server. Raises ``ValueError`` when a Sentinel's
    service is missing."""
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    if scheme not in _PORTS:
        return None
    authority, path, query = re.fullmatch(r"([^/?#]*)([^?#]*)\??([^#]*).*", rest).groups()  # type: ignore[union-attr]
    user, at, hosts = authority.rpartition("@")
    service, _, db = path.strip("/").partition("/") if scheme == SENTINEL else ("", "", "0")
    if scheme == SENTINEL and not service:
        raise ValueError("a Sentinel URL needs the service: redis+sentinel://host:26379/service")
    parameters = dict(parse_qsl(query))
    own = {name: parameters.pop(name) for name in _OWN if name in parameters}
    return ServersUrl(
        scheme,
        tuple(_address(host, _PORTS[scheme]) for host in hosts.split(",")),
        unquote(service),
        db or "0",
        user + at,
        urlencode(parameters),
        own,
    )


_OWN: Final = ("ssl", "sentinel_username", "sentinel_password")


def _address(text: str, default: int) -> Address:
    bracketed = re.fullmatch(r"\[(.+)\](?::(\d+))?", text)
    host, port = bracketed.groups() if bracketed else text.partition(":")[::2]
    return host, int(port or default)
