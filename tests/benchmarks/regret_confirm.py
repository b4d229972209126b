"""Live searches and replays judged again: the rows they end on and a table's ten best are measured in turn; kept as CSV, goes on
where it stopped.

Two searches are live: one chooses from all that a run may choose from, one from the rows of the table, as replays do. Their best three
are measured once more with other random numbers within the same cost, as ``tune`` does: the best by the worse of both wins.

Every turn has random numbers of its own, the same for all: a configuration that is the best of hundreds with those of the table
owes a part of it to them.
"""

from __future__ import annotations

import csv
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from csv_rows import append_row
from regret_collect import REFERENCE_SECONDS, Collector
from regret_replay import MISSED_REGRET, Replayed, percent

from planner.costing import cost
from techniques.job import JobSpec
from tuner.bench import SEARCH_SHARE, Bench
from tuner.live import drawn_for
from tuner.parts import MIN_TRIAL_SECONDS, Fidelity, ladder
from tuner.records import Measurement, Trial
from tuner.replay import TablePlaces
from tuner.runner import Runner
from tuner.scoring import target_seconds
from tuner.search import Places, Search
from tuner.space import Point, changed
from tuner.study import Study
from tuner.verify import VERIFIED

BEST = 10
"""Of the table, measured again beside the winner."""
SEARCHED = 0.85
"""Of the cost, before the best are measured again."""
LONGEST = 2.0
"""So many times a configuration's limit may the target take."""
COLUMNS = ("turn", "which", "seconds", "trials", "spec")
WINNERS = {"search": "winner", "search of the table": "winner of the table"}
"""Of both searches, by search."""
SEARCH, OF_TABLE = WINNERS
BEYOND = "winner to the defaults' best"


class Confirmed(NamedTuple):
    """What a live search cost, and what its winner was worth."""

    seconds: float
    trials: int
    regret: float
    """The winner's median over that of the best row, or over its own where that is the best."""
    turns: int


class Entrant(NamedTuple):
    """What is measured in every turn, for how long at most, until which validation metric."""

    name: str
    spec: JobSpec
    seconds: float
    target: float


class Kept:
    """The CSV file beside a table: one line for each search, then one per measurement."""

    def __init__(self, table: Path) -> None:
        self.file = table.with_name(f"{table.stem}.confirmed.csv")
        csv.field_size_limit(1 << 24)
        self.lines: list[dict[str, str]] = []
        if self.file.is_file():
            with self.file.open(encoding="utf-8", newline="") as source:
                self.lines = [one for one in csv.DictReader(source) if one["spec"]]

    def add(self, **values: object) -> None:
        """Append one line."""
        append_row(self.file, COLUMNS, values)
        self.lines.append({name: str(value) for name, value in values.items()})

    def find(self, turn: int, which: str) -> dict[str, str] | None:
        """A line that is there already."""
        return next((one for one in self.lines if one["turn"] == str(turn) and one["which"] == which), None)

    def turns(self) -> int:
        """Turns that are complete."""
        return min((len(one) for one in self._measured().values()), default=0)

    def confirmed(self, which: str) -> Confirmed | None:
        """A live search's regret by all turns that are complete, or ``None`` before the first."""
        search, medians = self.find(0, which), self._medians()
        if search is None or not medians:
            return None
        winner = medians[self._name_of(search["spec"])]
        best = min(winner, *(median for name, median in medians.items() if name.startswith("row")))
        # Where none of them reached the target in the median, nothing can be said of the winner.
        regret = winner / best - 1.0 if np.isfinite(best) else float("nan")
        return Confirmed(float(search["seconds"]), int(search["trials"]), regret, self.turns())

    def _name_of(self, spec: str) -> str:
        """Under which a winner has been measured again; one that is a row of the table, too, as that."""
        reseeded = changed(JobSpec.model_validate_json(spec), {"seed": 1}).model_dump_json()
        names = [one["which"] for one in self.lines if one["spec"] == reseeded and one["which"] != BEYOND]
        return next((name for name in names if name.startswith("row")), names[0])

    def regrets(self) -> dict[int, float]:
        """Of rows of the table that were measured again, by place: their medians over the best of them."""
        found = {int(name.split()[1]): median for name, median in self._medians().items() if name.startswith("row")}
        best = min(found.values(), default=math.inf)
        return {place: median / best - 1.0 for place, median in found.items()} if math.isfinite(best) else {}

    def beyond(self) -> float | None:
        """Seconds, in the median, in which the live winner comes to the best that PyG's defaults reach."""
        return self._medians().get(BEYOND)

    def _medians(self) -> dict[str, float]:
        turns = self.turns()
        return {name: float(np.median(one[:turns])) for name, one in self._measured().items()} if turns else {}

    def _measured(self) -> dict[str, list[float]]:
        found: dict[str, list[float]] = {}
        for one in self.lines:
            if one["which"] not in WINNERS:
                found.setdefault(one["which"], []).append(float(one["seconds"]))
        return found


