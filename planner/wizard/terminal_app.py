"""An application on a terminal that may be stopped, continued and taken away at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import sys
from functools import partial
from typing import IO, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver

WATCH_SECONDS = 1.0


class LastingFile:
    """A terminal's output: what is written after the terminal has gone is nobody's to read."""

    def __init__(self, file: IO[str]) -> None:
        self._file, self.fileno = file, file.fileno

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._file.flush()


class TerminalDriver(LinuxDriver):
    """Textual's thread that writes dies with its terminal, and whoever writes next waits for it for ever: here it lives."""

    _is_starting = _was_continued = False

    def start_application_mode(self) -> None:
        """Continued before the first screen is there, Textual starts from within its own signal handler, in the middle of a start or
        after it: only the last thread that reads would be told to end."""
        if self._is_starting:
            self._was_continued = True
            return
        self._is_starting, self._was_continued = True, False
        self._file = LastingFile(sys.__stderr__)  # type: ignore[assignment,arg-type]
        if self._key_thread is not None and self._key_thread.is_alive():
            self.disable_input()
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._is_starting = False
        if self._was_continued:  # a shell may have had the terminal meanwhile
            self.suspend_application_mode()
            self.resume_application_mode()

    def go_on(self) -> None:
        """After SIGCONT: Textual would start a second time beside what still runs if the stop came from outside."""
        if not self.is_in_front():
            os.kill(os.getpid(), signal.SIGSTOP)  # continued in the background, where nothing may be drawn
            return
        if not self._must_signal_resume:
            self.suspend_application_mode()
        self.resume_application_mode()

    def stop_job(self) -> None:
        """Ctrl+z as elsewhere: the whole foreground job stops, and its shell has the terminal until it is continued.

        Where no shell could continue it the kernel lets it run on, and so do we.
        """
        self.suspend_application_mode()
        self._must_signal_resume = True
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        try:
            os.killpg(os.getpgrp(), signal.SIGTSTP)
        finally:
            signal.signal(signal.SIGTSTP, handler)
        self.go_on()

    def is_in_front(self) -> bool:
        """Whether the terminal is this process's to draw on."""
        try:
            return os.tcgetpgrp(self.fileno) == os.getpgrp()
        except OSError:
            return True  # it has no jobs

    def is_gone(self) -> bool:
        """Whether the terminal's other end has been closed."""
        poll = select.poll()
        poll.register(self.fileno, select.POLLHUP)
        return any(event & (select.POLLHUP | select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))


class TerminalApp(App[int]):
    """Ends with a clean terminal on SIGTERM and SIGHUP, and where its terminal has gone; survives a stop and a continue."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+z", "stop_job", "Suspend", show=False, priority=True)]

    def action_stop_job(self) -> None:
        """To the shell and back; a run goes on meanwhile."""
        if isinstance(self._driver, TerminalDriver):
            self._driver.stop_job()

    def get_driver_class(self) -> type[Driver]:
        return TerminalDriver

    def on_mount(self) -> None:
        loop, driver = asyncio.get_running_loop(), self._driver
        with contextlib.suppress(ValueError, RuntimeError):  # only a main thread has signals
            for number in (signal.SIGTERM, signal.SIGHUP):
                loop.add_signal_handler(number, self.end, number)
            if isinstance(driver, TerminalDriver):
                loop.add_signal_handler(signal.SIGCONT, driver.go_on)
        if isinstance(driver, TerminalDriver):
            self.set_interval(WATCH_SECONDS, partial(self._look, driver))

    def _look(self, driver: TerminalDriver) -> None:
        if driver.is_gone():
            self.end(signal.SIGHUP)

    def end(self, number: int) -> None:
        """Leave as a process that a signal has ended."""
        self.exit(128 + number, return_code=128 + number)
