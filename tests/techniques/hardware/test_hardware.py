"""The processor's part: rates, threads, what the allocator adds, what a device holds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from techniques import option
from techniques.assembly import forecast
from techniques.base import Slot
from techniques.errors import OptionError
from techniques.facts import HardwareFacts
from techniques.forecast import Phase, Place
from techniques.hardware.allocator import ALIGNED_BYTES, MAPPED_BYTES, resident
from techniques.hardware.rates import UNKNOWN_LINK, rates

GPU_MEMORY = 15 * 2**30


@given(st.floats(0, 1e12), st.lists(st.floats(0, 1e10), max_size=4), st.sampled_from(list(Place)), st.booleans())
def test_resident_memory_is_at_least_what_lives(live: float, blocks: list[float], place: Place, vary: bool) -> None:
    found = resident(live, blocks, place, vary)
    assert 0 <= found.low <= found.expected <= found.high
    assert found.expected >= live


def test_blocks_of_the_heap_leave_holes_and_mapped_ones_none() -> None:
    """Only blocks that are aligned to huge pages: smaller ones fit the holes that others leave."""
    tiny, aligned, mapped = (
        resident(1e9, [block], Place.HOST, False).expected for block in (ALIGNED_BYTES / 2, ALIGNED_BYTES, MAPPED_BYTES)
    )
    assert tiny == mapped < aligned


def test_varying_shapes_cost_more_on_a_device() -> None:
    assert resident(1e9, [1.0], Place.DEVICE, True).high > resident(1e9, [1.0], Place.DEVICE, False).high


def test_threads_slow_a_cpu_in_proportion(make_facts: Any, spec_for: Any) -> None:
    facts = make_facts(cores=8)
    all_cores, two = rates(facts, spec_for(facts)), rates(facts, spec_for(facts, threads=2))
    assert two.bytes_per_second == pytest.approx(all_cores.bytes_per_second / 4)
    assert two.flops_per_second == pytest.approx(all_cores.flops_per_second / 4)
    assert two.place is Place.HOST and two.link_bytes_per_second is None
    assert forecast(spec_for(facts, threads=2), facts).epoch_seconds.expected > (
        forecast(spec_for(facts), facts).epoch_seconds.expected
    )


def test_a_gpu_has_rates_even_if_its_own_are_unknown(make_facts: Any, spec_for: Any) -> None:
    facts = make_facts(device=GPU_MEMORY)
    found = rates(facts, spec_for(facts, {"hardware": "cuda"}))
    assert found.place is Place.DEVICE
    assert found.bytes_per_second > 0 and found.flops_per_second > 0
    assert found.link_bytes_per_second == UNKNOWN_LINK


def test_the_catalogs_figures_are_used(make_facts: Any, spec_for: Any) -> None:
    from planner.catalog import machine

    def epoch(name: str) -> float:
        facts = make_facts((100_000, 1_000_000, 64, 5), machine=machine(name))
        return forecast(spec_for(facts, {"hardware": "cuda"}), facts).epoch_seconds.expected

    assert epoch("a100-80gb") < epoch("colab-t4")


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_below_one_are_refused(threads: int, make_facts: Any, spec_for: Any) -> None:
    facts = make_facts()
    spec = spec_for(facts)
    spec = spec.model_copy(update={"settings": {**spec.settings, "threads": threads}})
    with pytest.raises(OptionError, match="threads must be at least 1"):
        forecast(spec, facts)


def test_building_sets_the_threads(tiny: Any, profiled: Any, make_job: Any, spec_for: Any) -> None:
    import torch

    before = torch.get_num_threads()
    stored = tiny()
    facts = profiled(stored)
    try:
        job = make_job(facts, stored, spec_for(facts, threads=1, hidden=8))
        assert torch.get_num_threads() == 1
        assert job.device == torch.device("cpu")
        batch = next(iter(job.need("batches")()))
        assert job.need("transfer")(batch) is batch, "batches are where the model is"
    finally:
        torch.set_num_threads(before)


def test_no_gpu_quotes_the_machines_reason(make_facts: Any, spec_for: Any) -> None:
    facts = make_facts()
    verdict = option(Slot.HARDWARE, "cuda").check(facts, spec_for(facts))
    assert not verdict.usable
    assert verdict.reasons[0].text == "no GPU: a test machine"


def test_no_gpu_and_no_note_still_has_a_reason(make_machine: Any, make_facts: Any, spec_for: Any) -> None:
    bare: HardwareFacts = make_machine().model_copy(update={"notes": ()})
    facts = make_facts(machine=bare)
    assert option(Slot.HARDWARE, "cuda").check(facts, spec_for(facts)).reasons[0].text


@pytest.mark.parametrize("sampling", ["full_batch", "neighbor"])
def test_a_device_holds_context_batch_and_activations(sampling: str, make_facts: Any, spec_for: Any) -> None:
    facts = make_facts(device=GPU_MEMORY)
    found = forecast(spec_for(facts, {"hardware": "cuda", "sampling": sampling}), facts)
    host = forecast(spec_for(facts, {"hardware": "cpu", "sampling": sampling}), facts)
    labels = {label for place, label in found.held if place is Place.DEVICE}
    assert {"context", "parameters"} <= labels
    assert ("batch" in labels) == (sampling == "full_batch"), "batches are gone once a model is judged"
    train = found.phases[Phase.TRAIN].device_peak_bytes.expected
    assert train > found.held_bytes(Place.DEVICE).expected + 4 * facts.graph.features.width
    assert not any(place is Place.DEVICE for place, _ in host.held)


def test_the_host_still_holds_the_graph_while_a_gpu_trains(make_facts: Any, spec_for: Any) -> None:
    facts = make_facts((100_000, 1_000_000, 256, 5), device=GPU_MEMORY)
    found = forecast(spec_for(facts, {"hardware": "cuda"}), facts)
    features = 4 * 100_000 * 256
    for phase in (Phase.TRAIN, Phase.EVALUATE):
        assert found.phases[phase].host_peak_bytes.low > features, phase