def confirm(graph: str, table: Path, share: float, threads: int, turns: int, seeds: int) -> None:
    """Search live twice, measure again in turn, say what came of it; the rows that replays end on are among what is measured."""
    found, kept = Replayed(table, share, own_target=False), Kept(table)
    with tempfile.TemporaryDirectory() as folder, Runner() as runner:
        collector = Collector(graph, Path(folder), threads)
        collector.refuse_another(found.rows, table)
        for which, places in ((SEARCH, collector.space), (OF_TABLE, TablePlaces(found.rows))):
            if kept.find(0, which) is None:
                spec, seconds, trials, stopped = search_live(found, collector, runner, places)
                kept.add(turn=0, which=which, seconds=f"{seconds:.2f}", trials=trials, spec=spec.model_dump_json())
                print(f"live {which}: {trials} trials in {seconds:.0f} s, stopped: {stopped}", flush=True)
        entered = entrants(found, kept, seeds)
        for turn in range(1, turns + 1):
            for which, spec, seconds, target in entered:
                if kept.find(turn, which) is None:
                    reseeded = changed(spec, {"seed": turn})
                    again = collector.measure(runner, reseeded, collector.parts[-1], seconds, target)
                    reached = target_seconds(again, target)
                    value = "inf" if reached is None else f"{reached:.4f}"
                    kept.add(turn=turn, which=which, seconds=value, trials=1, spec=reseeded.model_dump_json())
                    print(f"turn {turn}, {which}: {value} s to {target:.3f}", flush=True)
    for which in WINNERS:
        result = kept.confirmed(which)
        if result is not None:
            print(f"{which}: regret {percent(result.regret)} over {result.turns} turns, {result.seconds:.0f} s")


def entrants(found: Replayed, kept: Kept, seeds: int) -> list[Entrant]:
    """The winners, also to the best that PyG's defaults reach, the table's best that reach the target and the rows that replays end
    on."""
    assert found.target is not None
    winners = {name: JobSpec.model_validate_json(kept.find(0, which)["spec"]) for which, name in WINNERS.items()}
    regrets = [found.regret(place, found.target) for place in range(len(found.rows))]
    best = [int(place) for place in np.argsort(regrets)[:BEST] if regrets[int(place)] <= MISSED_REGRET]
    ended = sorted({int(found.searched(seed)[3]) for seed in range(seeds)} - set(best))
    rows = [(f"row {place}", found.rows[place].spec) for place in best + ended]
    chosen = [pair for pair in winners.items() if pair[1] not in [spec for _, spec in rows]] + rows
    limit = found.rows[0].seconds
    entered = [Entrant(name, spec, LONGEST * limit, found.target) for name, spec in chosen]
    if (usual := found.usual) is not None:
        entered.append(Entrant(BEYOND, winners[WINNERS[SEARCH]], REFERENCE_SECONDS * limit, usual[0]))
    return entered


def search_live(
    found: Replayed, collector: Collector, runner: Runner, places: Places
) -> tuple[JobSpec, float, int, str]:
    """The winner of a search on the machine with the table's budget and target, verified; seconds, trials, why it stopped."""
    goal = collector.plan.facts.goal.model_copy(update={"target": found.target})
    spent = [0.0]

    def measure(number: int, purpose: str, point: Point, fidelity: Fidelity, target: float | None) -> Measurement:
        spec = drawn_for(purpose, point.spec)
        measured = collector.measure(runner, spec, collector.parts[-1], fidelity.seconds, target, fidelity.race)
        spent[0] += measured.wall_seconds
        return measured

    facts = collector.plan.facts.model_copy(update={"goal": goal})
    rungs = ladder(found.rows[0].seconds)
    budget = SEARCHED * found.budget / SEARCH_SHARE
    bench = Bench(facts, rungs, measure, lambda: spent[0], budget, lambda spec: cost(facts, spec))
    stopped = Search(bench, places, Study(None)).run()
    best = verified(bench, found.budget, lambda: spent[0])
    return best.spec, spent[0], len(bench.trials), stopped


def verified(bench: Bench, budget: float, spent: Callable[[], float]) -> Trial:
    """The best of the search's best three by the worse of two measurements."""
    ranked = bench.scored(bench.whole())[:VERIFIED]
    worse = []
    for place, (value, trial) in enumerate(ranked):
        seconds = max((budget - spent()) / (len(ranked) - place) - bench.overhead(trial.spec), MIN_TRIAL_SECONDS)
        point, number = Point(trial.family, trial.spec), len(bench.trials) + 1
        again = bench.measure(number, "verify", point, Fidelity(1.0, seconds), None, stop_at_target=True)
        worse.append((max(value, bench.score(again) or math.inf), trial))
    return min(worse, key=lambda pair: pair[0])[1]
