"""Whether it fits is judged on baseline + peak at the high end; what does not is made to, gently."""

from __future__ import annotations

from typing import Any

import pytest

from planner import costing
from planner.costing import BASELINE_HOST_BYTES, Costed, candidate, cost, epochs_to_converge, fits, fitted
from planner.proposal import Pins, make_spec
from techniques.base import Slot

NEIGHBOR = Pins({Slot.SAMPLING: "neighbor", Slot.HARDWARE: "cpu", Slot.ARCHITECTURE: "sage"})
FULL = Pins({Slot.SAMPLING: "full_batch", Slot.HARDWARE: "cpu", Slot.ARCHITECTURE: "sage"})
WIDE = (1_000_000, 5_000_000, 1000, 10)  # 4 GB of features


def limited(make_facts: Any, pins: Pins, host: int, graph: tuple[int, ...] = WIDE, **goal: Any) -> Costed:
    facts = make_facts(graph, host=host, **goal)
    return fitted(facts, make_spec(facts, pins, {}), pins, None)


def needs(make_facts: Any, pins: Pins, graph: tuple[int, ...] = WIDE, **settings: Any) -> int:
    facts = make_facts(graph)
    return cost(facts, make_spec(facts, Pins(pins.options, settings), {})).needs_host_bytes


def test_the_limit_is_baseline_and_peak_at_the_high_end(make_facts: Any) -> None:
    facts = make_facts()
    figures = cost(facts, make_spec(facts, FULL, {}))
    needed = figures.needs_host_bytes
    assert needed == int(BASELINE_HOST_BYTES.high + figures.peak_host_bytes.high)
    for limit, expected in ((needed, True), (needed - 1, False)):
        assert fits(make_facts(host=limit), figures) is expected
        assert fits(make_facts(host_memory_bytes=limit), figures) is expected, "what the user states wins"


def test_the_device_has_a_limit_of_its_own(make_facts: Any) -> None:
    pins = Pins({Slot.HARDWARE: "cuda", Slot.SAMPLING: "full_batch"})
    facts = make_facts(device=2**34)
    figures = cost(facts, make_spec(facts, pins, {}))
    assert fits(facts, figures)
    assert not fits(make_facts(device=figures.needs_device_bytes - 1), figures)
    assert not fits(make_facts(device=2**34, device_memory_bytes=figures.needs_device_bytes - 1), figures)
    on_cpu = cost(facts, make_spec(facts, FULL, {}))
    assert fits(make_facts(device=1), on_cpu), "a candidate that uses no device is not judged on it"


def test_what_fits_is_left_alone(make_facts: Any) -> None:
    facts = make_facts()
    spec = make_spec(facts, NEIGHBOR, {})
    assert fitted(facts, spec, NEIGHBOR, None) == Costed(spec, cost(facts, spec))


GRAPH_OF_HUBS = (200_000, 2_000_000, 4000, 10)
"""Wide rows: the batches made ahead outweigh evaluation."""


