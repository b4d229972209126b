"""Operations of the user's own module: each operator of its trace, by what it does to rows."""

from __future__ import annotations

from collections.abc import Iterator

from techniques.architecture.operations.passes import Operations
from techniques.facts import FLOAT_BYTES
from techniques.hardware.operations import Kind, Operation, gather, index_add, launches, product, stream
from techniques.own_model import OperatorFacts, Trace

GATHERS = ("index_select", "gather", "index", "embedding")
SUMS = (
    "scatter_add",
    "index_add",
    "index_put",
    "_index_put_impl",
    "scatter_reduce",
    "segment_reduce",
    "embedding_dense_backward",
)
RANDOM = ("bernoulli", "native_dropout", "rand_like", "dropout")
EXPONENTIALS = ("exp", "log", "tanh", "sigmoid", "elu", "gelu", "softmax", "log_softmax", "pow")
SORTS, SORT_PASSES = ("sort", "argsort", "unique", "_unique2"), 30.0
"""A sort reads and writes its keys so many times (radix sort of int64 on one core, in streams)."""
IN_PLACE = "_"


def traced_operations(trace: Trace, nodes: float, edges: float, seeds: float, share: float = 1.0) -> Operations:
    """One training step at that size; ``share`` of it for less, such as a forward pass."""
    found: list[Operation] = []
    for one in trace.operators:
        calls = max(share * one.calls, 1e-9)
        moved = share * one.moved_bytes.at(nodes, edges, seeds) / calls / FLOAT_BYTES
        flops = share * one.gemm_flops.at(nodes, edges, seeds) / calls
        if moved <= 0:
            found.append(launches(calls))
            continue
        for part in _parts(one, moved, flops, nodes, edges):
            found += [part] * max(round(calls), 1)
    return tuple(found)


def _parts(one: OperatorFacts, values: float, flops: float, nodes: float, edges: float) -> Iterator[Operation]:
    """One call that reads and writes so many values."""
    name = one.name.removeprefix("aten.").rstrip(IN_PLACE)
    if flops > 0:
        width = max((flops / 2 / max(nodes, 1.0)) ** 0.5, 1.0)
        yield product(max(nodes, 1.0), width, width)
    elif name in GATHERS or name in SUMS:
        # A row per edge; its index of eight bytes may be as wide as the row, and so much of what is moved is not rows.
        rows = max(edges, 1.0)
        columns = max(values / (2 if name in GATHERS else 3) / rows, 1.0)
        yield gather(rows, columns, nodes) if name in GATHERS else index_add(nodes, columns, rows)
    elif any(name.startswith(each) for each in RANDOM):
        yield Operation(Kind.RANDOM, values / 2, 1.0)
    elif name.removesuffix("_backward_data").removeprefix("_") in EXPONENTIALS:
        yield Operation(Kind.EXPONENTIAL, values / 2, 1.0)
    elif name in SORTS:
        yield stream(values, 1.0, SORT_PASSES, fresh=True)
    else:
        yield stream(values / 3, 1.0, 3, fresh=True)
