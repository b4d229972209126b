"""GraphSAINT (Zeng et al., ICLR 2020), algorithm 1 and the weights of section 3.2, as in the paper."""

from typing import Any

import torch
from torch.utils.data import DataLoader
from torch_geometric.data import Data

from tuner.export.plain.sampling import InEdges, cut, edges_between


class GraphSAINTSampler(DataLoader[int]):
    """``num_steps`` random subgraphs per epoch; ``sample_coverage`` estimates how often nodes and edges are seen."""

    def __init__(
        self, data: Data, batch_size: int, num_steps: int = 1, sample_coverage: int = 0, **kwargs: Any
    ) -> None:
        self.data, self.edges, self.size, self.coverage = data, InEdges(data), batch_size, sample_coverage
        self.degree = self.edges.pointer.diff().float()
        if sample_coverage:
            self.node_norm, self.edge_norm = self.norms()
        steps: Any = range(num_steps)
        super().__init__(steps, batch_size=1, collate_fn=lambda _: self.batch(), **kwargs)

    def draw(self) -> torch.Tensor:
        """Nodes of one subgraph."""
        raise NotImplementedError

    def batch(self) -> Data:
        """One subgraph."""
        nodes = torch.unique(self.draw())
        edge_index, edges = edges_between(self.edges, nodes)
        out = cut(self.data, nodes, edges)
        out.edge_index = edge_index
        if self.coverage:
            out.node_norm, out.edge_norm = self.node_norm[nodes], self.edge_norm[edges]
        return out

    def norms(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights of nodes (1 / how often seen) and edges (how often their target was seen with and without them)."""
        seen, crossed = torch.zeros(self.edges.num_nodes), torch.zeros(len(self.edges.edge))
        samples = total = 0
        while total < self.coverage * self.edges.num_nodes:
            nodes = torch.unique(self.draw())
            seen[nodes] += 1
            crossed[edges_between(self.edges, nodes)[1]] += 1
            samples, total = samples + 1, total + len(nodes)
        target = self.data.edge_index[1].cpu()
        seen, crossed = seen.clamp(min=1), crossed.clamp(min=1)
        return samples / seen / self.edges.num_nodes, (seen[target] / crossed).clamp(max=1e4)


class GraphSAINTNodeSampler(GraphSAINTSampler):
    """Nodes in proportion to how many in-edges they serve."""

    def draw(self) -> torch.Tensor:
        """Sources of random edges."""
        chosen: torch.Tensor = self.edges.source[torch.randint(len(self.edges.source), (self.size,))]
        return chosen


class GraphSAINTEdgeSampler(GraphSAINTSampler):
    """Both ends of edges drawn in proportion to 1 / deg(u) + 1 / deg(v)."""

    def draw(self) -> torch.Tensor:
        """Ends of the edges drawn."""
        target = torch.repeat_interleave(self.edges.pointer.diff())
        weight = 1 / self.degree[target].clamp(min=1) + 1 / self.degree[self.edges.source].clamp(min=1)
        chosen = torch.searchsorted(weight.double().cumsum(0), torch.rand(self.size).double() * weight.sum())
        chosen = chosen.clamp(max=len(target) - 1)
        return torch.cat([target[chosen], self.edges.source[chosen]])


class GraphSAINTRandomWalkSampler(GraphSAINTSampler):
    """Walks against the edges from uniformly drawn nodes."""

    def __init__(self, data: Data, batch_size: int, walk_length: int, **kwargs: Any) -> None:
        self.walk_length = walk_length
        super().__init__(data, batch_size, **kwargs)

    def draw(self) -> torch.Tensor:
        """Every node that a walk visits."""
        node = torch.randint(self.edges.num_nodes, (self.size,))
        visited = [node]
        for _ in range(self.walk_length):
            count = self.edges.pointer[node + 1] - self.edges.pointer[node]
            step = self.edges.pointer[node] + (torch.rand(len(node)) * count).long()
            node = torch.where(count > 0, self.edges.source[step.clamp(max=len(self.edges.source) - 1)], node)
            visited.append(node)
        return torch.cat(visited)