def test_a_smaller_batch_is_tried_first(make_facts: Any) -> None:
    default = needs(make_facts, NEIGHBOR, GRAPH_OF_HUBS)
    smaller = needs(make_facts, NEIGHBOR, GRAPH_OF_HUBS, batch_size=512)
    assert smaller < default
    found = limited(make_facts, NEIGHBOR, (smaller + default) // 2, GRAPH_OF_HUBS)
    assert found.spec.settings["batch_size"] == 512
    assert found.spec.options[Slot.REMOTE_FEATURES] == "memory"
    reason = found.changes[0]
    assert reason.fact == "memory limit" and "batch_size 512" in reason.text


def test_the_gentlest_of_the_smaller_batches(make_facts: Any) -> None:
    default = needs(make_facts, NEIGHBOR, GRAPH_OF_HUBS)
    tight = needs(make_facts, NEIGHBOR, GRAPH_OF_HUBS, batch_size=128)
    assert tight < default
    found = limited(make_facts, NEIGHBOR, tight, GRAPH_OF_HUBS)
    assert found.spec.settings["batch_size"] == 128


def test_features_that_do_not_fit_stay_on_disk(make_facts: Any) -> None:
    """Case G: evaluation still reads them through the map, whose pages the kernel may drop."""
    facts = make_facts(WIDE)
    mapped = make_spec(facts, Pins({**NEIGHBOR.options, Slot.REMOTE_FEATURES: "memmap"}), {})
    limit = cost(facts, mapped).needs_host_bytes
    assert limit < 4 * 10**9, "less than the features alone"
    found = limited(make_facts, NEIGHBOR, limit)
    assert found.spec.options[Slot.REMOTE_FEATURES] == "memmap"
    assert found.spec.settings["batch_size"] == 1024, "the batch was not the problem"
    assert "on disk" in found.changes[0].text
    assert fits(make_facts(WIDE, host=limit), found.figures)


def test_a_full_batch_has_no_gentle_change(make_facts: Any) -> None:
    found = limited(make_facts, FULL, 10**9)
    assert found.changes == ()
    assert not fits(make_facts(WIDE, host=10**9), found.figures)


def test_pins_are_not_undone(make_facts: Any) -> None:
    kept = Pins({**NEIGHBOR.options, Slot.REMOTE_FEATURES: "memory"}, {"batch_size": 1024})
    found = limited(make_facts, kept, 10**9)
    assert found.changes == ()
    assert found.spec.settings["batch_size"] == 1024
    only_batch = Pins(NEIGHBOR.options, {"batch_size": 2048})
    mapped = limited(make_facts, only_batch, 4 * 10**9)
    assert (mapped.spec.settings["batch_size"], mapped.spec.options[Slot.REMOTE_FEATURES]) == (2048, "memmap")


def test_a_short_device_is_named_as_the_limit(make_facts: Any) -> None:
    pins = Pins({Slot.HARDWARE: "cuda", Slot.SAMPLING: "neighbor"})
    plenty = make_facts(GRAPH_OF_HUBS, device=2**40)
    smaller = cost(plenty, make_spec(plenty, Pins(pins.options, {"batch_size": 256}), {}))
    facts = make_facts(GRAPH_OF_HUBS, device=smaller.needs_device_bytes)
    found = fitted(facts, make_spec(facts, pins, {}), pins, None)
    from planner.quantities import format_bytes

    assert found.spec.settings["batch_size"] == 256
    assert found.changes[0].value == format_bytes(facts.device_limit_bytes)
    assert "device" in found.changes[0].rule


def test_epochs_are_a_range_and_samples_need_fewer(make_facts: Any) -> None:
    facts = make_facts()
    full, sampled = make_spec(facts, FULL, {}), make_spec(facts, NEIGHBOR, {})
    assert epochs_to_converge(full, 1) == costing.FULL_BATCH_EPOCHS
    before = float("inf")
    for steps in (1, 6, 100, 10_000):
        found = epochs_to_converge(sampled, steps)
        assert 0 < found.low <= found.expected <= found.high
        assert found.expected <= before
        before = found.expected


def test_a_candidate_says_what_its_spec_says(make_facts: Any) -> None:
    facts = make_facts()
    costed = fitted(facts, make_spec(facts, NEIGHBOR, {}), NEIGHBOR, None)
    made = candidate(facts, costed, ())
    assert made.spec == costed.spec
    assert made.forecast == costed.figures


@pytest.mark.parametrize("sampling", ["full_batch", "neighbor"])
def test_the_peak_is_the_largest_phase(sampling: str, make_facts: Any) -> None:
    facts = make_facts(device=2**34)
    for hardware in ("cpu", "cuda"):
        pins = Pins({Slot.SAMPLING: sampling, Slot.HARDWARE: hardware})
        figures = cost(facts, make_spec(facts, pins, {}))
        phases = figures.phases
        assert figures.peak_host_bytes.expected == max(one.host_peak_bytes.expected for one in phases.values())
        assert figures.peak_device_bytes.high == max(one.device_peak_bytes.high for one in phases.values())
        assert phases[figures.peak_phase].host_peak_bytes.expected == figures.peak_host_bytes.expected
        assert figures.seconds_to_converge > 0
