"""Everything that is measured, in order: ``python -m tuner.calibrate.child OUT THREADS [THREADS ...]``.

Runs under the environment of trials. Progress goes to stdout as it comes, the record to OUT.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from techniques.hardware.calibration import Calibration


def main() -> None:
    """Entry point of the child."""
    out, *threads = sys.argv[1:]
    warnings.simplefilter("ignore")
    measured = measure([int(one) for one in threads])
    Path(out).write_text(measured.to_document(), encoding="utf-8")


def measure(threads: list[int]) -> Calibration:
    """Rates with each number of threads, then what one thread does beside them."""
    import torch

    from planner.inspect.fingerprint_machine import machine_fingerprint, packages
    from planner.inspect.machine import inspect_machine
    from tuner.calibrate.baseline import measure_baseline
    from tuner.calibrate.batches import measure_batches, measure_epoch_start, measure_making_shares, measure_rows
    from tuner.calibrate.links import measure_device_link, measure_storage
    from tuner.calibrate.others import Spent, others_share
    from tuner.calibrate.rounds import measure_rates

    torch.manual_seed(0)
    hardware = inspect_machine()
    tell("memory of the libraries")
    baseline = measure_baseline(hardware)  # first: what comes next leaves memory behind
    before = Spent.so_far()
    rates = measure_rates(threads, tell)
    tell("making batches")
    samplers = measure_batches(hardware)
    tell("rows of features, storage, GPUs")
    link = measure_device_link()
    found = Calibration(
        date=_now(),
        fingerprint=machine_fingerprint(hardware),
        packages=packages(),
        rates=rates,
        baseline_host_bytes=baseline,
        samplers=samplers,
        epoch_start_seconds=measure_epoch_start(hardware),
        row_seconds_per_byte=measure_rows(),
        storage_bytes_per_second=measure_storage(),
        host_to_device_bytes_per_second=link,
        notes=() if link else ("host to device: not measured, no GPU",),
    )
    tell("sampled epochs")
    shares = measure_making_shares(found, hardware)
    share = others_share(before, Spent.so_far(), hardware.cores)
    return found.model_copy(update={"making_shares": shares, "others_share": share})


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="seconds")


def tell(what: str) -> None:
    """Say what is being measured."""
    print(what, flush=True)


if __name__ == "__main__":
    main()
