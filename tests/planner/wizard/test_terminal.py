"""On a real terminal (tmux): keys in, trained model out; and a clean terminal whatever ends the wizard."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not here")
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


@pytest.mark.timeout(900)
def test_keys_in_trained_model_out(terminal: Terminal, tmp_path: Path) -> None:
    terminal.run("-m tuner.cli wizard pyg:KarateClub")
    terminal.until("[Data]")
    terminal.until("34 columns")
    for step in ("[Model]", "[Hardware]", "[Goal]"):
        terminal.press("F8")
        terminal.until(step)
    terminal.press("Tab", "End", "C-u")
    for key, seen in (("8", "Budget           8"), ("s", "Budget           8s")):
        terminal.press(key)
        terminal.until(seen)
    terminal.press("Tab", "Tab", "Tab", "R", "U", "N")
    terminal.until("Run folder       RUN")
    terminal.press("F2")
    terminal.until("gnnfit tune pyg:KarateClub --budget 8s --out RUN")
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


def test_the_terminal_is_clean_after_ctrl_c_sigterm_and_a_crash(terminal: Terminal, tmp_path: Path) -> None:
    for ending, code in (
        (lambda: terminal.press("C-c"), 0),
        (lambda: os.kill(int((tmp_path / "pid").read_text()), 15), 143),
    ):
        terminal.run("-m tuner.cli wizard")
        terminal.until("[Start]")
        terminal.until("numbers only")
        ending()
        terminal.until(f"left={code}")
        assert terminal.is_clean()
    (tmp_path / "crash.py").write_text(CRASH)
    terminal.run("crash.py")
    terminal.until("[Start]")
    terminal.press("F1")
    terminal.until("left=1")
    assert terminal.is_clean()
