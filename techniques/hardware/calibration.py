"""What ``gnnfit calibrate`` has measured on this machine: plain data that a forecast is priced with."""

from __future__ import annotations

from pydantic import Field

from techniques.hardware.grid import Grid
from techniques.hardware.operations import Kind
from techniques.record import Record

SCHEMA_VERSION = 5
WORTH_A_WORD = 0.1
"""Share of the cores that other work takes before a person is told."""


class ThreadRates(Record):
    """Operations with so many compute threads; seconds per unit of work.

    Units: a multiply-add for products (axes rows, inner, columns), an entry and column for sums and gathers (axes bytes of
    the table, columns; of fused sums also entries per row), a value for what goes element by element (axis bytes of the
    tensor), a non-zero and column for sparse inputs, a parameter for Adam.
    """

    threads: int
    grids: dict[Kind, Grid]
    touch: Grid
    """Seconds per byte to touch a new tensor for the first time, in memory that was free for a moment only, by its bytes."""
    operator_seconds: float
    """Of one operator that does next to nothing."""
    sharing_seconds: float = 0.0
    """Of an operator whose values are shared among threads, beside its work: threads that sleep are woken."""
    reclaimed_seconds: float = 0.0
    """Per byte that is free when a hypervisor takes free memory back, beyond ``touch`` (``reclaim.py``); next to nothing on machines
    of one's own. Measured with all threads."""
    step_seconds: float
    """Of one training step beside its operators: loss on the host, gradients set to none, the loop itself."""
    varied: float = 1.0
    """How many times longer the slowest of the rounds took than the fastest, which counts: the median of all points."""
    steps: dict[str, Grid] = {}
    """By architecture and ``csr`` or ``coo``, such as ``gcn/csr``: what whole steps took beside their dense products, over the
    price of their other operations, which lie apart there and follow one another here; axis the price."""

    def step_factor(self, architecture: str, fused: bool, seconds: float) -> float:
        """By which the price of a step is off; where no such step was taken, as for other steps of that representation."""
        kind = "csr" if fused else "coo"
        if grid := self.steps.get(f"{architecture}/{kind}"):
            return grid.at(seconds)
        others = [grid.at(seconds) for name, grid in self.steps.items() if name.endswith(kind)]
        return sum(others) / len(others) if others else 1.0


class SamplerRate(Record):
    """Making batches, one thread: ``batch_seconds`` of any, ``seconds_per_edge`` by bytes of the arrays read at random."""

    seconds_per_edge: Grid
    batch_seconds: float


class Calibration(Record):
    """One calibration: when, where, with what, and the rates."""

    schema_version: int = SCHEMA_VERSION
    date: str
    """ISO 8601, in UTC, to the second."""
    fingerprint: str
    """Processor, cores, memory and GPUs in words: a calibration counts on the same hardware only."""
    packages: dict[str, str]
    rates: tuple[ThreadRates, ...] = Field(default=(), exclude=True)
    """Empty in a plan that was saved: it names its calibration and does not repeat it."""
    samplers: dict[str, SamplerRate] = Field(default={}, exclude=True)
    """By kernel and ``csr`` or ``coo``, such as ``neighbor/csr``."""
    row_seconds_per_byte: Grid | None = Field(default=None, exclude=True)
    """Gathering rows of features into a batch, one thread; axes bytes of the features and bytes of a row."""
    making_shares: dict[str, float] = Field(default={}, exclude=True)
    """By ``csr`` or ``coo``: by which share of the seconds of making a batch a step beside it is slowed where no core is to
    spare. The threads take turns on cores, caches and the interpreter."""
    epoch_start_seconds: float = 0.0
    """Of an epoch whose batches a thread makes ahead: to start it, and to hand the first batch over."""
    baseline_host_bytes: int | None = None
    """What a trial's process holds before it has seen its graph; ``None`` in calibrations that did not look."""
    storage_bytes_per_second: float | None = None
    host_to_device_bytes_per_second: float | None = None
    others_share: float = 0.0
    """Of all cores' time meanwhile, what other work took."""
    notes: tuple[str, ...] = ()
    """What was not measured, and why."""

    @property
    def disturbed(self) -> str | None:
        """What other work meanwhile says of these rates, if anything."""
        if self.others_share < WORTH_A_WORD:
            return None
        return f"calibrated while other work took {self.others_share:.0%} of the cores: gnnfit calibrate once nothing else runs"

    def batch_seconds(
        self, kernel: str, fused: bool, edges: float, structure_bytes: float, rows: float, row_bytes: float, nodes: int
    ) -> float:
        """Making one batch: ``edges`` looked at in a structure of so many bytes, ``rows`` of features copied."""
        rate = self.samplers.get(f"{kernel}/{'csr' if fused else 'coo'}") or self.samplers["neighbor/csr"]
        seconds = rate.batch_seconds + edges * rate.seconds_per_edge.at(structure_bytes)
        assert self.row_seconds_per_byte is not None, "a calibration has all its rates or none"
        copied = max(rows * row_bytes, 1.0)
        touched = self.at(1).touch.at(copied)  # the rows lie in new memory
        row = self.row_seconds_per_byte.at(nodes * max(row_bytes, 1.0), max(row_bytes, 1.0))
        return seconds + copied * (row + touched)

    def at(self, threads: int) -> ThreadRates:
        """The rates measured with the nearest number of threads, the larger of two equally near."""
        return min(self.rates, key=lambda one: (abs(one.threads - threads), -one.threads))

    def to_document(self) -> str:
        """The whole record as JSON, rates included."""
        import json

        rates = [one.model_dump(mode="json") for one in self.rates]
        samplers = {name: one.model_dump(mode="json") for name, one in self.samplers.items()}
        rows = self.row_seconds_per_byte and self.row_seconds_per_byte.model_dump(mode="json")
        whole = {
            "rates": rates,
            "samplers": samplers,
            "row_seconds_per_byte": rows,
            "making_shares": self.making_shares,
        }
        return json.dumps(self.model_dump(mode="json") | whole)
