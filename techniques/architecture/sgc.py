"""SGC: features averaged over K hops, then one linear layer (Wu et al., ICML 2019)."""

from __future__ import annotations

from techniques.architecture.precomputed import Precomputed


class Sgc(Precomputed):
    """GCN without what lies between its layers: (D^-1/2 (A + I) D^-1/2)^K X is computed once, then trained on as plain
    rows (Wu et al., ICML 2019, equation 8)."""

    __slots__ = ()
    name = "sgc"
    text = "features averaged once, then a linear layer: cheapest to train, needs homophily"
    default_steps = 2
    default_layers = 1
    adds_loops = True
    keeps_all = False

    def paper(self) -> str:
        return "Wu et al., ICML 2019"

    def pyg_propagation(self, steps: int) -> str:
        return (
            "from torch_geometric.nn import APPNP\n"
            f"propagate = APPNP(K={steps}, alpha=0.0)  # without its teleport: SGConv's propagation\n"
            "data.x = propagate(data.x, data.edge_index, data.edge_weight)"
        )


SGC = Sgc()
