"""Start a program that dies with its parent: ``python guard.py PARENT_PID PROGRAM ARGS…``.

Run by path, before anything of the project is imported: it asks Linux to send SIGKILL when the
parent goes, then becomes the program (same pid). So a killed supervisor leaves nothing behind.
Doing this here and not in a ``preexec_fn`` keeps Python code out of the gap after ``fork``, where
a thread of the parent may hold any lock.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, argv: list[str]) -> None:
    """Bind this process's life to ``parent`` and become ``argv``; does not return."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it went before we could ask
        raise SystemExit("the parent process is gone")
    os.execvp(argv[0], argv)  # noqa: S606 - the point of this module


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
