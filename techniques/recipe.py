"""A spec as one script of PyG code: what its options write, in the order in which it runs.

The script reads the graph that was planned for (``graph.pt``, a ``torch_geometric.data.Data``, where there is none), trains
one epoch and prints its mean loss. Loaders that PyG offers only with pyg-lib or torch-sparse are gnnfit's own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from techniques.architecture.edge_inputs import read_columns, reads_weights
from techniques.architecture.hetero.typed import is_typed
from techniques.base import SettingValue, Slot
from techniques.coarsening.sizes import trained_facts
from techniques.facts import Facts, Task
from techniques.job import JobSpec
from techniques.recipe_parts import (
    EDGE_COLUMNS,
    EDGE_WEIGHTED,
    FACTORY,
    FINE_WEIGHTED,
    HIERARCHY,
    LOAD,
    SEVERAL_LABELS,
    edge_input,
    precomputes,
    script_of,
)
from techniques.representation.unit_rows import has_unit_rows

BEFORE_FEATURES = (Slot.PARALLEL, Slot.HARDWARE, Slot.REMOTE, Slot.REMOTE_FEATURES)
BEFORE_OPTIMIZER = (Slot.REPRESENTATION_FEATURES, Slot.REPRESENTATION, Slot.ARCHITECTURE)
GENERATED = """\
from torch_geometric.utils import degree
in_degree = degree(data.edge_index[1], data.num_nodes)
data.x = torch.stack([in_degree.log1p(), torch.ones_like(in_degree)], dim=1)  # the graph has no features"""
WEIGHTED_GENERATED = GENERATED.replace("import degree", "import scatter").replace(
    "degree(data.edge_index[1], data.num_nodes)",
    "scatter(data.edge_weight, data.edge_index[1], dim_size=data.num_nodes)  # weighted",
)
SUMMING = {"appnp": "[model.propagate]"}
"""Where a script keeps what sums over neighbours, if not in ``model.convs``."""
LAYERS = {"appnp": "model.lins", "sgc": "model[::3]", "sign": "model[::3]"}
"""Where it keeps the layers."""
CHECKPOINTED = """\
from functools import partial
from torch.utils.checkpoint import checkpoint
for conv in model.convs:  # compute again in the backward pass what a layer would keep for it
    conv.forward = partial(checkpoint, conv.forward, use_reentrant=False)
"""
SUMS_IN_FLOAT32 = '''\
def widened(value):
    """bfloat16 as float32, inside tuples too."""
    if isinstance(value, tuple):
        return tuple(map(widened, value))
    return value.float() if getattr(value, "dtype", None) is torch.bfloat16 else value


def in_float32(propagate):
    """Sums over neighbours lose small terms in bfloat16, and sparse products lack it."""

    def wrapped(edge_index, **arguments):
        with torch.autocast(device.type, enabled=False):
            return propagate(edge_index, **{name: widened(value) for name, value in arguments.items()})

    return wrapped


for conv in model.convs:
    conv.propagate = in_float32(conv.propagate)
'''
EPOCH = '''\
def epoch():
    """One pass over the training data; the mean loss."""
    model.train()
    total = count = 0
    for batch in loader:
        loss, rows = loss_of(batch.to(device))
        if rows == 0:
            continue  # a subgraph without training nodes teaches nothing
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total, count = total + float(loss.detach()) * rows, count + rows
    return total / max(count, 1)


# How long to train, and evaluation on data.val_mask, are up to you.
print(epoch())
'''
ONE_STEP = """\
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""
MANY_STEPS = """\
        (loss * rows).backward()
        waiting, seeds = waiting + 1, seeds + rows
        if waiting == {count}:
            step(seeds)
            waiting = seeds = 0
"""
STEP_LEFT = """\
    if waiting:
        step(seeds)
