"""The HTTP API (contract section 5), on aiohttp: routes in ``app``, a module per resource."""
