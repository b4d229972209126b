"""What the ways to coarsen share: their knobs, their parts, what they refuse and what they warn of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from techniques.architecture.edge_inputs import read_columns, reads_weights
from techniques.base import USABLE, Knob, Part, Settings, Slot, Stage, Verdict, refuse
from techniques.coarsening.parts import BackToGraph, Coarsen
from techniques.coarsening.plan import CoarseningPlan
from techniques.coarsening.sizes import coarse_graph_facts, trained_facts
from techniques.errors import OptionError
from techniques.facts import Facts, GraphFacts, Task
from techniques.job import JobSpec, setting_float

SOURCE = "source, technique 7"
POOLINGS, LABELS = ("mean", "max"), ("mode", "mean", "soft")
RATIOS = (0.5, 0.3, 0.1, 0.7)
GRAPH, LEVEL = "graph", "level"


class Coarsening(ABC):
    """Train on a smaller graph of clusters, use the weights on the graph itself (source, technique 7)."""

    __slots__ = ()
    slot: ClassVar[Slot] = Slot.COARSENING
    name: ClassVar[str]
    text: ClassVar[str]
    agrees: ClassVar[bool] = False
    """Whether training nodes of different classes are never joined."""

    @abstractmethod
    def size_knob(self) -> Knob:
        """How much is kept."""

    def recipe(self, spec: JobSpec) -> str:
        from techniques.coarsening.script import coarsening_recipe

        knob = self.size_knob().name
        return coarsening_recipe(spec, f"{knob.removeprefix('coarsen_')}={spec.settings[knob]}", self.agrees)

    def refused(self, facts: Facts, spec: JobSpec) -> Verdict | None:
        """What this way of coarsening cannot take."""
        return None

    def check(self, facts: Facts, spec: JobSpec) -> Verdict:
        refused = self._refused_task(facts) or _refused_scope(facts, spec) or self._refused_labels(facts, spec)
        refused = refused or _refused_choices(spec) or self.refused(facts, spec)
        return refused or USABLE

    def _refused_task(self, facts: Facts) -> Verdict | None:
        graph = facts.graph
        if graph.heterogeneous:
            counts = f"{max(len(graph.nodes_by_type), 1)} of nodes, {max(len(graph.edges_by_type), 1)} of edges"
            text = "one cluster would hold nodes of several types, whose features and labels mean different things"
            return refuse("types", counts, "super-nodes join nodes of one type", SOURCE, text)
        if facts.task is Task.NODE:
            return None
        text = "super-nodes have labels of their members, not links or graphs of their own"
        return refuse("task", facts.task.value, "coarsening trains node labels", SOURCE, text)

    def _refused_labels(self, facts: Facts, spec: JobSpec) -> Verdict | None:
        how = str(spec.settings["coarsen_labels"])
        if how == "soft" and spec.settings.get("seed_order") == "imbalanced":
            rule, text = "rare classes need one class per node", "shares of classes name no rare class: use mode"
            return refuse("labels", how, rule, SOURCE, text)
        return None

    def knobs(self, facts: Facts) -> tuple[Knob, ...]:
        several = facts.graph.labels.multi_label
        return (
            self.size_knob(),
            Knob(
                name="coarsen_pooling",
                text="features of a super-node: mean or max of its members'",
                default="mean",
                choices=POOLINGS,
            ),
            Knob(
                name="coarsen_labels",
                text="its label: mode or mean (classes in order) of its training members, or soft shares",
                default="mode",
                choices=tuple(one for one in LABELS if not several or one != "mean"),
                tuned=False,
            ),
            Knob(
                name="coarsen_scope",
                text="the whole graph, or one level of the hierarchy that is given",
                default=GRAPH if facts.goal.hierarchy is None else LEVEL,
                choices=(GRAPH, LEVEL),
                tuned=False,
            ),
        )

    def coarsening(self, facts: Facts, spec: JobSpec) -> CoarseningPlan:
        """The plan of a spec.

        Raises:
            OptionError: a ratio or a number of levels that makes no sense.
        """
        return CoarseningPlan(
            self.name,
            ratio=ratio_of(spec.settings),
            levels=levels_of(spec.settings),
            seed=spec.training.seed,
            weighted=reads_weights(facts, spec),
            agree=self.agrees,
            hierarchy=hierarchy_of(facts, spec),
        )

    def expected(self, facts: Facts, spec: JobSpec) -> GraphFacts:
        """What is expected of the coarse graph."""
        plan = self.coarsening(facts, spec)
        return coarse_graph_facts(facts.graph, plan, _free_share(facts, plan))

    def parts(self, facts: Facts, spec: JobSpec) -> tuple[Part, ...]:
        from techniques import option

        trained = trained_facts(facts, spec)
        representation = option(Slot.REPRESENTATION, spec.options[Slot.REPRESENTATION]).parts(trained, spec)
        forms = tuple(part for part in representation if part.stage is Stage.PREPARE)
        coarsen = Coarsen(
            plan=self.coarsening(facts, spec),
            trained=trained,
            forms=forms,
            maximum=spec.settings["coarsen_pooling"] == "max",
            labels=str(spec.settings["coarsen_labels"]),
            weights=reads_weights(trained, spec),
            attributes=read_columns(trained, spec) > 0,
            sparse_features=spec.options[Slot.REPRESENTATION_FEATURES] == "csr",
        )
        sampling = option(Slot.SAMPLING, spec.options[Slot.SAMPLING]).parts(facts, spec)
        batches = tuple(part for part in sampling if part.stage is Stage.BATCH)
        return (coarsen, BackToGraph(batches))


def ratio_of(settings: Settings) -> float:
    """Share of the nodes to keep, 0.5 where the method has no such setting.

    Raises:
        OptionError: not above 0 and up to 1.
    """
    if "coarsen_ratio" not in settings:
        return 0.5
    value = setting_float(settings, "coarsen_ratio")
    if not 0.0 < value <= 1.0:
        raise OptionError(
            f"coarsen_ratio must be above 0 and at most 1, got {value:g}", "Write --set coarsen_ratio=0.5"
        )
    return value


def levels_of(settings: Settings) -> int:
    """Times that pairs are matched, 1 where the method has no such setting."""
    return int(setting_float(settings, "coarsen_levels")) if "coarsen_levels" in settings else 1


def ratio_knob() -> Knob:
    return Knob(
        name="coarsen_ratio", text="share of the nodes that is kept, up to 1", default=RATIOS[0], choices=RATIOS
    )


def hierarchy_of(facts: Facts, spec: JobSpec) -> tuple[str, str] | None:
    """File and level where one level is coarsened."""
    goal = facts.goal
    if spec.settings.get("coarsen_scope") != LEVEL or goal.hierarchy is None:
        return None
    from techniques.coarsening.hierarchy import read_hierarchy

    return goal.hierarchy, goal.hierarchy_level or read_hierarchy(goal.hierarchy).middle


def _free_share(facts: Facts, plan: CoarseningPlan) -> float:
    """Share of the nodes that may be joined."""
    if plan.hierarchy is None:
        return 1.0
    from techniques.coarsening.hierarchy import groups_of

    group = groups_of(plan, facts.graph.num_nodes)
    assert group is not None, "a plan with a hierarchy has groups"
    return float((group >= 0).mean())


def _refused_choices(spec: JobSpec) -> Verdict | None:
    """What holds on to the nodes of the graph itself cannot be trained on another and judged on it."""
    architecture, features = spec.options[Slot.ARCHITECTURE], spec.options[Slot.REPRESENTATION_FEATURES]
    if architecture in ("sgc", "sign"):
        text = "features that are propagated once need no smaller graph: batches of rows are cheap already"
        return refuse("architecture", architecture, "super-nodes are for layers that sum over neighbours", SOURCE, text)
    if architecture == "custom":
        text = "what your module makes of weighted edges of super-nodes is not known"
        return refuse("architecture", architecture, "super-nodes need layers that read edge weights", SOURCE, text)
    if features == "embedding":
        text = "super-nodes have other rows than the nodes that are judged"
        return refuse("features", features, "a learned table has a row per node", SOURCE, text)
    if features == "half":
        text = "pooled features are float32: the coarse graph is small already"
        return refuse("features", features, "pooling adds up rows in float32", SOURCE, text)
    return None


def _refused_scope(facts: Facts, spec: JobSpec) -> Verdict | None:
    """No coarsening of a whole graph whose local detail matters; one level needs a hierarchy to be one of."""
    goal, scope = facts.goal, spec.settings["coarsen_scope"]
    if scope == LEVEL and goal.hierarchy is None:
        rule, text = "one level is coarsened of a hierarchy that is given", "name its file: --hierarchy FILE"
        return refuse("hierarchy", "none", rule, "source, case H", text)
    if scope == GRAPH and (goal.detail == "local" or goal.hierarchy is not None):
        fact, value = ("detail", "local") if goal.detail == "local" else ("hierarchy", "given")
        rule = "no coarsening of the whole graph where detail matters"
        text = "what is inside super-nodes would be lost everywhere; coarsen a middle level only: --hierarchy FILE"
        return refuse(fact, value, rule, "source, case H", text)
    return None
