"""On real terminals: keys in, trained model out (tmux); and a clean terminal whatever ends what is drawn on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
CRASH = """
import sys
from planner.wizard.app import Wizard
def broken(self):
    raise RuntimeError("on purpose")
Wizard.action_help = broken
app = Wizard()
app.run()
sys.exit(app.return_code)
"""


class Terminal:
    """A shell in a tmux server of its own."""

    def __init__(self, folder: Path) -> None:
        self.name = f"gnnfit-{os.getpid()}-{folder.name}"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
        self.tmux(
            "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "bash --norc", cwd=folder, env=environment
        )
        self.command("PS1='ready> '; clear")
        self.until("ready>")

    def tmux(self, *words: str, **others: Any) -> str:
        return subprocess.run(
            ["tmux", "-L", self.name, *words], check=True, capture_output=True, text=True, **others
        ).stdout

    def press(self, *keys: str) -> None:
        for key in keys:
            self.tmux("send-keys", key)
            time.sleep(0.1)

    def command(self, text: str) -> None:
        self.tmux("send-keys", "-l", text)
        self.press("Enter")

    def run(self, program: str) -> None:
        """Python with these words; its process id goes to ``pid``, how it ended to the screen. A subshell has no job
        control: a pause from outside does not bring the prompt back."""
        self.command(f"clear; (sh -c 'echo $$ > pid; exec {sys.executable} {program}'; echo left=$?)")

    @property
    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def until(self, words: str, seconds: float = 180.0) -> None:
        """Wait for words on the screen."""
        end = time.monotonic() + seconds
        while words not in self.screen:
            assert time.monotonic() < end, f"{words!r} never came; the screen shows\n{self.screen}"
            time.sleep(0.1)

    def is_clean(self) -> bool:
        """No alternate screen, a cursor, and a line discipline that echoes."""
        flags = self.tmux("display", "-p", "#{alternate_on} #{cursor_flag} #{mouse_any_flag}").strip()
        self.command("stty -a | grep -o ' echo ' | wc -l | sed 's/^ */echo=/'")
        self.until("echo=1")
        return flags == "0 1 0"


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    one = Terminal(tmp_path)
    yield one
    subprocess.run(["tmux", "-L", one.name, "kill-server"], check=False, capture_output=True)


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not here")
@pytest.mark.timeout(900)
def test_keys_in_trained_model_out(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run("-m tuner.cli wizard pyg:KarateClub")
    terminal.until("[Data]")
    terminal.until("34 columns")
    for step in ("[Model]", "[Hardware]", "[Goal]"):
        terminal.press("F8")
        terminal.until(step)
    terminal.press("Tab", "End", "C-u")
    for place, key in enumerate("20s", 1):  # enough for a final training on a busy machine, too
        terminal.press(key)
        terminal.until("Budget           " + "20s"[:place])
    terminal.press("Tab", "Tab", "Tab", "R", "U", "N")
    terminal.until("Run folder       RUN")
    terminal.press("F2")
    terminal.until("gnnfit tune pyg:KarateClub --budget 20s --out RUN")
    terminal.press("Escape", "F8")
    terminal.until("FITS")
    terminal.press("F9")
    terminal.until("FINISHED", 400.0)
    terminal.press("F8")
    terminal.until("won on KarateClub")
    assert (tmp_path / "RUN" / "final" / "model.pt").is_file()
    terminal.press("C-q")
    terminal.until("left=0")
    assert terminal.is_clean()


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not here")
def test_ctrl_z_goes_to_the_shell_and_fg_comes_back(terminal: Terminal) -> None:
    terminal.command(f"clear; {sys.executable} -m tuner.cli wizard")
    terminal.until("numbers only")
    terminal.press("C-z")
    terminal.until("Stopped")
    assert terminal.is_clean()
    terminal.command("clear; fg")
    terminal.until("numbers only")
    terminal.press("C-q")
    terminal.until("ready>")
    assert terminal.is_clean()


class Pty:
    """A program on a terminal without a shell: what it draws, what it leaves of the terminal, and how it ends."""

    def __init__(self, *words: str, has_jobs: bool = True) -> None:
        self.master, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(other)
        session = ["setsid", "--ctty"] if has_jobs else []
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
        self.process = subprocess.Popen(
            [*session, sys.executable, *words], stdin=other, stdout=other, stderr=other, env=environment
        )
        os.close(other)
        self.drawn = b""

    def until(self, words: str, seconds: float = 60.0) -> None:
        """Read what is drawn from now on until these words are."""
        self.drawn, end = b"", time.monotonic() + seconds
        while words.encode() not in self.drawn:
            assert time.monotonic() < end, f"{words!r} never came: {self.drawn[-2000:]!r}"
            self.read()

    def read(self) -> None:
        if select.select([self.master], [], [], 0.1)[0]:
            with contextlib.suppress(OSError):  # nobody has the other end any more
                self.drawn += os.read(self.master, 65536)

    def press(self, key: bytes) -> None:
        os.write(self.master, key)

    def ends(self, seconds: float = 60.0) -> int:
        """How it ended; it must be able to draw until then."""
        end = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < end:
            self.read()
        return self.process.wait(0)

    def is_clean(self) -> bool:
        """No alternate screen, a cursor, and the line discipline as it was."""
        self.read()
        left, entered = (self.drawn.rfind(code) for code in (b"\x1b[?1049l", b"\x1b[?1049h"))
        return left > entered and b"\x1b[?25h" in self.drawn[left:] and termios.tcgetattr(self.master) == self.before


@pytest.fixture
def start(tmp_path: Path, monkeypatch: Any) -> Iterator[Callable[..., Pty]]:
    """``start(words)``: a program on a terminal, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    started: list[Pty] = []
    yield lambda *words, **options: started.append(Pty(*words, **options)) or started[-1]  # type: ignore[func-returns-value]
    for one in started:
        one.process.kill()
        one.process.wait()


