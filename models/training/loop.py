"""The training loop: phases of steps, resumable to the bit, with a progress bar, TensorBoard logs and sample sheets.

All that is random in a step comes from a generator that the seed and the number of the step fix, so a run that goes
on from a saved state does what it would have done: on a CPU to the bit, on a GPU as far as its kernels sum in one order.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import gather_object
from diffusers.training_utils import EMAModel
from torch import Generator, Tensor
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter

from cascade.models.families.show1.training import StageTraining
from cascade.models.media.contact_sheet import contact_sheet
from cascade.models.training.batch import Batch, Batches, seeded
from cascade.models.training.curves import write_curves
from cascade.models.training.recipe import Phase
from cascade.models.training.run_state import RunState

KEPT_DTYPE = torch.float16


def training_processes() -> PartialState:
    """The processes that torchrun or accelerate started, if any; where there is no GPU they speak over gloo."""
    return PartialState(cpu=not torch.accelerator.is_available())


@dataclass(frozen=True)
class Progress:
    """After a step: how far the run is, the loss, and clips per second."""

    step: int
    steps: int
    loss: float
    clips_per_s: float


@dataclass(frozen=True)
class Rhythm:
    """How often, in steps, the run's state is saved, and samples are drawn."""

    save_every: int = 500
    sample_every: int = 500


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

    stage: StageTraining
    clips: Any
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
            ValueError: the folder holds a run with another seed, recipe, precision or number of processes.
        """
        recipe = self.stage.recipe
        training_processes()
        accelerator = Accelerator(
            mixed_precision=self.precision, gradient_accumulation_steps=recipe.accumulation
        )
        ema = EMAModel(self._learning.values(), decay=recipe.ema_decay, use_ema_warmup=True, foreach=True)
        done = self._load(ema, accelerator)
        ema.to(accelerator.device)
        last = recipe.steps if steps is None else min(recipe.steps, done + steps)
        log = (
            SummaryWriter(self.folder / "logs", purge_step=done + 1) if accelerator.is_main_process else None
        )
        first = 0
        for phase in recipe.phases:
            span = range(max(first, done), min(first + phase.steps, last))
            if span:
                self._run_phase(phase, first, span, accelerator, ema, log, report)
            first += phase.steps
        if log is not None:
            log.close()
        if accelerator.is_main_process and last == recipe.steps:
            with self._averaged(ema):
                self._write()
                write_curves(self.folder / "logs", self.folder / "loss.csv", self.folder / "loss.png")
        self.skipped = set(gather_object(sorted(self.skipped)))
        accelerator.wait_for_everyone()
        return last == recipe.steps

    def take_average(self) -> None:
        """Give the stage the averaged weights of the saved state."""
        averages = self._state.read("ema")["shadow_params"]
        for weight, average in zip(self._learning.values(), averages, strict=True):
            weight.data.copy_(average)

    def _run_phase(
        self,
        phase: Phase,
        first: int,
        span: range,
        accelerator: Accelerator,
        ema: EMAModel,
        log: SummaryWriter | None,
        report: Callable[[Progress], None],
    ) -> None:
        recipe = self.stage.recipe
        self.stage.select(phase)
        self.stage.eval()  # without dropout: clips that never repeat need none
        learning = [parameter for parameter in self.stage.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(learning, phase.learning_rate, weight_decay=recipe.weight_decay)
        if span.start > first:
            optimizer.load_state_dict(self._state.read("optimizer"))
        stage, optimizer = accelerator.prepare(self.stage, optimizer)
        batches = self._batches(phase, span, accelerator)
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
            ema.step(self._learning.values())
            clips = phase.batch_size * recipe.accumulation * accelerator.num_processes
            mean = float(accelerator.reduce(loss, reduction="mean"))
            progress = Progress(step + 1, recipe.steps, mean, clips / (time.monotonic() - started))
            if log is not None:
                self._look(progress, log, ema)
            report(progress)
            if accelerator.is_main_process and (
                (step + 1) % self.rhythm.save_every == 0 or step + 1 == span.stop
            ):
                self._save(step + 1, ema, accelerator, optimizer)
        # The next phase prepares the stage again; gradients of an optimizer that was left would be unscaled with its own.
        accelerator.unwrap_model(stage, keep_fp32_wrapper=False)
        accelerator.free_memory()

    def _batches(
        self, phase: Phase, span: range, accelerator: Accelerator
    ) -> Iterator[tuple[Batch, Generator]]:
        """The batches of this process, drawn ahead by `workers` processes, each with the randomness of its loss."""
        parts, world = self.stage.recipe.accumulation, accelerator.num_processes
        numbers = range(
            span.start * parts * world + accelerator.process_index, span.stop * parts * world, world
        )
        loader = DataLoader(
            Batches(self.clips, phase.clips, self.stage.cut(phase), self.seed),
            batch_size=None,
            sampler=numbers,
            num_workers=self.workers,
        )
        for number, batch in zip(numbers, loader, strict=True):
            self.skipped.update(batch.skipped)
            frames = batch.frames.to(accelerator.device, non_blocking=True)
            yield replace(batch, frames=frames), seeded(self.seed, number, "loss")

    def _look(self, progress: Progress, log: SummaryWriter, ema: EMAModel) -> None:
        """Log a step, and now and then draw samples with the averaged weights."""
        log.add_scalar("loss", progress.loss, progress.step)
        log.add_scalar("clips per second", progress.clips_per_s, progress.step)
        if progress.step % self.rhythm.sample_every == 0:
            with self._averaged(ema):
                batch = Batches(self.clips, 1, None, self.seed)[0]
                batch = replace(batch, frames=batch.frames.to(ema.shadow_params[0].device))
                clip = self.stage.sample(batch, self.seed)
            (self.folder / "samples").mkdir(exist_ok=True)
            sheet = contact_sheet(clip.to_uint8()[0])
            sheet.save(self.folder / "samples" / f"{progress.step:06d}.png")
            log.add_text("sample", batch.captions[0], progress.step)

    @contextmanager
    def _averaged(self, ema: EMAModel) -> Iterator[None]:
        """The stage with the averaged weights."""
        parameters = list(self._learning.values())
        ema.store(parameters)
        ema.copy_to(parameters)
        with torch.no_grad():
            yield
        ema.restore(parameters)

    def _save(self, step: int, ema: EMAModel, accelerator: Accelerator, optimizer: Any) -> None:
        scaler = None if accelerator.scaler is None else accelerator.scaler.state_dict()
        self._state.save(
            step={"step": step, "scaler": scaler} | self._identity(accelerator),
            stage=self._weights(),
            ema=ema.state_dict(),
            optimizer=optimizer.state_dict(),
        )

    def _load(self, ema: EMAModel, accelerator: Accelerator) -> int:
        """Take up the saved state, if there is one; how many steps are done."""
        if not self._state.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            return 0
        kept = self._state.read("step")
        for what, own in self._identity(accelerator).items():
            if kept[what] != own:
                raise ValueError(
                    f"{self.folder} holds a run whose {what} is {kept[what]}, not {own}; go on with that, or choose "
                    "another folder"
                )
        weights = self._weights()
        for name, value in self._state.read("stage").items():
            weights[name].copy_(value)
        ema.load_state_dict(self._state.read("ema"))
        if accelerator.scaler is not None:
            accelerator.scaler.load_state_dict(kept["scaler"])
        step: int = kept["step"]
        return step

    def _identity(self, accelerator: Accelerator) -> dict[str, Any]:
        """What a run must have in common with the one that it goes on with."""
        return {
            "seed": self.seed,
            "precision": self.precision,
            "number of processes": accelerator.num_processes,
            "recipe": asdict(self.stage.recipe),
        }

    def _weights(self) -> dict[str, Tensor]:
        """All that training changes: the parameters that learn, and buffers. Frozen networks have their checkpoint."""
        return {name: weight.data for name, weight in self._learning.items()} | dict(
            self.stage.named_buffers()
        )

    def _write(self) -> None:
        """The result: the trained parts, laid over the source checkpoint where there is one."""
        target = self.folder / "checkpoint"
        shutil.rmtree(target, ignore_errors=True)
        if self.source is not None:
            shutil.copytree(self.source, target)
        self.stage.write(target, KEPT_DTYPE)
