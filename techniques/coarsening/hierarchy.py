"""A hierarchy that the user gives: which nodes belong to which level, such as countries, states and cities.

Levels go from the coarsest to the finest. A node belongs to the finest level in which it has an id: a street to its city, a
road between cities to its state. One level is coarsened by joining its own nodes, group by group; the nodes of all other
levels stay as they are and serve as checks (source, technique 7 and case H).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from techniques.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from techniques.coarsening.plan import CoarseningPlan

    Ids = NDArray[np.int32]

REMEDY = "Give one column per level, coarsest first, one row per node; leave ids empty or -1 where a node has none"
OUTSIDE = -1


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Levels by name, coarsest first; ``ids`` one [N] int32 per level, -1 for nodes outside it."""

    file: str
    names: tuple[str, ...]
    ids: tuple[Ids, ...]

    @property
    def num_nodes(self) -> int:
        return len(self.ids[0])

    @property
    def middle(self) -> str:
        """The level to coarsen where none is named: that in the middle, the finer of two."""
        return self.names[len(self.names) // 2]

    def own(self, level: str) -> Ids:
        """The group of every node that belongs to a level, [N]; -1 for the nodes of all others.

        Raises:
            InputError: no such level, or a level without nodes of its own.
        """
        import numpy as np

        if level not in self.names:
            raise InputError(
                f"{self.file} has no level {level!r}", f"Choose one of: {', '.join(self.names)}, as FILE:LEVEL"
            )
        at = self.names.index(level)
        group = self.ids[at].copy()
        for finer in self.ids[at + 1 :]:
            group[finer >= 0] = OUTSIDE
        if not np.any(group >= 0):
            finest = self.names[-1]
            raise InputError(
                f"level {level} of {self.file} must have nodes of its own, all of them are in finer levels",
                f"Mark nodes outside every {finest} with -1, or name another level as FILE:LEVEL",
            )
        return group

    def counts(self) -> dict[str, int]:
        """Nodes that belong to each level."""
        import numpy as np

        taken = np.zeros(self.num_nodes, bool)
        found = {}
        for name, ids in zip(reversed(self.names), reversed(self.ids), strict=True):
            found[name] = int(np.count_nonzero((ids >= 0) & ~taken))
            taken |= ids >= 0
        return {name: found[name] for name in self.names}


def split_name(text: str) -> tuple[str, str | None]:
    """``FILE`` or ``FILE:LEVEL`` as a path that means the same anywhere, and the level."""
    file, colon, level = text.rpartition(":")
    if colon and level and not Path(text).expanduser().exists() and "/" not in level:
        return str(Path(file).expanduser().resolve()), level
    return str(Path(text).expanduser().resolve()), None


def read_hierarchy(file: str) -> Hierarchy:
    """Read ``.npz`` (one integer array per level, in order) or ``.csv`` (a header of levels, a row per node; an ``id`` column
    is passed over).

    Raises:
        InputError: with the rule that is broken: missing or damaged file, fewer than two levels, levels of different
            lengths, ids that are no whole numbers, or a level that is not nested in the one above it.
    """
    path = Path(file)
    if not path.is_file():
        raise InputError(f"a hierarchy must be a file, got {file}", "Write --hierarchy FILE, an .npz or a .csv")
    return _read(file, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _read(file: str, changed: int) -> Hierarchy:
    columns = _npz_columns(file) if file.endswith(".npz") else _csv_columns(file)
    if len(columns) < 2:
        raise InputError(f"a hierarchy must have two levels or more, {file} has {len(columns)}", REMEDY)
    sizes = {name: len(ids) for name, ids in columns.items()}
    if len(set(sizes.values())) > 1:
        raise InputError(f"levels of {file} must have one id per node each, got {sizes}", REMEDY)
    names = tuple(columns)
    for coarse, fine in pairwise(names):
        _check_nested(file, coarse, columns[coarse], fine, columns[fine])
    return Hierarchy(file, names, tuple(columns.values()))


def _npz_columns(file: str) -> dict[str, Ids]:
    import numpy as np

    try:
        with np.load(file, allow_pickle=False) as arrays:
            columns = {name: arrays[name] for name in arrays.files}
    except Exception as error:  # damaged archives make numpy and zipfile raise nearly anything
        raise InputError(f"{file} must be a readable .npz ({error})", "Write it with numpy.savez") from error
    for name, ids in columns.items():
        if ids.ndim != 1 or ids.dtype.kind not in "iu":
            raise InputError(f"level {name} of {file} must be whole numbers [N], got {ids.dtype} {ids.shape}", REMEDY)
    return {name: _closed(np.maximum(ids.astype(np.int64), OUTSIDE)) for name, ids in columns.items()}


def _csv_columns(file: str) -> dict[str, Ids]:
    import csv

    import numpy as np

    try:
        with Path(file).open(newline="", encoding="utf-8-sig") as stream:
            header, *rows = list(csv.reader(stream)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} must be a readable .csv or .npz ({error})", REMEDY) from error
    odd = next((number for number, row in enumerate(rows, 2) if len(row) != len(header)), None)
    if odd is not None or not header or len(set(header)) < len(header):
        where = f"line {odd} has {len(rows[odd - 2])}" if odd else f"the header {header}"
        raise InputError(f"{file} must have a name and a value per column, got {where}", REMEDY)
    columns: dict[str, Ids] = {}
    for at, name in enumerate(header):
        if name.strip().lower() == "id":
            continue
        texts = np.array([row[at].strip() for row in rows], dtype=str)
        _, ids = np.unique(texts, return_inverse=True)
        columns[name.strip()] = _closed(np.where(np.isin(texts, ["", "-1"]), OUTSIDE, ids))
    return columns


def _closed(ids: NDArray[np.int64]) -> Ids:
    """Ids from 0 on without gaps; -1 stays."""
    import numpy as np

    known = np.unique(ids[ids >= 0])
    return np.where(ids >= 0, np.searchsorted(known, ids), OUTSIDE).astype(np.int32)


def _check_nested(file: str, coarse: str, above: Any, fine: str, below: Any) -> None:
    import numpy as np

    inside = below >= 0
    lost = np.flatnonzero(inside & (above < 0))
    if lost.size:
        rule = f"every {fine} must lie in a {coarse}: node {lost[0]} of {file} has a {fine} but no {coarse}"
        raise InputError(rule, REMEDY)
    pairs = np.unique(np.stack([below[inside], above[inside]]), axis=1)
    twice = np.flatnonzero(np.diff(pairs[0]) == 0)
    if twice.size:
        node = int(np.flatnonzero(below == pairs[0, twice[0]])[0])
        raise InputError(
            f"every {fine} must lie in one {coarse}: that of node {node} in {file} lies in two",
            "Order the levels from the coarsest to the finest, and correct the ids",
        )


def groups_of(plan: CoarseningPlan, num_nodes: int) -> Ids | None:
    """The groups that a plan joins nodes within; ``None`` where it coarsens the whole graph.

    Raises:
        InputError: a hierarchy of another number of nodes.
    """
    if plan.hierarchy is None:
        return None
    file, level = plan.hierarchy
    return checked_hierarchy(file, num_nodes).own(level)


def checked_hierarchy(file: str, num_nodes: int) -> Hierarchy:
    """A hierarchy that fits a graph.

    Raises:
        InputError: it is for another number of nodes.
    """
    found = read_hierarchy(file)
    if found.num_nodes != num_nodes:
        raise InputError(
            f"{file} must have one row per node, got {found.num_nodes:,} for {num_nodes:,} nodes",
            "Give the hierarchy of this graph",
        )
    return found
