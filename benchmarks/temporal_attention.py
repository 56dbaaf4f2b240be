"""Time and memory of first-adjacent attention against full temporal attention, as the number of frames grows.

    python benchmarks/temporal_attention.py --output docs/findings/temporal_attention.csv

Each pixel attends over the frames: to all of them (frames x frames scores), or to the one before and the first (two scores a
frame). Both are measured in one process, forward, and forward with backward: the attention alone, and the whole layer with
its norm and four projections, whose cost is linear either way. The fused kernel of full attention computes as many scores,
but keeps none. Seconds are the clock's on a GPU, and the processor's on a CPU, which others on the machine disturb least.
Writes a CSV, and a plot beside it.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

import torch
from einops import rearrange
from matplotlib.figure import Figure
from torch import Tensor
from torch.autograd.profiler import profile

from cascade.models.families.first_adjacent.temporal_attention import FirstAdjacentAttention, first_adjacent
from cascade.models.layers.attention import fused_attention, plain_attention

FRAMES = (8, 16, 32, 64, 128)
FORWARD, BOTH = "forward", "forward and backward"
ALONE, LAYER = "attention", "layer"

Mix = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Takes queries, keys and values (batch, frames, pixels, heads, width); returns the same shape."""


@dataclass(frozen=True)
class Row:
    """One measurement: seconds of the quickest pass, and the peak of the memory that it takes beyond its inputs."""

    part: str
    kind: str
    passes: str
    frames: int
    seconds: float
    peak_bytes: int


def over_all_frames(kernel: Mix) -> Mix:
    """Return full temporal attention by a kernel that takes (pixels, heads, frames, width)."""

    def mix(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        inside = (rearrange(x, "b f n h d -> (b n) h f d") for x in (query, key, value))
        return rearrange(kernel(*inside), "(b n) h f d -> b f n h d", b=query.shape[0])

    return mix


KINDS: dict[str, Mix] = {
    "first-adjacent": first_adjacent,
    "full": over_all_frames(plain_attention),
    "full, fused kernel": over_all_frames(fused_attention),
}


class Layer(FirstAdjacentAttention):
    """The layer of first-adjacent attention, with any other attention in its place."""

    def __init__(self, channels: int, heads: int, mix: Mix) -> None:
        super().__init__(channels, heads)
        self.mix_frames = mix

    def attend(self, tokens: Tensor) -> Tensor:
        tokens = self.norm(tokens)
        split = (
            rearrange(projection(tokens), "b f n (h d) -> b f n h d", h=self.heads)
            for projection in (self.to_q, self.to_k, self.to_v)
        )
        added: Tensor = self.to_out(rearrange(self.mix_frames(*split), "b f n h d -> b f n (h d)"))
        return added


def main() -> None:
    """Measure, write the CSV and the plot."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--pixels", type=int, default=64, help="of a frame; 1024 at Stable Diffusion's 256x256"
    )
    parser.add_argument("--channels", type=int, default=320)
    parser.add_argument("--heads", type=int, default=8)
    parser.add_argument("--frames", type=int, nargs="+", default=FRAMES)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--output", type=Path, required=True, help="CSV; the plot is written beside it as PNG"
    )
    options = parser.parse_args()
    device = torch.device(options.device)
    rows = []
    for frames in options.frames:
        for part in (ALONE, LAYER):
            for kind in KINDS:
                run, inputs = workload(part, kind, options, frames, device)
                for passes in (FORWARD, BOTH):
                    one = pass_of(run, inputs, backward=passes == BOTH)
                    rows.append(Row(part, kind, passes, frames, *measure(one, options.repeats, device)))
                    print(*astuple(rows[-1]), sep="\t")
    write(rows, options.output)
    plot(
        rows,
        options.output.with_suffix(".png"),
        f"{options.pixels} pixels, {options.channels} channels, {device.type}",
    )


def workload(
    part: str, kind: str, options: argparse.Namespace, frames: int, device: torch.device
) -> tuple[Callable[..., Tensor], tuple[Tensor, ...]]:
    """Return what is to run, and its inputs."""
    generator = torch.Generator().manual_seed(0)
    if part == ALONE:
        shape = (1, frames, options.pixels, options.heads, options.channels // options.heads)
        inputs = tuple(torch.randn(shape, generator=generator).to(device) for _ in range(3))
        return KINDS[kind], tuple(tensor.requires_grad_() for tensor in inputs)
    layer = Layer(options.channels, options.heads, KINDS[kind]).to(device)
    video = torch.randn(frames, options.channels, 1, options.pixels, generator=generator).to(device)
    return lambda hidden: layer(hidden, frames), (video.requires_grad_(),)


def pass_of(run: Callable[..., Tensor], inputs: tuple[Tensor, ...], *, backward: bool) -> Callable[[], None]:
    """Return one pass, which leaves nothing behind."""

    def one() -> None:
        with torch.inference_mode(mode=not backward):
            output = run(*inputs)
        if backward:
            torch.autograd.grad(output, inputs, torch.ones_like(output))

    return one


def measure(one: Callable[[], None], repeats: int, device: torch.device) -> tuple[float, int]:
    """Return the seconds of the quickest pass, and the peak of its memory in bytes."""
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    one()
    seconds = []
    for _ in range(repeats):
        _wait(device)
        started = clock()
        one()
        _wait(device)
        seconds.append(clock() - started)
    return min(seconds), peak_bytes(one, device)


def peak_bytes(one: Callable[[], None], device: torch.device) -> int:
    """Return the peak of the memory that torch's allocator gives out during a pass."""
    if device.type == "cuda":
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        one()
        return torch.cuda.max_memory_allocated() - before
    with profile(profile_memory=True, use_cpu=True) as recorded:
        one()
    changes = [
        (event.start_ns(), event.nbytes())
        for event in recorded.kineto_results.events()
        if event.name() == "[memory]"
    ]
    now = highest = 0
    for _, change in sorted(changes):
        now += change
        highest = max(highest, now)
    return highest


def write(rows: list[Row], file: Path) -> None:
    """Write the measurements as CSV."""
    with file.open("w", newline="") as opened:
        table = csv.DictWriter(opened, [field.name for field in fields(Row)], lineterminator="\n")
        table.writeheader()
        table.writerows({**asdict(row), "seconds": f"{row.seconds:.6f}"} for row in rows)


def plot(rows: list[Row], file: Path, title: str) -> None:
    """Draw seconds and memory over the frames, both logarithmic: linear growth has a slope of 1, quadratic of 2."""
    figure = Figure(figsize=(10, 7), layout="constrained")
    figure.suptitle(f"Temporal attention, {BOTH}: {title}")
    for line, (attribute, unit, scale) in enumerate((("seconds", "ms", 1e-3), ("peak_bytes", "MiB", 2**20))):
        for column, part in enumerate((ALONE, LAYER)):
            axes = figure.add_subplot(2, 2, 2 * line + column + 1)
            for kind in KINDS:
                chosen = [row for row in rows if (row.part, row.kind, row.passes) == (part, kind, BOTH)]
                axes.plot(
                    [row.frames for row in chosen],
                    [getattr(row, attribute) / scale for row in chosen],
                    marker="o",
                    label=kind,
                )
            axes.set_xscale("log", base=2)
            axes.set_yscale("log", base=2)
            axes.set_aspect("equal", adjustable="datalim")
            axes.set_xlabel("frames")
            axes.set_ylabel(unit)
            axes.set_title("attention alone" if part == ALONE else "whole layer", fontsize="medium")
            axes.grid(visible=True, alpha=0.3)
            axes.legend(fontsize="small")
    figure.savefig(file, dpi=100)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    main()
