"""Compiles the load client at first use, into the user's cache and never into the repository."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCES = Path(__file__).with_name("src")
FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror")


class BuildError(Exception):
    """The load client cannot be built; the message says what to install or what gcc said."""


def cache_dir() -> Path:
    """Where built programs and other files that can be made again are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "notification-hub-bench"


def load_client() -> Path:
    """The path of the program, built if these very sources were not built before.

    Raises :class:`BuildError` when there is no C compiler or it refuses the sources.
    """
    files = sorted(SOURCES.glob("*.[ch]"))
    digest = hashlib.sha256(b"\0".join([" ".join(FLAGS).encode(), *map(Path.read_bytes, files)]))
    program = cache_dir() / f"load-{digest.hexdigest()[:16]}"
    if program.exists():
        return program
    compiler = shutil.which("gcc") or shutil.which("cc") or shutil.which("clang")
    if compiler is None:
        raise BuildError(
            "python -m bench needs a C compiler for its load client (a Python one would be slower "
            "than the servers it measures): install gcc, for example `apt-get install gcc`"
        )
    program.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=program.parent) as scratch:
        built = Path(scratch) / "load"
        units = [str(file) for file in files if file.suffix == ".c"]
        made = subprocess.run(
            [compiler, *FLAGS, "-o", str(built), *units],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise BuildError(f"{compiler} failed on the load client:\n{made.stderr}")
        built.replace(program)  # atomic: two runs at once do no harm
    return program
