"""`cascade generate`: the whole cascade in this process."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cascade.models.errors import InvalidParameter, OutputError
from cascade.models.media.file import VIDEO_ENDINGS
from cascade.models.output_files import check_file, write_whole
from cascade.models.presets.spec import MAX_SEED, AnyStageSpec
from cascade.service.api.prompt_warnings import all_warnings
from cascade.service.cli.options import (
    GuidanceScale,
    NegativePrompt,
    PresetName,
    Seed,
    Size,
    Steps,
    parse_stage_options,
    preset_or_first,
)
from cascade.service.cli.progress import stage_bars
from cascade.service.cli.video_lines import print_warnings
from cascade.workers.settings import get_settings

if TYPE_CHECKING:
    from cascade.models.clip import Clip
    from cascade.models.runtime.execution import Execution

console = Console()


def generate(
    prompt: Annotated[str, typer.Argument(help="What the video shows.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="MP4, WebM, GIF or WebP to write.")] = Path(
        "video.mp4"
    ),
    preset: PresetName = None,
    seed: Seed = None,
    size: Size = None,
    negative_prompt: NegativePrompt = None,
    steps: Steps = None,
    guidance_scale: GuidanceScale = None,
    keep_stages: Annotated[bool, typer.Option(help="Keep each stage's clip and contact sheet.")] = False,
) -> None:
    """Run the whole cascade in this process; on stderr, what of the prompt the video will not show."""
    if not prompt.strip():
        raise typer.BadParameter("must not be empty", param_hint="PROMPT")
    cascade = preset_or_first(preset)
    try:
        specs = cascade.resolve(
            size, parse_stage_options(steps, int), parse_stage_options(guidance_scale, float)
        )
    except InvalidParameter as error:
        raise typer.BadParameter(str(error)) from error
    if output.suffix.lower() not in VIDEO_ENDINGS:
        raise typer.BadParameter(
            f'"{output.name}" does not end in {", ".join(VIDEO_ENDINGS)}', param_hint="--output"
        )
    try:
        check_file(output)
    except OutputError as error:
        raise typer.BadParameter(str(error), param_hint="--output") from error
    settings = get_settings()
    print_warnings(all_warnings(cascade.name, prompt, negative_prompt or "", specs, settings.checkpoints_dir))
    # Only commands that need torch import it.
    from cascade.models.checkpoints.loading import Checkpoints
    from cascade.models.generate import run_stages

    seed = secrets.randbelow(MAX_SEED + 1) if seed is None else seed
    files: list[Path] = []

    def execution(spec: AnyStageSpec) -> Execution:
        return settings.execution(cascade.name, spec.name)

    def write_stage(stage: str, clip: Clip) -> None:
        files.extend(_write_renditions(clip, output.with_name(f"{output.stem}-{stage}")))

    with stage_bars() as bars:
        tasks = {spec.name: bars.add_task(spec.title, total=None, start=False) for spec in specs}

        def on_step(stage: str, step: int, num_steps: int) -> None:
            bars.start_task(tasks[stage])
            bars.update(tasks[stage], completed=step, total=num_steps)

        clip = run_stages(
            specs,
            prompt,
            (seed,),
            Checkpoints(settings.checkpoints_dir),
            execution,
            negative_prompt,
            on_step,
            write_stage if keep_stages else None,
        )
    console.print(f"seed {seed}")
    for file in (*files, clip.save(output)):
        console.print(file)


def _write_renditions(clip: Clip, path: Path) -> list[Path]:
    """Write a stage's video and contact sheet; `path` has no ending yet."""
    from cascade.models.media.renditions import renditions

    encoded = renditions(clip)
    paths = []
    for kind in ("mp4", "png"):
        target = path.with_name(f"{path.name}.{kind}")
        write_whole(target, encoded[kind].content)
        paths.append(target)
    return paths
