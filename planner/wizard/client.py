"""The screen's side of the planning child: asks, waits without blocking, starts it again where it has died."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from planner.wizard.story import log_tail
from techniques.errors import GnnfitError

SERVER = (sys.executable, "-m", "planner.wizard.server")
MAX_REPLY_BYTES = 2**28


class PlanningFailedError(GnnfitError):
    """The planning child refused, or died."""


class PlanningClient:
    """One child, one request at a time."""

    def __init__(self, command: tuple[str, ...] = SERVER) -> None:
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._turn, self._starting = asyncio.Lock(), asyncio.Lock()
        self._last, self._closed = 0, False
        descriptor, name = tempfile.mkstemp(prefix="gnnfit-wizard-", suffix=".log")
        os.close(descriptor)
        self.log = Path(name)

    async def ask(self, command: str, arguments: list[str]) -> str:
        """The document that the child answers with.

        Raises:
            PlanningFailedError: with its reason.
        """
        async with self._turn:
            process = await self.start()
            self._last += 1
            request = {"id": self._last, "command": command, "arguments": arguments}
            with contextlib.suppress(ConnectionError):
                assert process.stdin is not None
                process.stdin.write(json.dumps(request).encode() + b"\n")
                await process.stdin.drain()
            reply = await self._reply(process, self._last)
        if "error" in reply:
            raise PlanningFailedError(reply["error"].rstrip("."), "Change the answers and go on")
        return str(reply["document"])

    async def start(self) -> asyncio.subprocess.Process:
        """The child, begun where there is none.

        Raises:
            PlanningFailedError: the client is closed; whoever still asks then gets no child.
        """
        async with self._starting:
            if self._closed:
                raise PlanningFailedError("the wizard has been left", "Start it again")
            if self._process is None or self._process.returncode is not None:
                self._process = await self._begin()
            return self._process

    async def _begin(self) -> asyncio.subprocess.Process:
        with self.log.open("a") as log:
            return await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                limit=MAX_REPLY_BYTES,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )

    async def _reply(self, process: asyncio.subprocess.Process, number: int) -> dict[str, Any]:
        """The answer to this request; answers to requests that nobody waits for any more are skipped."""
        assert process.stdout is not None
        while line := await process.stdout.readline():
            reply: dict[str, Any] = json.loads(line)
            if reply["id"] == number:
                return reply
        status = await process.wait()
        last = next((line for line in reversed(log_tail(self.log)) if line.strip()), "it said nothing")
        return {"error": f"planning ended with status {status} ({last[:200]})"}

    async def close(self) -> None:
        """End the child, one that is just being started too, and remove its log; none is started any more."""
        async with self._starting:
            self._closed = True
            process, self._process = self._process, None
            if process is not None and process.returncode is None:
                process.kill()
                await process.wait()
            if process is not None:
                process._transport.close()  # type: ignore[attr-defined]
            self.log.unlink(missing_ok=True)

    async def rest(self) -> None:
        """End the child until it is needed again: a run wants the memory."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
