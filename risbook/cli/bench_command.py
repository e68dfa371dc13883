"""``risbook bench``: the speed of loading, evaluation and training on this machine."""

from dataclasses import asdict
from pathlib import Path

from risbook.cli.shared import choose_device, print_json
from risbook.config import Precision, Size


def data(
    data: str = "refscenes-sample",
    *,
    split: str = "train",
    size: Size = 416,
    limit: Size = 64,
    batch_size: Size = 32,
    rounds: Size = 5,
    images: str | None = None,
    image_cache: Path | None = None,
    json: bool = False,
) -> None:
    """Load the same training samples from the originals and from a cache, and compare.

    Args:
        data: set, by name or folder.
        split: its split; the first objects are taken.
        size: side of the letterboxed square, pixels.
        limit: objects that a round loads.
        batch_size: samples per batch.
        rounds: rounds that count, after one that warms up.
        images: folder of images (default: beside the sets).
        image_cache: a cache of `risbook data cache` (default: a temporary one).
        json: print JSON instead of lines.

    A rate is samples per processor second of one process, so that other programs do not count. The
    files are in memory from the second round on: the disk is not measured.
    """
    from risbook.benchmarks import measure_loading
    from risbook.data import open_data
    from risbook.evaluation.result_files import describe_device

    speed = measure_loading(
        open_data(data, images=images),
        split=split,
        image_size=size,
        limit=limit,
        batch_size=batch_size,
        rounds=rounds,
        image_cache=image_cache,
    )
    place = describe_device(choose_device("cpu"))
    original, cached = speed.medians
    if json:
        medians = {"original_median": original, "cached_median": cached}
        print_json({**asdict(speed), **medians, "device": place})
        return
    print(f"{speed.samples} objects in {speed.images} images of {speed.dataset} {split}; {place}")
    print(f"samples of {size} pixels per processor second, median of {rounds} rounds")
    print(f"original {original:9.1f}  ({min(speed.original):.1f} to {max(speed.original):.1f})")
    print(f"cached   {cached:9.1f}  ({min(speed.cached):.1f} to {max(speed.cached):.1f})")
    print(f"ratio    {cached / original:9.2f}")
    print(f"file     {speed.cache_bytes / 1000:9.1f} kB per cached image")


def evaluate(
    system: str,
    *,
    data: str = "refscenes-sample",
    split: str = "val",
    limit: Size = 24,
    batch_size: Size = 32,
    precision: Precision = "no",
    json: bool = False,
    device: str = "",
) -> None:
    """Score the same expressions by both protocols, and compare.

    Args:
        system: name of a system.
        data: set, by name or folder.
        split: its split; the first expressions are taken.
        limit: expressions.
        batch_size: expressions per forward pass of the fast protocol.
        precision: arithmetic of the fast protocol: no (float32), bf16, fp16 or auto.
        json: print JSON instead of lines.
        device: cpu, cuda, cuda:1, ... (default: a GPU if there is one).

    On a CPU, seconds are processor seconds per thread, in which other programs do not count: a
    lower bound of the wall time, which only a computation that keeps all threads busy reaches.
    With one thread they are equal to the wall time on an idle core.
    """
    from risbook.benchmarks import measure_evaluation
    from risbook.benchmarks.bench_system import EXPLANATIONS
    from risbook.benchmarks.stopwatch import time_unit
    from risbook.data import ReferringDataset, open_data
    from risbook.evaluation.result_files import describe_device

    place = choose_device(device)
    dataset = ReferringDataset(open_data(data), split=split)[:limit]
    speed = measure_evaluation(
        system, dataset, device=place, batch_size=batch_size, precision=precision
    )
    if json:
        values = {**asdict(speed), "ratio": speed.ratio, "time_unit": time_unit(place)}
        print_json({**values, "device": describe_device(place)})
        return
    print(f"{system} on {describe_device(place)}; {EXPLANATIONS[speed.weights]}")
    print(f"{speed.count} expressions about {speed.images} images of {dataset.name} {split}")
    print(f"time   {time_unit(place)}")
    print(f"plain  {speed.plain:9.3f} expressions per second, one at a time in float32")
    together = f"all of an image together in {_name_of(speed.precision)}"
    print(f"fast   {speed.fast:9.3f} expressions per second, {together}")
    print(f"ratio  {speed.ratio:9.2f}")
    print(
        f"mIoU of fast minus plain {speed.miou_difference:+.4f} points, at most "
        f"{speed.largest_difference:.4f} for an expression (threshold {speed.threshold:.4f})"
    )


def train(
    system: str,
    *,
    data: str = "refscenes-sample",
    split: str = "train",
    batch_size: Size = 2,
    steps: Size = 3,
    precision: Precision = "no",
    grad_checkpointing: bool = False,
    json: bool = False,
    device: str = "",
) -> None:
    """Measure training steps: time, memory, and share of the machine's peak.

    Args:
        system: name of a system.
        data: set, by name or folder.
        split: its split; the first samples are taken.
        batch_size: samples per step.
        steps: steps that are measured, after one that warms up.
        precision: arithmetic: no (float32), bf16, fp16 or auto.
        grad_checkpointing: compute frozen layers again in the backward pass, which needs less
            memory.
        json: print JSON instead of lines.
        device: cpu, cuda, cuda:1, ... (default: a GPU if there is one).

    The peak is measured as well: it is that of a matrix product in the same arithmetic. On a CPU,
    seconds are processor seconds per thread, in which other programs do not count: a lower bound of
    the wall time, which only a computation that keeps all threads busy reaches. With one thread
    they are equal to the wall time on an idle core.
    """
    from risbook.benchmarks import measure_training
    from risbook.benchmarks.bench_system import EXPLANATIONS
    from risbook.benchmarks.stopwatch import time_unit
    from risbook.data import ReferringDataset, open_data
    from risbook.evaluation.result_files import describe_device

    place = choose_device(device)
    speed = measure_training(
        system,
        ReferringDataset(open_data(data), split=split)[:batch_size],
        device=place,
        batch_size=batch_size,
        steps=steps,
        precision=precision,
        grad_checkpointing=grad_checkpointing,
    )
    if json:
        values = {**asdict(speed), "share_of_peak": speed.share_of_peak}
        print_json({**values, "time_unit": time_unit(place), "device": describe_device(place)})
        return
    memory = "-" if speed.memory is None else f"{speed.memory / 1e9:.2f} GB"
    print(f"{system} on {describe_device(place)}; {EXPLANATIONS[speed.weights]}")
    print(f"time    {time_unit(place)}")
    print(f"step    {speed.seconds:9.3f} s of {batch_size} samples in {_name_of(speed.precision)}")
    print(f"clock   {speed.wall_seconds:9.3f} s per step")
    print(f"memory  {memory:>9} at most")
    print(f"work    {speed.flops / 1e9:9.1f} GFLOP per step")
    print(f"peak    {speed.peak / 1e9:9.1f} GFLOP/s in a matrix product")
    print(f"share   {100 * speed.share_of_peak:9.1f} % of the peak")


def _name_of(precision: str) -> str:
    """The arithmetic in words."""
    return "float32" if precision == "no" else precision
