"""PyG's usual defaults, around what the user has pinned: what every winner is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from planner.pins import Pins
from planner.proposal import BY_NAME, check, make_spec
from planner.typed import TYPED_BASELINE_SETTINGS, baseline_options, trains_types
from techniques.architecture.hetero.typed import TYPED
from techniques.base import SettingValue, Slot
from techniques.facts import Facts, Task
from techniques.job import JobSpec

BASELINE_OPTIONS = {Slot.SAMPLING: "neighbor", Slot.REPRESENTATION: "coo", Slot.ARCHITECTURE: "sage"}
BASELINE_SETTINGS: dict[str, SettingValue] = {
    "layers": 2,
    "hidden": 256,
    "batch_size": 1024,
    "fanouts": (25, 10),
    "seed_order": "uniform",
    "trim": False,
    "prefetch": 0,
}
"""PyG's examples/reddit.py: GraphSAGE, 2 x 256, num_neighbors=[25, 10], batch_size=1024, lr=0.01, no trimming."""
LINK_BASELINE_SETTINGS: dict[str, SettingValue] = {
    **BASELINE_SETTINGS,
    "hidden": 64,
    "batch_size": 128,
    "fanouts": (20, 10),
    "negatives": 2,
}
"""PyG's link-level tutorial (docs, tutorial/neighbor_loader; MovieLens colab): GraphSAGE, 2 x 64, num_neighbors=[20, 10],
neg_sampling_ratio=2.0, batch_size=128."""
GRAPH_BASELINE_OPTIONS = {**BASELINE_OPTIONS, Slot.SAMPLING: "graph_batch", Slot.ARCHITECTURE: "gin"}
GRAPH_BASELINE_SETTINGS: dict[str, SettingValue] = {
    "layers": 5,
    "hidden": 32,
    "batch_size": 128,
    "pool": "sum",
    "norm": "batch_norm",
    "prefetch": 0,
}
"""PyG's examples/mutag_gin.py: GIN, 5 x 32, global_add_pool, batch_size=128, lr=0.01."""

STAND_INS: Mapping[Slot, tuple[str, ...]] = {
    Slot.SAMPLING: ("full_batch", "rows"),
    Slot.REPRESENTATION: ("csr", "dense"),
    Slot.REPRESENTATION_FEATURES: ("csr",),
}
"""What takes the place of a default that what is pinned refuses, in this order."""


def baseline_spec(facts: Facts, pins: Pins = Pins()) -> JobSpec:  # noqa: B008 - frozen
    """PyG's usual defaults, on the processor that PyG's examples would pick here, around what is pinned.

    Where what is pinned cannot be used together at all, the sampler and then everything is as if it were not pinned:
    nothing can win then, but a plan still says what PyG's defaults would take.
    """
    unsampled: dict[Slot, str] = {slot: name for slot, name in pins.options.items() if slot is not Slot.SAMPLING}
    for kept in (pins, Pins(unsampled, pins.settings)):
        spec = pinned_spec(facts, kept)
        if check(facts, spec).usable:
            return spec
    return pinned_spec(facts, Pins())


def pinned_spec(facts: Facts, pins: Pins) -> JobSpec:
    """PyG's defaults with every pin: a pinned architecture or own module is trained with the defaults of PyG's loaders, and
    where it refuses those, with the nearest options that it takes. An own module keeps its own width and depth.

    Pins that cannot be used together give a spec that ``check`` refuses.
    """
    chosen, settings = _defaults(facts, pins)
    first = make_spec(facts, pins, chosen, settings)
    tries = (make_spec(facts, pins, {**chosen, **other}, settings) for other in _stand_ins(chosen))
    return next((spec for spec in (first, *tries) if check(facts, spec).usable), first)


def _defaults(facts: Facts, pins: Pins) -> tuple[dict[Slot, str], dict[str, SettingValue]]:
    """Options and settings of PyG's example for the task; the architecture is the one that is asked for."""
    asked = pins.options.get(Slot.ARCHITECTURE) or facts.model.architecture
    chosen = {**BASELINE_OPTIONS, Slot.HARDWARE: "cuda" if facts.hardware.gpus else "cpu"}
    chosen[Slot.REPRESENTATION_FEATURES] = "dense"
    settings = BASELINE_SETTINGS
    if facts.task is Task.LINK:
        chosen, settings = {**chosen, Slot.SAMPLING: "link_neighbor"}, LINK_BASELINE_SETTINGS
    elif facts.task is Task.GRAPH:
        chosen, settings = {**chosen, **GRAPH_BASELINE_OPTIONS}, GRAPH_BASELINE_SETTINGS
    elif trains_types(facts) and (asked is None or asked in TYPED):
        chosen, settings = {**chosen, **baseline_options(), Slot.HARDWARE: "cpu"}, TYPED_BASELINE_SETTINGS
    if asked is not None:
        chosen[Slot.ARCHITECTURE] = asked
    return chosen, _without_stated(facts, pins, settings, own_shape=asked in BY_NAME)


def _without_stated(
    facts: Facts, pins: Pins, settings: Mapping[str, SettingValue], *, own_shape: bool
) -> dict[str, SettingValue]:
    """The settings that the user has not stated otherwise; fanouts follow a depth that differs."""
    own = facts.model.custom
    stated = {name for name in ("layers", "hidden") if own_shape or getattr(facts.model, name) is not None}
    stated |= {knob.name for knob in own.knobs} if own is not None and own_shape else set()
    depth = pins.settings.get("layers", facts.model.layers or (own.layers if own and own_shape else None))
    if depth not in (None, settings["layers"]):
        stated.add("fanouts")
    return {name: value for name, value in settings.items() if name not in stated}


def _stand_ins(chosen: Mapping[Slot, str]) -> Iterator[dict[Slot, str]]:
    """Other options for the slots of a batch and its form, the fewest changes first."""
    lists = [(chosen[slot], *(one for one in others if one != chosen[slot])) for slot, others in STAND_INS.items()]
    every = sorted(product(*lists), key=lambda names: sum(map(str.__ne__, names, [one[0] for one in lists])))
    for names in every[1:]:
        yield dict(zip(STAND_INS, names, strict=True))
