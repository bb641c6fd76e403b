"""From a fresh clone and an empty environment does what the README says: starts the system, follows
the demo's job from Node, asks with HTTP, runs the README's Python, and stops it all."""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

from tests.support.process import ROOT

_KEPT = re.compile(
    r"(PATH|LANG|(pip|npm_config|https?_proxy|no_proxy|ssl|node_extra)_?.*)", re.IGNORECASE
)
_INSTALLED_WITHIN = 900.0
_WITHIN = 60.0
_FOLLOWED = re.compile(r"following: job (demo-[\w-]+)")
_WRAP = """import ast, asyncio, sys
code = compile(sys.stdin.read(), "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
asyncio.run(eval(code))
"""


class Output:
    """The lines of a process, as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: list[str] = []
        self._news = threading.Condition()
        for stream in (process.stdout, process.stderr):
            threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream: Iterator[str]) -> None:
        for line in stream:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()

    def until(self, pattern: str | re.Pattern[str], within: float = _WITHIN) -> re.Match[str]:
        """The first line that has the pattern in it."""
        deadline = time.monotonic() + within
        with self._news:
            while True:
                for line in self._lines:
                    if found := re.search(pattern, line):
                        return found
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"no {pattern!r} in:\n{''.join(self._lines[-40:])}")
                self._news.wait(1)


def nothing(home: Path) -> dict[str, str]:
    """An environment with nothing of this machine's but where its programs and packages are."""
    kept = {name: value for name, value in os.environ.items() if _KEPT.fullmatch(name)}
    path = [each for each in kept.get("PATH", "").split(":") if ".venv" not in each]
    return {**kept, "PATH": ":".join(path), "HOME": str(home)}


@contextmanager
def started(argv: list[str], cwd: Path, env: Mapping[str, str]) -> Iterator[Output]:
    """A process of its own group, ended by Ctrl-C."""
    process = subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield Output(process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        process.wait(_WITHIN)


def walk(clone: Path, env: Mapping[str, str]) -> None:
    """The README's five minutes, on any free port."""
    readme = (clone / "README.md").read_text()
    (block,) = re.findall(r"^```python\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    with started(["make", "run", "ARGS=--port 0"], clone, env) as system:
        url = system.until(r"^ready (http://\S+)", _INSTALLED_WITHIN)[1]
        say(f"make run: ready {url}")
        job = system.until(_FOLLOWED)[1]
        python = str(clone / ".venv/bin/python")
        (asked,) = re.findall(r"TOKEN=\$\(python (-m hub token .*)\)", readme)
        token = run([python, *asked.split()], clone, env).strip()
        for path in (f"{job}/progress", f"{job}/events?limit=5"):
            headers = {"Authorization": f"Bearer {token}"}
            with urlopen(Request(f"{url}/v1/generation-jobs/{path}", headers=headers)) as answer:
                assert answer.status == 200
        for path in ("/", "/docs", "/openapi.json", "/asyncapi.json"):
            with urlopen(url + path) as answer:
                assert answer.status == 200, path
        follow = ["node", "web/examples/follow.mjs", url, token]
        with started([*follow, job], clone, env) as follower:
            say("follow.mjs: " + follower.until(r"^\d+ [A-Z_]+")[0])
        run([python, "-c", _WRAP], clone, env, block)
        with started([*follow, "mine"], clone, env) as follower:
            say("the README's Python: " + follower.until(r"^\d+ JOB_COMPLETED")[0])


def run(argv: list[str], cwd: Path, env: Mapping[str, str], given: str = "") -> str:
    """What it says; it has to succeed."""
    done = subprocess.run(
        argv, cwd=cwd, env=env, input=given, text=True, capture_output=True, timeout=_WITHIN
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def say(text: str) -> None:
    print(text, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fresh", description=__doc__)
    parser.add_argument("--test", action="store_true", help="then make test there, too")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hub-fresh-") as folder:
        clone, home = Path(folder) / "clone", Path(folder) / "home"
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        env = nothing(home)
        walk(clone, env)
        if wanted.test:
            subprocess.run(["make", "test"], cwd=clone, env=env, check=True)
        say("as the README says")


if __name__ == "__main__":
    main()
