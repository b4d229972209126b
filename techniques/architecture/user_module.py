"""The user's own module, alive: made by its factory, called with what its ``forward`` takes, checked for what it returns."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.sampler import NodeSamplerInput

from techniques.architecture.network import Batch, Network
from techniques.architecture.optimizer import adam
from techniques.architecture.user_errors import guarded, user_error, widths
from techniques.architecture.user_plan import SEEDS_PER_BATCH
from techniques.errors import OptionError
from techniques.representation.block import Block

if TYPE_CHECKING:
    from techniques.architecture.user_plan import UserPlan
    from techniques.facts import Facts
    from techniques.job import Job

EXTRAS = ("edge_weight", "edge_attr", "batch_size")
"""What ``forward`` may take beside ``x`` and ``edge_index``."""


class UserNetwork(Network):
    """A module of the user's, called with a batch as the built-in networks are. Its state is the module's own."""

    def __init__(self, module: nn.Module, plan: UserPlan) -> None:
        super().__init__([], 0.0)
        self.module, self.plan = module, plan

    def forward(self, x: Tensor, blocks: Sequence[Block]) -> Tensor:
        """Rows of all nodes of the batch, [N, C]."""
        return self.call(x, blocks[0], blocks[0].num_sources)

    def call(self, x: Tensor, block: Block, seeds: int, of: str = "forward") -> Tensor:
        """What ``forward`` or ``inference`` says: [N, C], or [seeds, C] where it is told their number.

        Raises:
            OptionError: the output has another shape.
        """
        method = self.module if of == "forward" else getattr(self.module, of)
        half, name = self.plan.bf16 and self.training, f"{of} of {self.plan.factory}"
        extras = self.plan.forward if of == "forward" else takes(method, name)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=half):
            sizes = widths(x.size(1), self.plan.columns)
            out = guarded(lambda: call_user(method, x, block, seeds, extras), f"{name} failed", sizes)
        check_output(out, block.num_sources, seeds, self.plan.columns, self.plan.factory, of)
        check_values(out, x.device, name, learns=self.training and torch.is_grad_enabled())
        return out.float() if half else out  # type: ignore[no-any-return]

    def logits(self, batch: Batch) -> Tensor:
        block = batch.blocks[0]
        out = self.call(batch.x, block, batch.y.size(0) if self.plan.seeds_first else block.num_sources)
        if batch.pairs is not None:
            return (out[batch.pairs[0]] * out[batch.pairs[1]]).sum(1)
        return out if batch.loss_rows is None else out[batch.loss_rows]

    def walk_back(self, loss: Tensor) -> None:
        """What the module's own functions raise on the way back is the user's to correct, too."""
        guarded(lambda: super(UserNetwork, self).walk_back(loss), f"the backward pass of {self.plan.factory} failed")

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        return self.module.state_dict(*args, **kwargs)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        return self.module.load_state_dict(*args, **kwargs)


def call_user(method: Callable[..., Any], x: Tensor, block: Block, seeds: int, extras: Sequence[str]) -> Any:
    """``x`` by position, the rest by name; what the graph does not have is left out."""
    has = {"edge_weight": block.weight, "edge_attr": block.edge_attr, "batch_size": seeds}
    given = {name: has[name] for name in extras if has[name] is not None}
    return method(x, edge_index=block.edge_index, **given)


def check_values(out: Tensor, device: torch.device, name: str, *, learns: bool) -> None:
    """Floating point, where the input is, and in training with a gradient.

    Raises:
        OptionError: with what it is instead.
    """
    if not out.is_floating_point():
        raise OptionError(f"{name} must return floating point numbers, got {out.dtype}", "Return logits, not classes")
    if out.device.type != device.type:
        raise OptionError(
            f"{name} must return a tensor on {device}, got one on {out.device}", "Make new tensors on x.device"
        )
    if learns and not out.requires_grad:
        raise OptionError(
            f"{name} must depend on its parameters, got a tensor without gradient",
            "Leave out torch.no_grad() and detach(), and register layers as attributes or in a ModuleList",
        )


def check_output(out: Any, nodes: int, seeds: int, columns: int | None, factory: str, of: str = "forward") -> None:
    """One row per node (or per seed), one column per class.

    Raises:
        OptionError: with the shape that it has.
    """
    wanted = f"[{nodes}, {columns if columns is not None else 'any width'}]"
    if not isinstance(out, Tensor):
        raise OptionError(
            f"{of} of {factory} must return a tensor {wanted}, got {type(out).__name__}", "Return the logits alone"
        )
    if out.dim() != 2 or out.size(0) not in (nodes, seeds) or columns not in (None, out.size(1)):
        remedy = "Return one row per node and one column per class, facts.graph.labels.num_classes of them"
        raise OptionError(f"{of} of {factory} must return {wanted}, got {list(out.shape)}", remedy)


def load_factory(name: str, folder: str) -> Any:
    """Import ``module:factory``, looking in ``folder`` first; it stays on the path, as the module may import more later.

    Raises:
        OptionError: the module or name is not there, cannot be imported or called.
    """
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise OptionError(f"--model must be a name or module:factory, got {name!r}", "Write --model my_models:build")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise user_error(f"{name} could not be imported", error) from error
        raise OptionError(
            f"the module of {name!r} must be importable, got no module named {error.name!r}",
            f"Run from the folder that holds it (now {folder}), or install it",
        ) from error
    except (Exception, SystemExit) as error:
        raise user_error(f"{name} could not be imported", error) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise OptionError(f"{module_name} must define {attribute!r}, got no such name", "Check its spelling")
        found = getattr(found, part)
    if not callable(found):
        raise OptionError(
            f"{name} must be callable as factory(facts, **knobs), got {type(found).__name__}",
            "Name a function or class that makes a torch.nn.Module",
        )
    return found


def make_module(factory: Any, name: str, facts: Facts, values: Mapping[str, Any]) -> nn.Module:
    """``factory(facts, **values)``.

    Raises:
        OptionError: it raised, returned no module, or one whose ``forward`` takes no ``edge_index``.
    """
    try:
        module = factory(facts, **values)
    except (Exception, SystemExit) as error:
        raise user_error(f"{name} failed", error) from error
    if not isinstance(module, nn.Module):
        got = module.__name__ if inspect.isclass(module) else type(module).__name__
        raise OptionError(f"{name} must return a torch.nn.Module, got {got}", "Return an instance, not a class or None")
    takes(module.forward, name)
    if not any(one.requires_grad for one in module.parameters()):
        raise OptionError(
            f"the module of {name} must have parameters that can be trained, got none",
            "Register layers as attributes or in a ModuleList, and leave requires_grad on",
        )
    return module


def takes(method: Callable[..., Any], name: str = "module") -> tuple[str, ...]:
    """Which of ``EXTRAS`` a method takes.

    Raises:
        OptionError: no ``edge_index``, or an argument without default that nothing fills.
    """
    parameters = dict(inspect.signature(method).parameters)
    found = tuple(parameters)
    if "edge_index" not in found or found[0] == "edge_index":
        remedy = "Write forward(self, x, edge_index, ...)"
        if any(one.endswith("_dict") for one in found):
            remedy += ": it sees all types as one graph; hetero_sage, rgcn and hgt keep types apart"
        raise OptionError(f"forward of {name} must take x and edge_index, got ({', '.join(found)})", remedy)
    known = (found[0], "edge_index", *EXTRAS)
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    for one in parameters.values():
        if one.name not in known and one.default is inspect.Parameter.empty and one.kind not in kinds:
            raise OptionError(
                f"forward of {name} may need x, edge_index, {', '.join(EXTRAS)}, got {one.name}", "Give it a default"
            )
    return tuple(extra for extra in EXTRAS if extra in found)


def build_network(job: Job, plan: UserPlan) -> Job:
    """The live module and its optimiser; one small forward pass first, for modules that find their widths then."""
    training, device = job.spec.training, job.need("device")
    torch.manual_seed(training.seed)
    factory = load_factory(plan.factory, plan.folder)
    model = UserNetwork(make_module(factory, plan.factory, job.facts, plan.values), plan).to(device)
    features = job.need("features")
    import numpy as np

    few = min(4, job.facts.graph.num_nodes)
    x = features.rows(np.arange(few)).to(device)
    with torch.no_grad():
        found = model.eval().call(x, _tiny_block(job, few, device), few)
    if not bool(found.isfinite().all()):
        raise OptionError(
            f"forward of {plan.factory} must return finite numbers, got {found.flatten()[~found.flatten().isfinite()][0]}"
            " before any training",
            "Look for divisions by 0, such as by the degree of a node without neighbours",
        )
    return replace(job, model=model.train(), optimizer=adam(model, training))


def _tiny_block(job: Job, nodes: int, device: torch.device) -> Block:
    """A ring of a few nodes."""
    ring = torch.arange(nodes, device=device)
    edges = job.need("structure").edges
    weight = None if edges.weight is None else torch.ones(nodes, device=device)
    attr = None if edges.attr is None else torch.ones(nodes, edges.attr.shape[1], device=device)
    return Block(nodes, nodes, edge_index=torch.stack([ring, ring.roll(1)]), weight=weight, edge_attr=attr)


def build_predict(job: Job, plan: UserPlan) -> Job:
    """``job.predict`` in the way that was planned."""
    model, structure, features, device = (job.need(name) for name in ("model", "structure", "features", "device"))
    everyone = torch.arange(structure.num_nodes)

    @torch.no_grad()
    def predict(nodes: Tensor | None = None) -> Tensor:
        was_training = model.training
        model.eval()
        wanted = everyone if nodes is None else nodes.cpu()
        every = _neighborhoods(wanted) if plan.evaluation == "neighbourhoods" else _whole()[wanted.to(device)]
        model.train(was_training)
        return every

    def _whole() -> Tensor:
        from techniques.representation.block import on_device

        block = on_device(structure.rows(0, structure.num_nodes), device)
        of = "inference" if plan.evaluation == "inference" else "forward"
        return model.call(features.whole().to(device), block, structure.num_nodes, of)  # type: ignore[no-any-return]

    def _neighborhoods(nodes: Tensor) -> Tensor:
        from techniques.sampling.loading import BlockMaker, neighbor_sampler

        sampler = neighbor_sampler(structure, (-1,) * plan.hops)
        blocks = BlockMaker(False, False, structure.edges)
        parts = []
        for chunk in torch.split(nodes, SEEDS_PER_BATCH):
            out = sampler.sample_from_nodes(NodeSamplerInput(input_id=None, node=chunk), seed=0)
            data = Data(
                edge_index=torch.stack([out.row, out.col]),
                n_id=out.node,
                e_id=out.edge,
                y=torch.zeros(chunk.numel()),
                num_sampled_nodes=out.num_sampled_nodes,
                num_sampled_edges=out.num_sampled_edges,
                batch_size=chunk.numel(),
            )
            batch = blocks.batch(data, features).to(device)
            parts.append(model.call(batch.x, batch.blocks[0], chunk.numel())[: chunk.numel()])
        return torch.cat(parts)

    return replace(job, predict=predict)
