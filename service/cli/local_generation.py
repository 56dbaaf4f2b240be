"""The cascade in this process, down to files: what `cascade generate` does. Imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import av
import torch

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.generate import generate
from cascade.models.media.contact_sheet import contact_sheet
from cascade.models.media.video import write_mp4
from cascade.models.presets.table import StageKind, StageSpec
from cascade.workers.settings import Settings


def generate_files(
    specs: tuple[StageSpec, ...],
    prompt: str,
    seed: int,
    negative_prompt: str | None,
    output: Path,
    settings: Settings,
    on_step: Callable[[StageKind, int, int], None],
    *,
    keep_stages: bool,
) -> list[Path]:
    """Run the cascade and write `output`; with `keep_stages` also each stage's clip and contact sheet beside it."""
    files: list[Path] = []

    def keep(kind: StageKind, clip: Clip) -> None:
        if keep_stages:
            clip_file = output.with_name(f"{output.stem}-{kind}.mp4")
            write_mp4(clip, clip_file)
            files.extend([clip_file, *write_contact_sheets([clip_file])])

    clip = generate(
        specs,
        prompt,
        (seed,),
        Checkpoints(settings.checkpoints_dir),
        settings.execution,
        negative_prompt,
        on_step,
        keep,
    )
    write_mp4(clip, output)
    return [*files, output]


def write_contact_sheets(videos: Iterable[Path]) -> list[Path]:
    """A PNG beside each MP4, of all its frames."""
    sheets = []
    for path in videos:
        with av.open(path) as container:
            frames = [torch.from_numpy(f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
        sheet = path.with_suffix(".png")
        contact_sheet(torch.stack(frames)).save(sheet)
        sheets.append(sheet)
    return sheets
