"""A process that has paid for the heavy imports once and forks every measurement from itself.

``python -m tuner.server FD`` speaks over a Unix socket: a request carries the child's own socket, the answer is the
child's exit status. Forked children start in a fraction of a second instead of the seconds that torch takes, and are
killed by the kernel if this process dies, as this process is if the tuner dies: no orphans (prctl(2), PDEATHSIG).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
import traceback
from typing import Any

PR_SET_PDEATHSIG = 1
MAX_REQUEST_BYTES = 1 << 20


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent ends; elsewhere a closed socket ends the server."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def serve(control: socket.socket) -> None:
    """Fork one child per request until the tuner closes its end."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, MAX_REQUEST_BYTES, 1)
        if not message:
            return
        request = json.loads(message)
        with socket.socket(fileno=descriptors[0]) as channel:
            pid = os.fork()
            if pid == 0:
                control.close()
                _child(request, channel)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # in the child too, whichever comes first: the tuner may kill the group at once
        control.sendall(json.dumps({"pid": pid}).encode() + b"\n")
        _, status = os.waitpid(pid, 0)
        control.sendall(json.dumps({"status": os.waitstatus_to_exitcode(status)}).encode() + b"\n")


def _child(request: dict[str, Any], channel: socket.socket) -> None:
    """Never returns: a forked child must not run the server's loop."""
    status = 1
    try:
        os.setpgid(0, 0)
        die_with_parent()
        _redirect(request["log"])
        from tuner.worker import work

        work(request["work"], channel)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _redirect(log: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def main() -> None:
    """Entry point of the server process."""
    die_with_parent()
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.SIG_IGN)
    import tuner.preload  # noqa: F401

    with socket.socket(fileno=int(sys.argv[1])) as control:
        control.sendall(b'{"ready": true}\n')
        serve(control)


if __name__ == "__main__":
    main()
