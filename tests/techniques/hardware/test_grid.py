from __future__ import annotations

import pytest

from techniques.hardware.grid import Grid

GRID = Grid(axes=((1.0, 100.0), (10.0, 1000.0)), values=(1.0, 4.0, 16.0, 64.0))


@pytest.mark.parametrize(("point", "value"), [((1, 10), 1), ((1, 1000), 4), ((100, 10), 16), ((100, 1000), 64)])
def test_measured_points_are_met(point: tuple[float, float], value: float) -> None:
    assert GRID.at(*point) == pytest.approx(value)


def test_between_points_logarithms_are_linear() -> None:
    assert GRID.at(10, 10) == pytest.approx(4.0)
    assert GRID.at(10, 100) == pytest.approx(8.0)


@pytest.mark.parametrize("point", [(0.0, 1.0), (0.5, 10.0), (1.0, 0.0)])
def test_below_the_grid_its_edge_counts(point: tuple[float, float]) -> None:
    assert GRID.at(*point) == pytest.approx(1.0)


def test_above_the_grid_its_edge_counts() -> None:
    assert GRID.at(1e9, 1e9) == pytest.approx(64.0)
