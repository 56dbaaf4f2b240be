"""The training loop: phases of steps, resumable to the bit, with logs and samples.

All that is random in a step comes from a generator that the seed and the number of the step fix, so a run that goes
on from a saved state does what it would have done: on a CPU to the bit, on a GPU as far as its kernels sum in one order.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from accelerate import Accelerator, PartialState
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.utils import gather_object
from torch import Generator, Tensor
from torch.utils.data import DataLoader

from cascade.models.output_files import check_folder
from cascade.models.training.averaging import WeightAverage, saved_average
from cascade.models.training.batch import Batch, Batches, Clips, seeded
from cascade.models.training.progress import Progress, Rhythm
from cascade.models.training.recipe import Phase
from cascade.models.training.run_log import RunLog
from cascade.models.training.run_state import RunState
from cascade.models.training.stage_training import AnyStageTraining
from cascade.models.training.stopping import TrainingStopped, stop_requests

RESULT_DTYPE = torch.float16


def training_processes() -> PartialState:
    """Join the processes that torchrun or accelerate started, if any; where there is no GPU they speak over gloo."""
    return PartialState(cpu=not torch.accelerator.is_available())


@dataclass
class Training:
    """One run.

    Attributes:
        stage: what learns.
        clips: by index; step k of process r sees its own.
        folder: of the run: `state/` to go on from, `samples/`, `logs/` for TensorBoard, `checkpoint/` the
            result, `loss.csv` and `loss.png` its curve.
        source: the checkpoint that the result is laid over; None where the result stands alone.
        precision: `no`, `bf16` or `fp16`: mixed precision by accelerate.
        workers: processes that draw clips ahead; 0 draws them in between.
        skipped: video files that could not be used so far, in any of the processes.
    """

    stage: AnyStageTraining
    clips: Clips
    folder: Path
    source: Path | None
    seed: int = 0
    precision: str = "no"
    workers: int = 0
    rhythm: Rhythm = field(default_factory=Rhythm)
    skipped: set[Path] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self._state = RunState(self.folder / "state")
        learning: set[str] = set()
        for phase in self.stage.recipe.phases:
            self.stage.select(phase)
            learning |= {name for name, weight in self.stage.named_parameters() if weight.requires_grad}
        self._learning = {name: weight for name, weight in self.stage.named_parameters() if name in learning}

    def run(self, report: Callable[[Progress], None], steps: int | None = None) -> bool:
        """Train to the end of the recipe, or for `steps` more; goes on where the folder's state stands.

        Of several processes (accelerate's), the first writes; all return when it has.

        Returns:
            Whether the run is at the end of its recipe, and its checkpoint written.
        Raises:
            TrainingError: the folder holds a run with another seed, recipe, precision or number of processes, or its saved
                state is damaged.
            OutputError: the folder cannot be written to, or its disk has no room for the state.
            TrainingStopped: Ctrl-C or SIGTERM came, and the state is saved.
        """
        recipe = self.stage.recipe
        check_folder(self.folder, self._room_bytes())
        training_processes()
        accelerator = Accelerator(
            mixed_precision=self.precision, gradient_accumulation_steps=recipe.accumulation
        )
        average = WeightAverage(self._learning.values(), recipe.ema_decay)
        done = self._load(average, accelerator)
        average.to(accelerator.device)
        last = recipe.steps if steps is None else min(recipe.steps, done + steps)
        log = RunLog(self.folder, done) if accelerator.is_main_process else None
        first = 0
        try:
            with stop_requests() as stop_requested:
                for phase in recipe.phases:
                    span = range(max(first, done), min(first + phase.steps, last))
                    if span:
                        self._run_phase(phase, first, span, accelerator, average, log, report, stop_requested)
                    first += phase.steps
        finally:
            if log is not None:
                log.close()
        if log is not None and last == recipe.steps:
            with average.applied():
                self._write()
            log.write_curves()
        self.skipped = set(gather_object(sorted(self.skipped)))
        accelerator.wait_for_everyone()
        return last == recipe.steps

    def take_average(self) -> None:
        """Give the stage the averaged weights of the saved state."""
        averages = saved_average(self._state.read("ema"))
        for weight, average in zip(self._learning.values(), averages, strict=True):
            weight.data.copy_(average)

    def _run_phase(
        self,
        phase: Phase,
        first: int,
        span: range,
        accelerator: Accelerator,
        average: WeightAverage,
        log: RunLog | None,
        report: Callable[[Progress], None],
        stop_requested: Callable[[], bool],
    ) -> None:
        """Train the steps `span` of a phase whose first step is `first`. Raises TrainingStopped as `run` does."""
        recipe = self.stage.recipe
        self.stage.select(phase)
        self.stage.eval()  # without dropout: clips that never repeat need none
        learning = [parameter for parameter in self.stage.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(learning, phase.learning_rate, weight_decay=recipe.weight_decay)
        if span.start > first:
            with self._state.taken_up("optimizer") as state:
                optimizer.load_state_dict(state)
        stage, optimizer = accelerator.prepare(self.stage, optimizer)
        batches = self._batches(phase, span, accelerator)
        clips = phase.batch_size * recipe.accumulation * accelerator.num_processes
        for step in span:
            started = time.monotonic()
            for group in optimizer.param_groups:
                group["lr"] = phase.learning_rate_at(step - first, recipe.warmup)
            loss = torch.zeros((), device=accelerator.device)
            for _ in range(recipe.accumulation):
                batch, generator = next(batches)
                with accelerator.accumulate(stage):
                    value = stage(batch, phase, generator)
                    accelerator.backward(value)
                    if accelerator.sync_gradients:
                        accelerator.clip_grad_norm_(learning, recipe.max_grad_norm)
                    optimizer.step()
                    optimizer.zero_grad()
                loss += value.detach() / recipe.accumulation
            average.update()
            told = torch.tensor(float(stop_requested()), device=accelerator.device)
            mean, stopping = accelerator.reduce(torch.stack([loss, told]), reduction="mean").tolist()
            progress = Progress(step + 1, recipe.steps, mean, clips / (time.monotonic() - started))
            if log is not None:
                self._log(progress, log, average, accelerator)
            report(progress)
            if accelerator.is_main_process and (
                (step + 1) % self.rhythm.save_every == 0 or step + 1 == span.stop or stopping
            ):
                self._save(step + 1, average, accelerator, optimizer)
            if stopping:
                raise TrainingStopped(
                    f"stopped after step {step + 1} of {recipe.steps}, which is saved in {self._state.folder}"
                )
        # The next phase prepares the stage again; gradients of an optimizer that was left would be unscaled with its own.
        accelerator.unwrap_model(stage, keep_fp32_wrapper=False)
        accelerator.free_memory()

    def _batches(
        self, phase: Phase, span: range, accelerator: Accelerator
    ) -> Iterator[tuple[Batch, Generator]]:
        """Yield the batches of this process, drawn ahead by `workers` processes, each with the randomness of its loss."""
        parts, world = self.stage.recipe.accumulation, accelerator.num_processes
        numbers = range(
            span.start * parts * world + accelerator.process_index, span.stop * parts * world, world
        )
        loader = DataLoader(
            Batches(self.clips, self.stage.clips_per_step(phase), self.stage.crop(phase), self.seed),
            batch_size=None,
            sampler=numbers,
            num_workers=self.workers,
        )
        for number, batch in zip(numbers, loader, strict=True):
            self.skipped.update(batch.skipped)
            frames = batch.frames.to(accelerator.device, non_blocking=True)
            yield replace(batch, frames=frames), seeded(self.seed, number, "loss")

    def _log(self, progress: Progress, log: RunLog, average: WeightAverage, accelerator: Accelerator) -> None:
        """Log a step, and now and then draw a sample with the averaged weights."""
        log.step(progress.step, progress.loss, progress.clips_per_s)
        if progress.step % self.rhythm.sample_every == 0:
            batch = Batches(self.clips, 1, None, self.seed)[0]
            with average.applied():
                clip = self.stage.sample(
                    replace(batch, frames=batch.frames.to(accelerator.device)), self.seed
                )
            log.sample(progress.step, clip, batch.captions[0])

    def _save(
        self, step: int, average: WeightAverage, accelerator: Accelerator, optimizer: AcceleratedOptimizer
    ) -> None:
        scaler = None if accelerator.scaler is None else accelerator.scaler.state_dict()
        self._state.save(
            self._identity(accelerator),
            {"step": step, "scaler": scaler},
            stage=self._weights(),
            ema=average.state(),
            optimizer=optimizer.state_dict(),
        )

    def _load(self, average: WeightAverage, accelerator: Accelerator) -> int:
        """Take up the saved state, if there is one; return how many steps are done."""
        if not self._state.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            return 0
        saved = self._state.read_run(self._identity(accelerator))
        weights = self._weights()
        with self._state.taken_up("stage") as stage:
            if stage.keys() != weights.keys():
                raise ValueError("it holds other parameters")
            for name, value in stage.items():
                weights[name].copy_(value)
        with self._state.taken_up("ema") as ema:
            average.load(ema)
        if accelerator.scaler is not None:
            accelerator.scaler.load_state_dict(saved["scaler"])
        step: int = saved["step"]
        return step

    def _room_bytes(self) -> int:
        """Return about what a run writes: two states, each of weights, their average and two moments, and the result."""
        learning = sum(weight.numel() for weight in self._learning.values())
        source = 0 if self.source is None else sum(file.stat().st_size for file in self.source.rglob("*.*"))
        return 2 * 4 * 4 * learning + source

    def _identity(self, accelerator: Accelerator) -> dict[str, object]:
        """Return what a run must have in common with the one that it goes on with."""
        return {
            "seed": self.seed,
            "precision": self.precision,
            "number of processes": accelerator.num_processes,
            "recipe": asdict(self.stage.recipe),
        }

    def _weights(self) -> dict[str, Tensor]:
        """Return all that training changes: parameters that learn, and buffers. Frozen networks have their checkpoint."""
        parameters = {name: weight.data for name, weight in self._learning.items()}
        return parameters | dict(self.stage.named_buffers())

    def _write(self) -> None:
        """Write the result: the trained parts, laid over the source checkpoint where there is one."""
        target = self.folder / "checkpoint"
        shutil.rmtree(target, ignore_errors=True)
        if self.source is not None:
            shutil.copytree(self.source, target)
        self.stage.write(target, RESULT_DTYPE)
