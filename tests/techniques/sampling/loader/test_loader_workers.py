"""Every loader in worker processes: the same epoch for the same seed, and picklable for workers that are spawned."""

from __future__ import annotations

import pickle

import pytest
import torch

from techniques.sampling.loader import (
    ClusterData,
    ClusterLoader,
    GraphSAINTEdgeSampler,
    GraphSAINTNodeSampler,
    GraphSAINTRandomWalkSampler,
    LinkNeighborLoader,
    NeighborLoader,
    RandomNodeLoader,
    ShaDowKHopSampler,
)


def cluster(data, **options):
    return ClusterLoader(ClusterData(data, 8, log=False), batch_size=2, shuffle=True, **options)


LOADERS = {
    "neighbor": lambda data, **options: NeighborLoader(data, [3, 2], batch_size=16, shuffle=True, **options),
    "induced": lambda data, **options: NeighborLoader(data, [3], batch_size=16, subgraph_type="induced", **options),
    "link": lambda data, **options: LinkNeighborLoader(data, [3], batch_size=90, neg_sampling="binary", **options),
    "shadow": lambda data, **options: ShaDowKHopSampler(data, 2, 3, batch_size=16, shuffle=True, **options),
    "saint_node": lambda data, **options: GraphSAINTNodeSampler(data, 9, 4, 2, log=False, **options),
    "saint_edge": lambda data, **options: GraphSAINTEdgeSampler(data, 9, 4, 2, log=False, **options),
    "saint_walk": lambda data, **options: GraphSAINTRandomWalkSampler(data, 5, 2, 4, 2, log=False, **options),
    "random_node": lambda data, **options: RandomNodeLoader(data, 4, shuffle=True, **options),
    "cluster": cluster,
}


def epoch(loader, seed):
    torch.manual_seed(seed)
    return [(batch.x.tolist(), batch.edge_index.tolist(), batch.edge_attr.tolist()) for batch in loader]


@pytest.mark.parametrize("name", LOADERS)
def test_forked_workers_repeat_an_epoch(make_graph, assert_part_of, name):
    data = make_graph()
    loader = LOADERS[name](data, num_workers=2, multiprocessing_context="fork")
    assert epoch(loader, 1) == epoch(loader, 1) != epoch(loader, 2)
    batches = list(loader)
    assert len(batches) == len(loader)
    for batch in batches:
        assert_part_of(batch, data)


@pytest.mark.parametrize("name", LOADERS)
def test_what_a_worker_receives_survives_pickling(make_graph, name):
    loader = LOADERS[name](make_graph())
    collate = pickle.loads(pickle.dumps(loader.collate_fn))
    torch.manual_seed(0)
    here = loader.collate_fn([0, 1])
    torch.manual_seed(0)
    assert repr(collate([0, 1])) == repr(here)


@pytest.mark.parametrize("name", ["shadow", "cluster"])
def test_spawned_workers(make_graph, name):
    """Sending tensors to a worker moves their memory: no kernel may look at the old place."""
    spawned = LOADERS[name](make_graph(), num_workers=2, multiprocessing_context="forkserver")
    forked = LOADERS[name](make_graph(), num_workers=2, multiprocessing_context="fork")
    assert epoch(spawned, 1) == epoch(forked, 1)
