"""A set of graphs from a PyG data set, or a list of ``Data``."""

from typing import Any

from torch_geometric.data import Batch, Data
from torch_geometric.data.separate import separate

from tuner.export.plain.arrays_data import NAMES, arrays_of


def arrays_of_set(graphs: Any) -> dict[str, Any]:
    """All graphs side by side, and where each begins; what only some of them have is left out."""
    if isinstance(graphs, tuple) and isinstance(graphs[1], dict):  # as ``InMemoryDataset.save`` writes it
        data, slices = graphs[:2]
        data = Data.from_dict(data) if isinstance(data, dict) else data
        count = len(slices["edge_index"]) - 1
        graphs = [separate(Data, data, place, slices, decrement=False) for place in range(count)]
    graphs = list(graphs)
    names = set(NAMES).intersection(*(graph.keys() for graph in graphs))
    alike = [
        Data(edge_index=graph.edge_index, num_nodes=graph.num_nodes, **{name: graph[name] for name in names})
        for graph in graphs
    ]
    batch = Batch.from_data_list(alike)
    return arrays_of(batch) | {"graph_ptr": batch.ptr.numpy()}
