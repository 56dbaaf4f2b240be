"""Trains the text-video network on moving shapes: `python -m cascade.models.families.shapes.text_video_training`, minutes on
a CPU.

Clips and their captions are pulled together and all others of the batch pushed away (InfoNCE, van den Oord et al., 2018,
symmetric as in CLIP, Radford et al., 2021). Clips are noised and blurred a little, so that the network judges what a
cascade makes, not how cleanly it is drawn.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import save_file
from torch import Generator, Tensor
from torch.nn import functional

from cascade.models.families.shapes.moving_shapes import MovingShapes
from cascade.models.families.shapes.text_video import FRAMES, HEIGHT, WEIGHTS, WIDTH, TextVideoNetwork
from cascade.models.training.batch import Batches, seeded

STEPS, BATCH, LEARNING_RATE, SEED = 2500, 128, 1e-3, 31
LOWEST_TEMPERATURE = 0.01


def train_text_video(file: Path, steps: int = STEPS) -> list[float]:
    """Train and write the weights, in half precision; return the loss of every step."""
    torch.manual_seed(SEED)
    network = TextVideoNetwork()
    batches = Batches(MovingShapes("train", FRAMES, HEIGHT, WIDTH, SEED), BATCH, None, SEED)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    losses = []
    columns = (
        TextColumn("loss {task.fields[loss]:.3f}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as bar:
        task = bar.add_task("text-video", total=steps, loss=float("nan"))
        for step in range(steps):
            batch = batches[step]
            clips = roughened(batch.frames, seeded(SEED, step, "loss"))
            loss = contrast(network.embed_clips(clips), network.embed_captions(batch.captions), network)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
            bar.update(task, completed=step + 1, loss=loss.item())
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}, file)
    return losses


def roughened(clips: Tensor, generator: Generator) -> Tensor:
    """Noise clips up to a standard deviation of 0.2, and blur every other batch.

    Args:
        clips: (batch, frames, 3, height, width) in [-1, 1].
    Returns:
        The same shape and range.
    """
    strength = 0.2 * torch.rand((), generator=generator)
    noised = clips + strength * torch.randn(clips.shape, generator=generator)
    if torch.rand((), generator=generator) < 0.5:
        folded = functional.avg_pool2d(noised.flatten(0, 1), 3, stride=1, padding=1, count_include_pad=False)
        noised = folded.view_as(clips)
    return noised.clamp(-1, 1)


def contrast(clips: Tensor, captions: Tensor, network: TextVideoNetwork) -> Tensor:
    """Compute the symmetric contrastive loss of a batch (Radford et al., 2021, figure 3).

    Args:
        clips, captions: unit vectors (batch, features); those of one place belong together.
        network: has the temperature.
    Returns:
        A scalar.
    """
    logits = clips @ captions.T / network.log_temperature.exp().clamp(min=LOWEST_TEMPERATURE)
    partners = torch.arange(len(logits))
    to_caption = functional.cross_entropy(logits, partners)
    to_clip = functional.cross_entropy(logits.T, partners)
    return (to_caption + to_clip) / 2


if __name__ == "__main__":
    train_text_video(Path(sys.argv[1]) if len(sys.argv) > 1 else WEIGHTS)
