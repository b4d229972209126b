"""Every step after the first: loaded behind it."""

from __future__ import annotations

from planner.wizard.fields import Pane
from planner.wizard.panes.data import DataPane
from planner.wizard.panes.doctor import DoctorPane
from planner.wizard.panes.goal import GoalPane
from planner.wizard.panes.hardware import HardwarePane
from planner.wizard.panes.model import ModelPane
from planner.wizard.panes.plan import PlanPane
from planner.wizard.panes.result import ResultPane
from planner.wizard.panes.tune import TunePane

STEPS_TO_COME: tuple[type[Pane], ...] = (
    DataPane,
    ModelPane,
    HardwarePane,
    GoalPane,
    PlanPane,
    TunePane,
    ResultPane,
    DoctorPane,
)