def test_the_terminal_is_clean_after_a_stop_from_outside_and_ctrl_c(start: Callable[..., Pty]) -> None:
    one = start("-m", "tuner.cli", "wizard")
    one.until("numbers only")
    for _ in range(2):
        for number in (signal.SIGSTOP, signal.SIGCONT):
            one.process.send_signal(number)
        one.until("numbers only")
    one.press(b"\x03")
    assert one.ends() == 0 and one.is_clean()


def test_ctrl_z_without_a_shell_goes_on(start: Callable[..., Pty]) -> None:
    one = start("-m", "tuner.cli", "wizard")
    one.until("numbers only")
    one.press(b"\x1a")
    one.until("numbers only")
    one.press(b"\x03")
    assert one.ends() == 0 and one.is_clean()


def test_the_terminal_is_clean_after_sigterm_and_a_crash(start: Callable[..., Pty], tmp_path: Path) -> None:
    (tmp_path / "spec.toml").touch()
    one = start("-m", "tuner.cli", "watch", str(tmp_path))
    one.until("gnnfit watch")
    one.process.terminate()
    assert one.ends() == 143 and one.is_clean()
    (tmp_path / "crash.py").write_text(CRASH)
    other = start("crash.py")
    other.until("numbers only")
    other.press(b"\x1bOP")
    assert other.ends() == 1 and other.is_clean()


@pytest.mark.parametrize("has_jobs", [True, False])
def test_a_terminal_that_is_closed_ends_the_wizard_even_a_stopped_one(
    start: Callable[..., Pty], has_jobs: bool
) -> None:
    one = start("-m", "tuner.cli", "wizard", has_jobs=has_jobs)
    one.until("numbers only")
    one.process.send_signal(signal.SIGSTOP)
    os.close(one.master)
    one.process.send_signal(signal.SIGCONT)
    assert one.process.wait(20) == 129


def test_a_stop_before_the_first_screen_is_there_leaves_no_second_reader(start: Callable[..., Pty]) -> None:
    one = start("-m", "tuner.cli", "wizard")
    one.until("\x1b[?1049h")  # Textual has begun to draw, its own answer to a continue still holds
    for number in (signal.SIGSTOP, signal.SIGCONT):
        one.process.send_signal(number)
    one.until("numbers only")
    one.press(b"\x03")
    assert one.ends() == 0 and one.is_clean()
