"""``DATA_DIR/dev.json``: how workers and tools in another shell find a running ``hub dev``.

Contract section 1 fixes its fields. It holds a secret, so only its owner can read it.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec


class DevFile(msgspec.Struct, frozen=True, rename="camel"):
    """What ``hub dev`` runs on; ``jwt_secret`` is ``None`` when tokens are signed elsewhere."""

    url: str
    redis_url: str
    mongo_url: str
    jwt_secret: str | None
    pid: int


def path_in(data_dir: Path) -> Path:
    """Where the file of ``data_dir`` is."""
    return data_dir / "dev.json"


def read(data_dir: Path) -> DevFile | None:
    """The file of the current or last run; ``None`` when there is none that can be read."""
    try:
        return msgspec.json.decode(path_in(data_dir).read_bytes(), type=DevFile)
    except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError):
        return None


def write(data_dir: Path, content: DevFile) -> None:
    """Replace the file in one step, mode 600: a reader sees the old one or the new one."""
    draft = path_in(data_dir).with_suffix(f".{os.getpid()}.tmp")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(content)) + b"\n")
    draft.replace(path_in(data_dir))
