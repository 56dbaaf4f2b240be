"""Logs of a run for TensorBoard, and contact sheets of its samples."""

from __future__ import annotations

from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from cascade.models.clip import Clip
from cascade.models.media.contact_sheet import contact_sheet
from cascade.models.training.curves import write_curves


class RunLog:
    """Records of a run for people to look at, in its folder: `logs/`, `samples/`, `loss.csv` and `loss.png`.

    Args:
        done: steps that were done before; what was logged of later ones is dropped.
    """

    def __init__(self, folder: Path, done: int) -> None:
        self._folder = folder
        self._writer = SummaryWriter(folder / "logs", purge_step=done + 1)

    def step(self, step: int, loss: float, clips_per_s: float) -> None:
        """Log the loss and the speed of a step."""
        self._writer.add_scalar("loss", loss, step)
        self._writer.add_scalar("clips per second", clips_per_s, step)

    def sample(self, step: int, clip: Clip, caption: str) -> None:
        """Write the contact sheet of a sample."""
        (self._folder / "samples").mkdir(exist_ok=True)
        contact_sheet(clip.to_uint8()[0]).save(self._folder / "samples" / f"{step:06d}.png")
        self._writer.add_text("sample", caption, step)

    def close(self) -> None:
        """Write out what is not on the disk yet."""
        self._writer.close()

    def write_curves(self) -> None:
        """Write the loss of the whole run as a table and a picture."""
        write_curves(self._folder / "logs", self._folder / "loss.csv", self._folder / "loss.png")
