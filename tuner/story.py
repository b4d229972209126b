"""Events of a run in words, on stderr, while it goes on."""

from __future__ import annotations

import sys
from typing import Any


class Story:
    """Events of a run as lines on stderr; on a terminal a bar of the budget below them."""

    def __init__(self, budget_seconds: float) -> None:
        from tuner.progress import ProgressBar

        self.budget_seconds = budget_seconds
        self.bar = ProgressBar(sys.stderr, budget_seconds)

    def __enter__(self) -> Story:
        return self

    def __exit__(self, *ignored: object) -> None:
        self.bar.close()

    def tell(self, event: dict[str, Any]) -> None:
        """One line per event that a person wants to know."""
        text = event_text(event)
        if text:
            clock = f"[{event['elapsed_seconds']:5.0f}s/{self.budget_seconds:.0f}s]"
            self.bar.say(f"{clock} {text}")
        self.bar.follow(event)


def event_text(event: dict[str, Any]) -> str:
    """What a person wants to know of an event; empty where that is nothing."""
    from planner.quantities import format_bytes, format_seconds

    kind = event["event"]
    if kind == "started":
        return f"run folder {event['folder']}"
    if kind == "planned":
        return f"plan: {event['verdict']}, best {event['best']}"
    if kind == "budget_used":
        budget, used = format_seconds(event["budget_seconds"]), format_seconds(event["elapsed_seconds"])
        return (
            f"the budget of {budget} was used up by starting and planning ({used}); "
            "measuring the least that gives an answer"
        )
    if kind == "subsample":
        return f"searching on {event['share']:.0%} of the graph; the best are verified on all of it"
    if kind == "part_left_out":
        return f"not searching on {event['share']:.0%} of the graph: {event['reason']}"
    if kind == "trial_finished":
        if event["state"] != "complete":
            return f"trial {event['number']} {event['family']}: {event['state']} ({event['reason']})"
        memory = format_bytes(event["peak_host_bytes"])
        epoch = format_seconds(event["epoch_seconds"]) if event["epoch_seconds"] else "unfinished"
        part = "" if event["share"] >= 1.0 else f" on {event['share']:.0%}"
        return f"trial {event['number']} ({event['purpose']}{part}) {event['family']}: {event['metric']:.3f}, epoch {epoch}, peak {memory}"
    if kind == "search_stopped":
        trials = "1 trial" if event["trials"] == 1 else f"{event['trials']} trials"
        return f"search stopped after {trials}: {event['reason']}"
    if kind == "joined":
        return f"joined {event['folder']}"
    if kind == "waited":
        waited = f"waited {event['seconds']:.0f} s for another tuner's trial on this machine"
        return waited if event["held"] else f"{waited}, no time is left to wait longer: this one is timed beside it"
    if kind == "winner":
        return f"winner {event['family']}: {event['reason']}"
    if kind == "final_started":
        return f"training {event['family']} on the whole graph for at most {event['seconds']:.0f} s"
    if kind == "final_skipped":
        return f"no final training of {event['family']}: {event['reason']}; gnnfit run RUN trains it"
    if kind == "stepped_down":
        return f"{event['family']} failed on the whole graph ({event['reason']}): taking the next verified candidate"
    if kind == "finished":
        return f"finished: {event['folder']}"
    return ""


def tell_epoch(event: dict[str, Any]) -> None:
    """Epochs of a training as lines on stderr."""
    if event["event"] == "epoch":
        best = f"best {event['best']:.3f}"
        print(
            f"epoch {event['epoch']}: loss {event['loss']:.4f}, validation {event['metric']:.3f}, {best}",
            file=sys.stderr,
        )
    elif event["event"] == "stepped_down":
        print(event_text(event), file=sys.stderr)
