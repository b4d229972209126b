"""Whether it fits is judged on baseline + peak at the high end; what does not is made to, gently."""

from __future__ import annotations

from typing import Any

import pytest

from planner import costing
from planner.costing import BASELINE_HOST_BYTES, Costed, candidate, cost, epochs_to_converge, fits, fitted
from planner.pins import Pins
from planner.proposal import make_spec
from techniques.architecture import train_step
from techniques.base import Slot
from techniques.forecast import Phase, Range

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


def test_a_calibration_knows_what_its_libraries_take(make_facts: Any, make_calibration: Any) -> None:
    facts = make_facts()
    spec = make_spec(facts, FULL, {})

    def baseline(found: int | None) -> float:
        calibration = make_calibration().model_copy(update={"baseline_host_bytes": found})
        hardware = facts.hardware.model_copy(update={"calibration": calibration})
        return cost(facts.model_copy(update={"hardware": hardware}), spec).baseline_host_bytes.expected

    assert baseline(400_000_000) == 400e6
    assert baseline(None) == BASELINE_HOST_BYTES.expected


@pytest.mark.parametrize(("pins", "wider"), [(NEIGHBOR, True), (FULL, False)])
def test_assumed_sizes_of_batches_widen_the_range(
    pins: Pins, wider: bool, make_facts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = make_facts(WIDE)
    spec = make_spec(facts, pins, {})
    found = cost(facts, spec).peak_host_bytes
    monkeypatch.setattr(train_step, "COUNTED_SIZES", Range.exact(0.0))
    known = cost(facts, spec).peak_host_bytes
    assert (found.low < known.low and known.high < found.high) is wider
    assert found.expected == known.expected


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
        assert phases[figures.peak_phase].host_peak_bytes.high == figures.peak_host_bytes.high
        assert figures.seconds_to_converge > 0


@pytest.mark.parametrize("sampling", ["full_batch", "neighbor", "shadow_k_hop"])
def test_preparing_holds_the_model_and_no_batch(sampling: str, make_facts: Any) -> None:
    """A weight, two moments and the best weight, 16 bytes in all; what the first batch touches is training's."""
    found = []
    for hidden in (64, 1024):
        spec = make_spec(make_facts(), Pins({Slot.SAMPLING: sampling}, {"hidden": hidden}), {})
        figures = cost(make_facts(), spec)
        found.append((figures.parameters, figures.phases[Phase.PREPARE].host_peak_bytes.expected))
    (few, small), (many, large) = found
    assert large - small == pytest.approx(16 * (many - few), rel=0.02, abs=1e5)
    if figures.loader is not None:
        assert large < figures.phases[Phase.TRAIN].host_peak_bytes.expected - 0.9 * figures.loader.host_bytes.low
