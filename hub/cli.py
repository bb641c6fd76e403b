"""The commands of ``python -m hub`` (contract section 1): parse, call, answer.

stdout carries only what a command is asked for. What a command needs is imported in it, so that
``--help`` and mistakes are answered at once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from config.settings import Settings

app = typer.Typer(
    help="Realtime notification hub over Socket.IO.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0: a free one.")]
DataDir = Annotated[Path, typer.Option(help="Where `hub dev` keeps its data.")]

ROLES = ("user", "service", "admin")


def main() -> None:
    """Run the command line; exits 0, 1 (it failed) or 2 (a wrong option or setting)."""
    from config.settings import SettingsError

    try:
        app()
    except SettingsError as error:
        _fail(str(error), status=2)


def _fail(message: str, *, status: int = 1) -> NoReturn:
    typer.echo(message, err=True)
    raise SystemExit(status)


@app.command()
def dev(
    host: Host = "127.0.0.1",
    port: Port = 8800,
    data_dir: DataDir = Path(".hub"),
    demo: Annotated[bool, typer.Option(help="Play demo jobs.")] = True,
) -> None:
    """Run the whole system: Redis, MongoDB, ingest worker, one node and demo jobs."""
    from hub.dev import DevError, run

    try:
        run(host, port, data_dir, demo=demo)
    except (DevError, OSError) as error:
        _fail(str(error))


@app.command()
def serve(
    host: Host = "127.0.0.1",
    port: Port = 8800,
    processes: Annotated[
        int, typer.Option(min=1, max=256, help="Nodes on this address, each a process.")
    ] = 1,
    fd: Annotated[int | None, typer.Option(hidden=True)] = None,
    seat: Annotated[str | None, typer.Option(hidden=True)] = None,
    demo_page: Annotated[bool, typer.Option("--demo-page", hidden=True)] = False,
) -> None:
    """Run one node, or several, against HUB_REDIS_URL and HUB_MONGO_URL.

    ``--fd``: a socket that listens already; ``--demo-page``: give tokens to the page (both of
    `hub dev`). ``--seat``: this is one of several.
    """
    from config.logs import setup_logging
    from config.settings import load_settings

    settings = load_settings()
    setup_logging(settings.log_level, settings.log_format)
    try:
        if processes > 1:
            _serve_many(settings, host, port, processes)
        elif seat is not None:
            _serve_seat(settings, host, port, seat)
        else:
            _serve_one(settings, host, port, fd, demo_page=demo_page)
    except OSError as error:
        _fail(str(error))


def _serve_one(
    settings: Settings, host: str, port: int, fd: int | None, *, demo_page: bool
) -> None:
    import socket

    from hub.listen import listen, url_of

    with listen(host, port) if fd is None else socket.socket(fileno=fd) as sock:
        from hub.app import run_node

        url = url_of(sock, host if fd is None else sock.getsockname()[0])
        run_node(
            settings,
            sock,
            on_ready=lambda: print(f"ready {url}", flush=True),
            demo_page=demo_page,
        )


def _serve_seat(settings: Settings, host: str, port: int, seat: str) -> None:
    from contextlib import closing

    from hub.app import run_node
    from hub.handover import Handover, Seat
    from hub.listen import share, url_of

    with share(host, port) as sock, closing(Handover(Seat.parse(seat))) as handover:
        url = url_of(sock, host)
        run_node(
            settings, sock, on_ready=lambda: print(f"ready {url}", flush=True), handover=handover
        )


def _serve_many(settings: Settings, host: str, port: int, processes: int) -> None:
    if not sys.platform.startswith("linux"):
        _fail("--processes above 1 needs Linux: start nodes on ports of their own behind a proxy")
    from hub.processes import run
    from hub.supervisor import StartError

    try:
        run(settings, host, port, processes)
    except StartError as error:
        _fail(str(error))


@app.command()
def token(
    sub: Annotated[str, typer.Option(help="User id.")],
    role: Annotated[list[str] | None, typer.Option(help=f"Out of {', '.join(ROLES)}.")] = None,
    project: Annotated[
        list[str] | None, typer.Option(help="Project the user may read; '*' for all.")
    ] = None,
    ttl: Annotated[str, typer.Option(help="Valid for: 90s, 15m, 1h, 7d.")] = "1h",
    data_dir: DataDir = Path(".hub"),
) -> None:
    """Print a JWT signed with HUB_JWT_SECRET, or with the secret of a `hub dev` here."""
    from config.settings import load_settings
    from hub import devfile, tokens
    from hub.domain.ids import is_user_id

    roles = role or ["user"]
    if not is_user_id(sub):
        _fail(f"--sub: {sub!r} is not an id of the contract's kind", status=2)
    if wrong := [name for name in project or () if name != "*" and not is_user_id(name)]:
        _fail(f"--project: {wrong[0]!r} is not an id of the contract's kind", status=2)
    if unknown := [name for name in roles if name not in ROLES]:
        _fail(f"--role {unknown[0]}: not one of {', '.join(ROLES)}", status=2)
    try:
        seconds = tokens.parse_ttl(ttl)
    except ValueError as error:
        _fail(f"--ttl: {error}", status=2)
    names = ("HUB_JWT_SECRET", "HUB_JWT_ISSUER", "HUB_JWT_AUDIENCE")
    env = {name: os.environ[name] for name in names if name in os.environ}
    settings = load_settings(env, require=())
    found = devfile.read(data_dir)
    if settings.jwt_secret is not None:
        secret = settings.jwt_secret.get_secret_value()
    elif found is not None and found.jwt_secret:
        secret = found.jwt_secret
    else:
        _fail(f"HUB_JWT_SECRET: is not set, and there is none in {devfile.path_in(data_dir)}")
    print(
        tokens.mint(
            secret,
            sub,
            roles=roles,
            projects=project or (),
            ttl=seconds,
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
        )
    )


@app.command("hash-password")
def hash_password() -> None:
    """Ask for a password (or read a line of a pipe) and print its hash, for
    HUB_SOCKETIO_ADMIN_PASSWORD_HASH."""
    from config import scrypt

    if sys.stdin.isatty():
        password = str(
            typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        )
    else:
        password = sys.stdin.readline().rstrip("\n")
    if len(password) < 12:
        _fail("a password needs at least 12 characters")
    print(scrypt.hashed(password))


@app.command("audit-unread")
def audit_unread() -> None:
    """Compare every user's unread count with what is stored; exit 1 if any differs."""
    import asyncio

    from pymongo.errors import PyMongoError

    from config.settings import load_settings
    from hub.services.inbox.audit import audit
    from hub.services.inbox.stores import inbox_stores
    from hub.stores.mongo import WRITE_TIMEOUT, open_mongo

    settings = load_settings(require=("mongo_url",))

    async def run() -> None:
        async with open_mongo(settings.mongo_url or "", timeout=WRITE_TIMEOUT) as mongo:
            db = mongo[settings.mongo_db]
            found = await audit(inbox_stores(db))
        for drift in found.drifts:
            print(f"{drift.user}: counted {drift.counted}, stored {drift.stored}")
        print(f"{found.users} users, {found.unread} unread, {len(found.drifts)} drifts")
        if found.drifts:
            sys.exit(1)

    try:
        asyncio.run(run())
    except PyMongoError as error:
        _fail(f"MongoDB: {error}")