"""
STEP = '''\
def step(seeds):
    """One step with the gradient of the mean loss of all seeds since the last one."""
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad /= seeds
    optimizer.step()
    optimizer.zero_grad()


'''
LAST_LINES = "    return total / max(count, 1)\n"


def recipe(spec: JobSpec, facts: Facts) -> str:
    """The script of a spec for the graph that the facts describe, ready to paste.

    ``graph.pt`` must hold ``x`` (unless the graph has no features), ``edge_index``, class ids ``y`` from 0 on or
    multi-label rows, and ``train_mask``; for links ``edge_index`` is what messages may use and ``train_edge_index``
    [2, M] the positives. What the model reads of ``edge_weight`` [E] and ``edge_attr`` [E, D] must be there, too.

    Raises:
        OptionError: an option or setting of the spec that does not exist.
    """
    if is_typed(spec):
        from techniques.hetero_recipe import typed_fragments, typed_loader

        fragments = [*typed_fragments(spec, facts), _optimizer(spec), typed_loader(spec)]
        fragments.append(_epoch(spec).replace("data.val_mask", "data[target].val_mask"))
        return script_of(fragments)
    fine, whole = _told(spec, facts), facts
    facts = trained_facts(facts, spec)
    spec = _told(spec, facts, **_coarsening_facts(whole, spec))
    reading = [fragment.replace(LOAD, _reading(whole)) for fragment in _recipes(fine, BEFORE_FEATURES)]
    fragments = [
        *reading,
        *_unread(fine, whole),
        *_about(whole, fine),
        *_scaled(fine),
        *_recipes(spec, (Slot.COARSENING,)),
    ]
    fragments += _recipes(spec, BEFORE_OPTIMIZER)
    fragments += [
        _optimizer(spec),
        *_saving(spec),
        *_steps(spec, facts),
        *_recipes(spec, (Slot.SAMPLING,)),
        _epoch(spec),
    ]
    return script_of(fragments)


def _scaled(spec: JobSpec) -> list[str]:
    """Rows of features are scaled once; those of a memory map as batches read them."""
    mapped = spec.options[Slot.REMOTE_FEATURES] == "memmap"
    return ["data.x = F.normalize(data.x.to_dense().float())  # rows of length 1"] * (
        has_unit_rows(spec) and not mapped
    )


def _told(spec: JobSpec, facts: Facts, **more: SettingValue) -> JobSpec:
    """The spec with what the facts say of edges among its settings."""
    read: dict[str, Any] = {EDGE_WEIGHTED: reads_weights(facts, spec), EDGE_COLUMNS: read_columns(facts, spec)}
    own = facts.model.custom
    if own is not None and spec.options[Slot.ARCHITECTURE] == "custom":
        names = [knob.name for knob in own.knobs] + ["dropout"] * own.takes_dropout
        read |= {FACTORY: own.factory, "factory_knobs": " ".join(names), "forward": " ".join(own.forward)}
    return spec.model_copy(update={"settings": {**spec.settings, **read, **more}})


def _coarsening_facts(facts: Facts, spec: JobSpec) -> dict[str, SettingValue]:
    from techniques.coarsening.option import hierarchy_of

    hierarchy = hierarchy_of(facts, spec)
    found: dict[str, SettingValue] = {
        FINE_WEIGHTED: reads_weights(facts, spec),
        SEVERAL_LABELS: facts.graph.labels.multi_label,
    }
    return found if hierarchy is None else {**found, HIERARCHY: ":".join(hierarchy)}


def _reading(facts: Facts) -> str:
    """Reads the graph by the name that the user gave it; generated graphs and counts alone have no file."""
    source = facts.graph.source
    if source is None or source.startswith("like:"):
        return LOAD
    if Path(source).expanduser().exists():
        source = str(Path(source).expanduser().resolve())  # the script may run elsewhere
    more = f', task="link", undirected={facts.graph.undirected}' if facts.task is Task.LINK else ""
    more = ', task="graph"' if facts.task is Task.GRAPH else more
    return f"from techniques.remote.read_data import read_data\ndata = read_data({source!r}{more})  # or your own Data"


def _recipes(spec: JobSpec, slots: tuple[Slot, ...]) -> list[str]:
    from techniques import option

    return [option(slot, spec.options[slot]).recipe(spec) for slot in slots]


def _unread(spec: JobSpec, facts: Facts) -> list[str]:
    """Without what the model does not read, no loader cuts it; its rows would be those of before self-loops went."""
    stored = {"edge_weight": facts.graph.edge_weighted, "edge_attr": facts.graph.edge_features > 0}
    read = {edge_input(spec), "edge_attr" if FACTORY in spec.settings and spec.settings.get(EDGE_COLUMNS) else ""}
    unread = [name for name, there in stored.items() if there and name not in read]
    return [f"data.{name} = None  # {spec.options[Slot.ARCHITECTURE]} does not read it" for name in unread]


def _about(facts: Facts, spec: JobSpec) -> list[str]:
    """What only the facts tell: stand-in features, the number of classes, the loss."""
    generated = WEIGHTED_GENERATED if spec.settings.get(EDGE_WEIGHTED) else GENERATED
    fragments = [generated] if facts.graph.features.generated else []
    labels = facts.graph.labels
    if facts.task is Task.LINK:
        return [*fragments, "criterion = F.binary_cross_entropy_with_logits"]
    if facts.task is Task.GRAPH:
        return [*fragments, _outputs(facts)]
    lines = [f"num_classes = {max(labels.num_classes, 2)}", "criterion = F.cross_entropy"]
    if labels.multi_label:
        lines[1:] = ["data.y = data.y.float()", "criterion = F.binary_cross_entropy_with_logits"]
    return [*fragments, "\n".join(lines)]


def _outputs(facts: Facts) -> str:
    """What the network says of a graph, and its loss."""
    labels = facts.graph.labels
    if labels.num_targets:
        return (
            "known = data.y[data.train_mask]  # standardised: mean 0, deviation 1 over the training graphs\n"
            "deviation = known.std(0, unbiased=False)\n"
            "data.y = (data.y - known.mean(0)) / torch.where(deviation > 0, deviation, 1.0)\n"
            f"num_outputs = {labels.num_targets}\ncriterion = F.mse_loss"
        )
    if labels.multi_label:
        rows = "data.y = data.y.float()\ncriterion = F.binary_cross_entropy_with_logits"
        return f"num_outputs = {labels.num_classes}\n{rows}"
    return f"num_outputs = {max(labels.num_classes, 2)}\ncriterion = F.cross_entropy"


def _optimizer(spec: JobSpec) -> str:
    training = spec.training
    return (
        "model = model.to(device)\n"
        f"optimizer = torch.optim.Adam(model.parameters(), lr={training.learning_rate}, weight_decay={training.weight_decay})"
    )


def _saving(spec: JobSpec) -> list[str]:
    """What saves memory in training: narrow products, layers computed again."""
    architecture = spec.options[Slot.ARCHITECTURE]
    alone = precomputes(spec) or architecture == "custom"
    sums = SUMS_IN_FLOAT32.replace("model.convs", SUMMING.get(architecture, "model.convs"))
    fragments = [sums] if spec.training.precision == "bf16" and not alone else []
    again = CHECKPOINTED.replace("model.convs", LAYERS.get(architecture, "model.convs"))
    return [*fragments, again] if spec.training.checkpoint_layers else fragments


def _epoch(spec: JobSpec) -> str:
    """The loop of one epoch with the precision and the steps of the spec."""
    epoch, count = EPOCH, spec.training.accumulate_batches
    if spec.training.precision == "bf16":
        narrow = """\
        with torch.autocast(device.type, torch.bfloat16):
            loss, rows = loss_of(batch.to(device))
"""
        epoch = epoch.replace("        loss, rows = loss_of(batch.to(device))\n", narrow)
    if count > 1:
        epoch = epoch.replace(ONE_STEP, MANY_STEPS.format(count=count)).replace(LAST_LINES, STEP_LEFT + LAST_LINES)
        epoch = epoch.replace("    total = count = 0\n", "    total = count = waiting = seeds = 0\n")
    if spec.options[Slot.COARSENING] != "none":
        epoch = epoch.replace("evaluation on data.val_mask", "evaluation on graph.val_mask of the graph itself")
    return (STEP if count > 1 else "") + epoch


def _steps(spec: JobSpec, facts: Facts) -> list[str]:
    """Steps of an epoch where batches are drawn without end."""
    from techniques import option
    from techniques.sampling.graph_saint import SaintBatches

    parts = option(Slot.SAMPLING, spec.options[Slot.SAMPLING]).parts(facts, spec)
    steps = [part.num_steps for part in parts if isinstance(part, SaintBatches)]
    return [f"num_steps = {count}  # as many as it takes to draw the number of nodes in the graph" for count in steps]
