"""A process that has paid for the heavy imports once and forks every measurement from itself.

``python -m tuner.server FD`` speaks over a Unix socket: a request comes with the child's own socket and the pipe for
what it prints; the answer is the child's exit status. Forked children start in a fraction of a second instead of the
seconds that torch takes.

Nothing is left behind (prctl(2)): whatever a child starts and abandons falls back to the child or to this process, which
are subreapers, and is ended with it; the children die with this process, and this process ends them all when the tuner
dies.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from tuner.memory import descendants

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
MAX_REQUEST_BYTES = 1 << 16
SWEEP_SECONDS = 5.0
"""A killed process that is not gone after so long waits for a disk: the kernel ends it when that answers."""


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask Linux for a signal when the parent ends; elsewhere a closed socket ends the server."""
    _prctl(PR_SET_PDEATHSIG, number)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, so that they can be found."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value)


def serve(control: socket.socket) -> None:
    """Fork one child per request until the tuner closes its end."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, MAX_REQUEST_BYTES, 2)
        if not message:
            return
        server, channel = os.getpid(), socket.socket(fileno=descriptors[0])
        pid = os.fork()
        if pid == 0:
            control.close()
            _child(json.loads(message), channel, descriptors[1], server)
        channel.close()
        os.close(descriptors[1])
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # in the child too, whichever comes first: the tuner may kill the group at once
        control.sendall(json.dumps({"pid": pid}).encode() + b"\n")
        # It stays a zombie until the tuner says that it will signal it no more: its id must not be another's by then.
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        control.recv(1)
        status = sweep(pid)
        control.sendall(json.dumps({"status": status}).encode() + b"\n")


def sweep(pid: int | None = None) -> int:
    """End and reap everything below this process.

    Returns:
        The exit status of ``pid``, negative for a signal.
    """
    status, end = -signal.SIGKILL, time.monotonic() + SWEEP_SECONDS
    while True:
        for one in descendants(os.getpid()):
            if one != pid:
                with contextlib.suppress(OSError):
                    os.kill(one, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if found[0] == pid:
                    status = os.waitstatus_to_exitcode(found[1])
        if not descendants(os.getpid()) or time.monotonic() > end:
            return status
        time.sleep(0.001)


def _child(request: dict[str, Any], channel: socket.socket, log: int, server: int) -> NoReturn:
    """A forked child must not run the server's loop."""
    status = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setpgid(0, 0)
        die_with_parent()
        adopt_orphans()
        if os.getppid() != server:
            os._exit(status)  # it died before we could ask to die with it
        _redirect(log)
        from tuner.limits import become_first_victim, limit_memory
        from tuner.worker import work

        become_first_victim()
        if request["host_bytes"] is not None:
            limit_memory(request["host_bytes"])
        work(json.loads(Path(request["request"]).read_text(encoding="utf-8")), channel)
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _redirect(log: int) -> None:
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what it said last is what explains a death


@contextlib.contextmanager
def scratch() -> Iterator[str]:
    """A folder for everything temporary of this process and its children, which are killed before they can clean up."""
    with tempfile.TemporaryDirectory(prefix="gnnfit-server-", ignore_cleanup_errors=True) as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        yield folder


def _end(folder: str, number: int, frame: Any) -> NoReturn:
    """The tuner has died, or the machine goes down."""
    sweep()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def main() -> None:
    """Entry point of the server process."""
    die_with_parent()
    adopt_orphans()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=int(sys.argv[1])) as control, scratch() as folder:
        signal.signal(signal.SIGTERM, functools.partial(_end, folder))
        die_with_parent(signal.SIGTERM)
        import tuner.preload  # noqa: F401

        control.sendall(b'{"ready": true}\n')
        try:
            serve(control)
        except OSError:
            pass  # the tuner has gone
        finally:
            sweep()


if __name__ == "__main__":
    main()
