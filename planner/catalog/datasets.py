"""Named public data sets: their statistics, not their data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from planner.catalog.tables import load, spelled, unknown

if TYPE_CHECKING:
    from techniques.remote.source.generated import GraphStatistics

FILE = "datasets.toml"


@dataclass(frozen=True)
class DatasetEntry:
    """Statistics of one data set.

    ``num_edges`` counts stored directed entries. ``split`` holds the shares of training, validation and test nodes.
    ``degree_sigma`` is the spread of log-normal degrees; ``features`` and ``classes`` are 0 where unknown or absent.
    ``targets`` are columns of a regression; ``size_variation`` is the deviation over mean of the nodes of a set's graphs.
    """

    name: str
    title: str
    num_nodes: int
    num_edges: int
    source: str
    undirected: bool = True
    features: int = 0
    classes: int = 0
    task: str = "node"
    multi_label: bool = False
    targets: int = 0
    num_graphs: int = 1
    size_variation: float | None = None
    split: tuple[float, float, float] = (0.6, 0.2, 0.2)
    split_is_known: bool = False
    feature_density: float = 1.0
    degree_sigma: float = 1.2
    homophily: float = 0.7
    edge_features: int = 0
    disk: str | None = None
    notes: tuple[str, ...] = ()

    def statistics(self) -> GraphStatistics:
        """The same figures as ``techniques.remote.source.generated`` wants them, to generate a graph like this one.

        A data set whose features or classes are unknown gets 2 classes, and no features; graphs of a set whose labels
        are per node become one graph.
        """
        from planner.inspect.graph_sets import ASSUMED_VARIATION
        from techniques.remote.source.generated import GraphStatistics

        train, val, test = self.split
        return GraphStatistics(
            name=self.name,
            num_nodes=self.num_nodes,
            num_edges=self.num_edges,
            undirected=self.undirected,
            features=self.features,
            classes=max(self.classes, 2),
            multi_label=self.multi_label,
            train_share=train,
            val_share=val,
            test_share=test,
            feature_density=self.feature_density,
            degree_sigma=self.degree_sigma,
            homophily=self.homophily,
            num_graphs=self.num_graphs if self.task == "graph" else 1,
            num_targets=self.targets,
            size_variation=ASSUMED_VARIATION if self.size_variation is None else self.size_variation,
        )


def dataset_names() -> tuple[str, ...]:
    """Every data set that ``like:NAME`` knows, in catalog order."""
    return tuple(load(FILE))


def dataset(name: str) -> DatasetEntry:
    """Statistics of a named data set.

    Raises:
        OptionError: no data set has this name.
    """
    key = spelled(name)
    values: dict[str, Any] | None = load(FILE).get(key)
    if values is None:
        raise unknown("data set", name, dataset_names())
    fields: dict[str, Any] = {
        field: tuple(value) if isinstance(value, list) else value for field, value in values.items()
    }
    if fields.get("task") == "graph":
        from planner.inspect.graph_sets import GRAPH_SHARES

        fields.setdefault("split", GRAPH_SHARES)
    return DatasetEntry(name=key, split_is_known="split" in values, **fields)
