"""What is known of the graph, the model and the machine: every number with where it comes from."""

from __future__ import annotations

from planner.quantities import format_bytes, format_count, format_seconds
from planner.records import Candidate
from planner.render import graph_notes
from planner.typed import type_lines
from planner.wizard.plan_text import working
from planner.wizard.state import State
from techniques.facts import GraphFacts, HardwareFacts, Origin, Task

NOTHING_FITS = "Nothing fits yet: the Plan pane says what comes nearest and what would change it."
WORDS = {Origin.MEASURED: "measured", Origin.ESTIMATED: "estimated", Origin.TYPED: "typed"}


def graph_lines(state: State, width: int) -> list[str]:
    """Size, degrees, features, labels."""
    if state.plan is None or not state.is_current:
        return [state.error] if state.error else [working("Looking", state) if state.planning else ""]
    graph = state.plan.facts.graph
    mark = WORDS[graph.origin]
    derived = "measured" if graph.origin is Origin.MEASURED else "estimated"
    rows = [
        *_kinds(graph, mark),
        ("nodes", format_count(graph.num_nodes), mark),
        ("stored edges", f"{format_count(graph.num_edges)} ({'undirected' if graph.undirected else 'directed'})", mark),
        ("degree", f"mean {graph.mean_degree:.1f}, largest {graph.degrees.max:,}", derived),
        ("features", _features(graph), mark),
        ("labels", _labels(graph), mark),
        ("train/val/test", _split(graph), "estimated" if graph.labels.split_is_seeded else mark),
        ("in memory", f"{format_bytes(graph.dataset_bytes)}: {_parts(graph)}", derived),
        ("size class", f"{graph.size_class.value}", derived),
    ]
    return [*_table(rows, width), *(f"  note: {note}" for note in graph_notes(graph)), *type_lines(graph)]


def _table(rows: list[tuple[str, str, str]], width: int) -> list[str]:
    """Name, value, and where it comes from."""
    wide = min(max(len(value) for _, value, _ in rows), max(width - 16 - 10, 20))
    return [f"{name:<16}{value:<{wide}} {mark}" for name, value, mark in rows]


def _kinds(graph: GraphFacts, mark: str) -> list[tuple[str, str, str]]:
    """What a single graph of one type has none of."""
    found = []
    if graph.num_graphs > 1:
        found.append(("graphs", format_count(graph.num_graphs), mark))
    if graph.heterogeneous:
        found.append(("types", f"{len(graph.nodes_by_type)} of nodes, {len(graph.edges_by_type)} of edges", mark))
    return found


def _features(graph: GraphFacts) -> str:
    if graph.features.generated:
        return "none: log-degree and a constant stand in"
    density = graph.features.density(graph.num_nodes)
    share = f"{density:.1%}" if density >= 0.001 or not density else f"{100 * density:.1g}%"
    return f"{graph.features.width:,} columns, {share} non-zero"


def _labels(graph: GraphFacts) -> str:
    labels = graph.labels
    if graph.task is Task.LINK:
        return "edges are what is predicted"
    if labels.num_targets:
        return f"{labels.num_targets} targets (regression)"
    rare = f", largest {labels.imbalance:.1f} times the smallest" if labels.imbalance else ""
    return f"{labels.num_classes} classes{rare}"


def _split(graph: GraphFacts) -> str:
    parts = (graph.labels.train, graph.labels.val, graph.labels.test)
    return " / ".join("?" if part is None else format_count(part) for part in parts)


def _parts(graph: GraphFacts) -> str:
    structure = 16 * graph.num_edges
    return f"structure {format_bytes(structure)}, rest {format_bytes(max(graph.dataset_bytes - structure, 0))}"


def model_lines(state: State, width: int) -> list[str]:
    """Parameters and receptive field of what the plan would train."""
    if state.plan is None or state.plan.best is None:
        return [NOTHING_FITS if state.plan else "Parameters and receptive field are shown once there is a plan."]
    best, graph = state.plan.best, state.plan.facts.graph
    layers = best.settings.get("layers", "?")
    reads = best.forecast.input_nodes_per_step
    seen = min(reads / max(graph.num_nodes, 1), 1.0)
    return [
        f"The plan's best is {best.name}.",
        *_table(
            [
                ("parameters", f"{best.forecast.parameters:,}", "estimated"),
                ("receptive field", f"{layers} hops around each node", "estimated"),
                ("one step reads", f"{format_count(reads)} nodes, {seen:.1%} of all", "estimated"),
            ],
            width,
        ),
    ]


def machine_lines(state: State, width: int) -> list[str]:
    """The machine that is planned for: the one at hand, or a named one."""
    if state.answers.on:
        from planner.catalog import machine

        hardware = machine(state.answers.on)
    elif state.machine is None:
        return ["Looking at this machine ..."]
    else:
        hardware = state.machine
    return [*_table(_machine(hardware), width), *(f"  note: {note}" for note in hardware.notes)]


def _machine(hardware: HardwareFacts) -> list[tuple[str, str, str]]:
    mark = WORDS[hardware.origin]
    memory = f"{format_bytes(hardware.memory_available_bytes)} free of {format_bytes(hardware.memory_total_bytes)}"
    rows = [("cores", f"{hardware.cores} usable", mark), ("host memory", memory, mark)]
    if hardware.disk_free_bytes is not None:
        rows.append(("disk", f"{format_bytes(hardware.disk_free_bytes)} free", mark))
    for gpu in hardware.gpus:
        free = f"{gpu.name}: {format_bytes(gpu.memory_free_bytes)} free of {format_bytes(gpu.memory_total_bytes)}"
        rows.append(("GPU", free, mark))
    return rows if hardware.gpus else [*rows, ("GPU", "none", mark)]


def budget_lines(state: State, budget_seconds: float | None) -> list[str]:
    """What a budget buys here."""
    if state.plan is None or state.plan.best is None or not budget_seconds:
        return [
            NOTHING_FITS
            if state.plan and not state.plan.best
            else "How many trainings fit is shown once there is a plan."
        ]
    best: Candidate = state.plan.best
    count = budget_seconds / max(best.forecast.seconds_to_converge, 1e-9)
    told = f"{count:.0f} times" if count >= 1 else "less than once"
    return [
        f"The plan's best converges in about {format_seconds(best.forecast.seconds_to_converge)} (estimated): the budget "
        f"of {format_seconds(budget_seconds)} would hold it {told}.",
        "Bad candidates are stopped early. A large graph is searched on a part of it, and the best are verified on the whole.",
    ]
