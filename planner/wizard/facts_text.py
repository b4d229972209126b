"""What is known of the graph, the model and the machine: every number with where it comes from."""

from __future__ import annotations

from planner.quantities import format_bytes, format_count, format_seconds
from planner.records import Candidate, Plan
from planner.wizard.state import State
from techniques.facts import GraphFacts, HardwareFacts, Origin, Task

WORDS = {Origin.MEASURED: "measured", Origin.ESTIMATED: "estimated", Origin.TYPED: "typed"}


def graph_lines(state: State) -> list[str]:
    """Size, degrees, features, labels."""
    if state.plan is None or not state.is_current:
        return [state.error] if state.error else ["Looking ..." if state.planning else ""]
    graph = state.plan.facts.graph
    mark = WORDS[graph.origin]
    derived = "measured" if graph.origin is Origin.MEASURED else "estimated"
    rows = [
        ("nodes", format_count(graph.num_nodes), mark),
        ("stored edges", f"{format_count(graph.num_edges)} ({'undirected' if graph.undirected else 'directed'})", mark),
        ("degree", f"mean {graph.mean_degree:.1f}, largest {graph.degrees.max:,}", derived),
        ("features", _features(graph), mark),
        ("labels", _labels(graph), mark),
        ("train/val/test", _split(graph), "estimated" if graph.labels.split_is_seeded else mark),
        ("in memory", f"{format_bytes(graph.dataset_bytes)}: {_parts(graph)}", derived),
        ("size class", f"{graph.size_class.value}", derived),
    ]
    return [*(_line(*row) for row in rows), *(f"  note: {note}" for note in graph.notes)]


def _line(name: str, value: str, mark: str) -> str:
    return f"{name:<16}{value:<44} {mark}"


def _features(graph: GraphFacts) -> str:
    if graph.features.generated:
        return "none: log-degree and a constant stand in"
    density = graph.features.density(graph.num_nodes)
    return f"{graph.features.width:,} columns, {density:.1%} non-zero"


def _labels(graph: GraphFacts) -> str:
    labels = graph.labels
    if graph.task is Task.LINK:
        return "edges are what is predicted"
    if labels.num_targets:
        return f"{labels.num_targets} targets (regression)"
    rare = f", largest class {labels.imbalance:.1f} times the smallest" if labels.imbalance else ""
    return f"{labels.num_classes} classes{rare}"


def _split(graph: GraphFacts) -> str:
    parts = (graph.labels.train, graph.labels.val, graph.labels.test)
    return " / ".join("?" if part is None else format_count(part) for part in parts)


def _parts(graph: GraphFacts) -> str:
    structure = 16 * graph.num_edges
    return f"structure {format_bytes(structure)}, rest {format_bytes(max(graph.dataset_bytes - structure, 0))}"


def model_lines(state: State) -> list[str]:
    """Parameters and receptive field of what the plan would train."""
    if state.plan is None or state.plan.best is None:
        return ["Parameters and receptive field are shown once there is a plan."]
    best, graph = state.plan.best, state.plan.facts.graph
    layers = best.settings.get("layers", "?")
    seen = min(best.forecast.input_nodes_per_step / max(graph.num_nodes, 1), 1.0)
    return [
        f"The plan's best is {best.name}.",
        _line("parameters", f"{best.forecast.parameters:,}", "estimated"),
        _line("receptive field", f"{layers} hops around each node", "estimated"),
        _line(
            "one step reads",
            f"{format_count(best.forecast.input_nodes_per_step)} nodes, {seen:.1%} of all",
            "estimated",
        ),
    ]


def machine_lines(state: State) -> list[str]:
    """The machine that is planned for: the one at hand, or a named one."""
    if state.answers.on:
        from planner.catalog import machine

        hardware = machine(state.answers.on)
    elif state.machine is None:
        return ["Looking at this machine ..."]
    else:
        hardware = state.machine
    return [*_machine(hardware), *(f"  note: {note}" for note in hardware.notes)]


def _machine(hardware: HardwareFacts) -> list[str]:
    mark = WORDS[hardware.origin]
    memory = f"{format_bytes(hardware.memory_available_bytes)} free of {format_bytes(hardware.memory_total_bytes)}"
    lines = [_line("cores", f"{hardware.cores} usable", mark), _line("host memory", memory, mark)]
    if hardware.disk_free_bytes is not None:
        lines.append(_line("disk", f"{format_bytes(hardware.disk_free_bytes)} free", mark))
    for gpu in hardware.gpus:
        free = f"{gpu.name}: {format_bytes(gpu.memory_free_bytes)} free of {format_bytes(gpu.memory_total_bytes)}"
        lines.append(_line("GPU", free, mark))
    return lines if hardware.gpus else [*lines, _line("GPU", "none", mark)]


def budget_lines(state: State, budget_seconds: float | None) -> list[str]:
    """What a budget buys here."""
    if state.plan is None or state.plan.best is None or not budget_seconds:
        return ["How many trainings fit is shown once there is a plan."]
    best: Candidate = state.plan.best
    count = budget_seconds / max(best.forecast.seconds_to_converge, 1e-9)
    told = f"{count:.0f} times" if count >= 1 else "less than once"
    return [
        f"The plan's best converges in about {format_seconds(best.forecast.seconds_to_converge)} (estimated): the budget "
        f"of {format_seconds(budget_seconds)} would hold it {told}.",
        "Bad candidates are stopped early. A large graph is searched on a part of it, and the best are verified on the whole.",
    ]


def plan_is_for(plan: Plan) -> str:
    """Graph and machine in one line."""
    return f"{plan.facts.graph.name} on {plan.facts.hardware.name}"
