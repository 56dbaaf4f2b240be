"""What previews of a running first stage cost: of a step, the part that the stage itself spends, and what their thread does.

    python benchmarks/previews.py [--preset shapes] [--steps 20] [--every 4]

One run of the stage, with its real networks where they are on this machine. Redis is not part of it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table
from torch import Tensor

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.families.registry import load_stage
from cascade.models.media.small_webp import encode_small_webp
from cascade.models.presets.table import get_preset
from cascade.models.runtime.execution import Execution
from cascade.models.stage import AnyStage, StageInputs
from cascade.workers.previews import MAX_BYTES

PROMPT = "a red circle moving right on a gray background"


class Costs:
    """Does what a worker does for previews of every step, and notes how long it took."""

    def __init__(self, stage: AnyStage, fps: int) -> None:
        self.stage, self.fps = stage, fps
        self.steps_s: list[float] = []
        self.looks_s: list[float] = []
        self.encodes_s: list[float] = []
        self.sizes_bytes: list[int] = []
        self._began = time.perf_counter()

    def __call__(self, _step: int, _steps: int) -> None:
        self._began = time.perf_counter()

    def look(self, _step: int, _steps: int, estimate: Callable[[], Tensor]) -> None:
        """Make a preview; the step itself has just ended."""
        looked = time.perf_counter()
        clip = self.stage.show_sample(estimate()[:1].float(), self.fps)
        assert clip.frames.isfinite().all()
        frames = clip.to_uint8()[0].cpu()
        offered = time.perf_counter()
        picture = encode_small_webp(frames, self.fps, MAX_BYTES)
        encoded = time.perf_counter()
        self.steps_s.append(looked - self._began)
        self.looks_s.append(offered - looked)
        self.encodes_s.append(encoded - offered)
        self.sizes_bytes.append(0 if picture is None else len(picture))


def main() -> None:
    """Print medians over the steps of one run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="shapes")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--every", type=int, default=4)
    options = parser.parse_args()
    preset = get_preset(options.preset)
    spec = preset.resolve(steps={preset.stage_names[0]: options.steps})[0]
    stage = load_stage(spec, Checkpoints(Path("checkpoints")), Execution())
    embeddings = stage.text.encode(PROMPT, spec.negative_prompt)
    costs = Costs(stage, spec.fps)
    stage(StageInputs(spec, PROMPT, spec.negative_prompt, embeddings, (7,)), costs)
    step_s = median(costs.steps_s)
    table = Table("of a preview", "median ms", f"share of the stage, one in {options.every} steps")
    rows = (("in the stage: estimate to 8-bit frames", costs.looks_s), ("in a thread: WebP", costs.encodes_s))
    for what, seconds in rows:
        table.add_row(
            what, f"{1000 * median(seconds):.2f}", f"{median(seconds) / step_s / options.every:.2%}"
        )
    console = Console()
    console.print(table)
    console.print(
        f"a step takes {1000 * step_s:.1f} ms; pictures have {min(costs.sizes_bytes)} to {max(costs.sizes_bytes)} bytes, "
        f"{costs.sizes_bytes.count(0)} are too large"
    )


if __name__ == "__main__":
    main()
