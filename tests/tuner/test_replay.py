"""The same search from a table of measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tuner.search_world import LIMIT, World
from tuner.bench import SEARCH_SHARE, Bench
from tuner.parts import Fidelity, ladder
from tuner.replay import Lookup, Row, Table, TablePlaces, cut
from tuner.search import Search
from tuner.study import Study


def test_the_same_search_runs_from_a_table(setting: Any, world: World, tmp_path: Path) -> None:
    bench, space, _, _ = setting()
    table = Table(tmp_path / "table.csv")
    import numpy as np

    for point in [*space.first(), *space.draw(np.random.default_rng(0), 40)]:
        if table.find(point.spec, point.family) is None:
            measured = world(0, "search", point, Fidelity(1.0, LIMIT), None)
            table.append(Row.of(point.family, point.spec, LIMIT, {1.0: measured}, 0.0, bench.forecast(point.spec)))
    with table.file.open("a") as torn:
        torn.write('gcn,"{')
    rows = Table(table.file).rows
    assert len(rows) == len(table.rows)
    table.append(rows[0].model_copy(update={"family": "again"}))
    assert Table(table.file).rows[-1].family == "again", "a torn row does not swallow the next"
    lookup = Lookup(rows)
    replayed = Bench(bench.facts, ladder(LIMIT), lookup, lambda: lookup.seconds, 60 / SEARCH_SHARE, bench.forecast)
    Search(replayed, TablePlaces(rows), Study(None)).run()
    assert 5 < len(replayed.trials) < len(rows) * 3
    assert lookup.seconds == pytest.approx(sum(one.measured.wall_seconds for one in replayed.trials))
    first = replayed.trials[0]
    row = table.find(first.spec)
    assert row is not None
    assert first.measured.metric == pytest.approx(row.measurement(1.0).metric, rel=1e-3)


def test_a_trial_is_cut_as_if_it_had_been_stopped(measured: Any) -> None:
    whole = measured(0.2, 0.5, 0.4, 0.8, wall_seconds=5.0, reason="stopped by patience")
    short = cut(whole, 2.0)
    assert [one.metric for one in short.history] == [0.2, 0.5]
    assert (short.metric, short.epochs, short.wall_seconds, short.reason) == (0.5, 2, 3.0, "stopped by time")
    assert cut(whole, 9.0, target=0.5).epochs == 2
    assert cut(whole, 9.0).history == whole.history
    assert cut(whole, 9.0).wall_seconds == 5.0