@app.command()
def doctor() -> None:
    """Check the settings, whether Redis and MongoDB answer, and whether what is published is read;
    exit 1 if anything is wrong."""
    import asyncio

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from hub.doctor import examine

    report = asyncio.run(examine())
    table = Table("", "", show_header=False, box=None)
    for what, state in report.fine:
        table.add_row(f"[green]ok[/green] {what}", escape(state))
    for warning in report.warnings:
        table.add_row("[yellow]look[/yellow]", escape(warning))
    if report.fine:
        Console().print(table)
    limits = Table(box=None)
    limits.add_column("limit", no_wrap=True)
    limits.add_column("", no_wrap=True, justify="right")
    limits.add_column("of")
    for row in report.limits:
        limits.add_row(*map(escape, row))
    if report.fine and report.limits:
        Console().print(limits)
    if report.problems:
        _fail("\n".join(str(problem) for problem in report.problems))


@app.command()
def top(
    once: Annotated[bool, typer.Option(help="Print it once, for a pipe.")] = False,
) -> None:
    """Show nodes, connections, latencies and journals, live; asks only HUB_REDIS_URL."""
    import asyncio

    from redis.exceptions import RedisError

    from config.settings import load_settings
    from hub.top import run

    settings = load_settings(require=("redis_url",))
    try:
        asyncio.run(run(settings, once=once))
    except KeyboardInterrupt:
        return
    except (RedisError, OSError, TimeoutError) as error:
        _fail(f"HUB_REDIS_URL: {error}")


@app.command()
def admin(
    command: Annotated[str, typer.Argument(help="stats, connections, kick, trace, dead …")],
    payload: Annotated[str, typer.Argument(help="JSON.")] = "{}",
    url: Annotated[str, typer.Option(envvar="HUB_URL")] = "http://127.0.0.1:8800",
    token: Annotated[str, typer.Option(envvar="HUB_TOKEN", help="With the role admin.")] = "",
    follow: Annotated[bool, typer.Option(help="Print the events that come, too.")] = False,
) -> None:
    """Give one command of the namespace /admin and print its answer as JSON."""
    import asyncio
    import json

    from hub.remote import Refused, ask

    try:
        given = json.loads(payload)
    except ValueError as error:
        _fail(f"the payload is no JSON: {error}", status=2)
    try:
        asyncio.run(ask(url, token, command, given, follow=follow))
    except KeyboardInterrupt:
        return
    except Refused as error:
        _fail(str(error))
