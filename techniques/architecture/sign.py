"""SIGN: features of 0, 1, ... K hops side by side, then a perceptron (Frasca et al., 2020)."""

from __future__ import annotations

from techniques.architecture.precomputed import Precomputed
from techniques.recipe_parts import UNCHECKED


class Sign(Precomputed):
    """[X, A X, ..., A^K X] with A = D^-1/2 A D^-1/2 is computed once, then a perceptron is trained on plain rows (Frasca et
    al., "SIGN: Scalable Inception Graph Neural Networks", 2020, with one weight over all hops)."""

    __slots__ = ()
    name = "sign"
    text = "features of every hop side by side, then a perceptron: fast steps, K + 1 times the features"
    default_steps = 3
    default_layers = 2
    adds_loops = False
    keeps_all = True

    def paper(self) -> str:
        return "Frasca et al., 2020"

    def pyg_propagation(self, steps: int) -> str:
        return (
            f"from torch_geometric.transforms import SIGN\n{UNCHECKED}"
            f"data = SIGN({steps})(data)\n"
            f'data.x = torch.cat([data.x, *(data[f"x{{hop}}"] for hop in range(1, {steps + 1}))], dim=1)'
        )


SIGN = Sign()
