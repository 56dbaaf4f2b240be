"""Diffusers pipelines of a current model family as stages, with tiny random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLWan,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    TextToVideoSDPipeline,
    UNet3DConditionModel,
    VideoToVideoSDPipeline,
    WanPipeline,
    WanTransformer3DModel,
    WanVideoToVideoPipeline,
)
from transformers import CLIPTextConfig, CLIPTextModel, UMT5Config, UMT5EncoderModel

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.errors import CheckpointError, PresetError, StageInputError
from cascade.models.families.pipelines.frames import check_frames
from cascade.models.families.pipelines.pipeline import PipelineStage
from cascade.models.families.pipelines.progress import ReportingBar
from cascade.models.families.registry import load_stage
from cascade.models.families.shapes.random_checkpoints import MAX_TOKENS, VOCABULARY, _tokenizer
from cascade.models.presets.pipelines import WAN, TextToVideoOptions, VideoToVideoOptions
from cascade.models.presets.spec import AnyStageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import AnyStage, StageInputs


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    folder = tmp_path_factory.mktemp("wan")
    torch.manual_seed(0)
    parts = {
        "tokenizer": _tokenizer(),
        "text_encoder": UMT5EncoderModel(
            UMT5Config(vocab_size=VOCABULARY, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=4)
        ),
        "transformer": WanTransformer3DModel(
            patch_size=(1, 2, 2),
            num_attention_heads=2,
            attention_head_dim=12,
            in_channels=16,
            out_channels=16,
            text_dim=32,
            freq_dim=256,
            ffn_dim=32,
            num_layers=1,
        ),
        "vae": AutoencoderKLWan(base_dim=3, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1),
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=7.0),
    }
    WanPipeline(**parts).save_pretrained(folder / "tiny" / "text-to-video")
    WanVideoToVideoPipeline(**parts).save_pretrained(folder / "tiny" / "video-to-video")
    old_parts = {
        "tokenizer": _tokenizer(),
        "text_encoder": CLIPTextModel(
            CLIPTextConfig(
                vocab_size=VOCABULARY,
                hidden_size=32,
                intermediate_size=32,
                num_hidden_layers=1,
                num_attention_heads=4,
                max_position_embeddings=MAX_TOKENS,
            )
        ),
        "unet": UNet3DConditionModel(
            sample_size=8,
            down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
            up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
            block_out_channels=(8, 8),
            layers_per_block=1,
            norm_num_groups=2,
            cross_attention_dim=32,
            attention_head_dim=4,
        ),
        "vae": AutoencoderKL(block_out_channels=(8,), norm_num_groups=2, sample_size=16),
        "scheduler": DDIMScheduler(),
    }
    TextToVideoSDPipeline(**old_parts).save_pretrained(folder / "old" / "text-to-video")
    VideoToVideoSDPipeline(**old_parts).save_pretrained(folder / "old" / "video-to-video")
    return Checkpoints(folder)


def text_to_video() -> AnyStageSpec:
    return replace(
        WAN.stages[0], checkpoint="tiny/text-to-video", frames=9, height=16, width=32, steps=3, fps=8
    )


def run(
    spec: AnyStageSpec, checkpoints: Checkpoints, seeds: tuple[int, ...] = (7,), previous: Clip | None = None
) -> tuple[Clip, list[tuple[int, int]]]:
    stage = load_stage(spec, checkpoints, Execution(device="cpu"))
    steps: list[tuple[int, int]] = []
    embeddings = stage.text.encode("a cat", "")
    inputs = StageInputs(spec, "a cat", "", embeddings, seeds, previous)
    clip = stage(inputs, lambda k, n: steps.append((k, n)))
    assert isinstance(clip, Clip)
    return clip, steps


def test_a_text_to_video_pipeline_is_a_first_stage(checkpoints: Checkpoints) -> None:
    clip, steps = run(text_to_video(), checkpoints)
    assert clip.frames.shape == (1, 9, 3, 16, 32)
    assert clip.fps == 8
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert clip.frames.min() >= -1
    assert clip.frames.max() <= 1
    again, _ = run(text_to_video(), checkpoints)
    other, _ = run(text_to_video(), checkpoints, seeds=(8,))
    assert torch.equal(clip.frames, again.frames)
    assert not torch.equal(clip.frames, other.frames)


def test_a_video_to_video_pipeline_refines_the_stage_before(checkpoints: Checkpoints) -> None:
    spec = replace(
        text_to_video(),
        name="refinement",
        checkpoint="tiny/video-to-video",
        height=32,
        width=48,
        options=VideoToVideoOptions(strength=0.7),
    )
    source = Clip(torch.rand(2, 9, 3, 16, 24) * 2 - 1, 8)
    clip, steps = run(spec, checkpoints, seeds=(1, 2), previous=source)
    assert clip.frames.shape == (2, 9, 3, 32, 48)
    assert steps[-1][0] == steps[-1][1] == len(steps)
    brighter, _ = run(spec, checkpoints, seeds=(1, 2), previous=Clip(source.frames + 0.5, 8))
    assert not torch.equal(clip.frames, brighter.frames)


def refinement(checkpoint: str, **changes: Any) -> AnyStageSpec:
    """A video-to-video stage of two steps of four."""
    options = VideoToVideoOptions(strength=0.5)
    spec = replace(text_to_video(), name="refinement", checkpoint=checkpoint, options=options, steps=4)
    return replace(spec, **changes)


@pytest.mark.parametrize("seeds", [(7,), (7, 8)])
def test_a_pipeline_with_an_old_callback_reports_its_steps(
    checkpoints: Checkpoints, seeds: tuple[int, ...]
) -> None:
    spec = replace(text_to_video(), checkpoint="old/text-to-video", frames=4)
    planned = spec.planned_steps(len(seeds))
    assert planned == 3 * len(seeds)
    clip, steps = run(spec, checkpoints, seeds)
    assert clip.frames.shape == (len(seeds), 4, 3, 16, 32)
    assert sorted(set(steps)) == [(k, planned) for k in range(1, planned + 1)]
    assert steps == sorted(steps)


@pytest.mark.parametrize("checkpoint", ["old/video-to-video", "tiny/video-to-video"])
def test_a_refinement_reports_the_steps_of_its_share_of_the_schedule(
    checkpoints: Checkpoints, checkpoint: str
) -> None:
    spec = refinement(checkpoint)
    source = Clip(torch.rand(2, 9, 3, 16, 32) * 2 - 1, 8)
    clip, steps = run(spec, checkpoints, seeds=(1, 2), previous=source)
    assert clip.frames.shape == (2, 9, 3, 16, 32)
    assert spec.planned_steps(2) == 4
    assert sorted(set(steps)) == [(k, 4) for k in range(1, 5)]
    assert steps == sorted(steps)


class WithoutCallback(WanPipeline):
    """A pipeline that takes no callback of any kind, as some do, and shows a progress bar alone."""

    def __call__(  # type: ignore[no-untyped-def]
        self, prompt, negative_prompt, height, width, num_frames, num_inference_steps, generator, output_type
    ):
        return super().__call__(
            prompt,
            negative_prompt,
            height,
            width,
            num_frames,
            num_inference_steps,
            generator=generator,
            output_type=output_type,
        )


def test_a_pipeline_without_callback_reports_by_its_progress_bar(checkpoints: Checkpoints) -> None:
    pipeline = WithoutCallback.from_pretrained(checkpoints.path("tiny/text-to-video"))
    stage, spec = PipelineStage(pipeline), text_to_video()
    steps: list[tuple[int, int]] = []
    inputs = StageInputs(spec, "a cat", "", stage.text.encode("", ""), (7,))
    clip = stage(inputs, lambda k, n: steps.append((k, n)))
    assert clip.frames.shape == (1, 9, 3, 16, 32)
    assert sorted(set(steps)) == [(k, 3) for k in range(1, 4)]
    pipeline.progress_bar(total=3).close()  # its own again


def test_a_reporting_bar_goes_through_what_it_is_given() -> None:
    steps: list[tuple[int, int]] = []
    with ReportingBar(["a", "b"], 9, lambda k, n: steps.append((k, n))) as bar:
        bar.set_postfix(loss=1)
        assert list(bar) == ["a", "b"]
    assert steps == [(1, 2), (2, 2)]


class Cancelled(Exception):
    pass


@pytest.mark.parametrize("checkpoint", ["tiny/text-to-video", "old/text-to-video", "without callback"])
def test_raising_in_the_progress_stops_the_pipeline(checkpoints: Checkpoints, checkpoint: str) -> None:
    def stop(step: int, _steps: int) -> None:
        assert step == 1
        raise Cancelled

    spec = text_to_video()
    if checkpoint == "without callback":
        stage: AnyStage = PipelineStage(
            WithoutCallback.from_pretrained(checkpoints.path("tiny/text-to-video"))
        )
    else:
        stage = load_stage(replace(spec, checkpoint=checkpoint), checkpoints, Execution(device="cpu"))
    with pytest.raises(Cancelled):
        stage(StageInputs(spec, "a cat", "", stage.text.encode("", ""), (7,)), stop)


@pytest.mark.parametrize(
    ("frames", "nearby"), [(80, "77 or 81"), (10, "9 or 13"), (8, "5 or 9"), (3, "1 or 5")]
)
def test_frames_that_the_model_cannot_make_are_refused_before_it_runs(
    checkpoints: Checkpoints, frames: int, nearby: str
) -> None:
    spec = replace(text_to_video(), frames=frames)
    expected = f"WanPipeline cannot make {frames} frames, as its autoencoder has 4 in one; choose {nearby}"
    with pytest.raises(PresetError, match=expected):
        load_stage(spec, checkpoints, Execution(device="cpu"))
    stage = load_stage(text_to_video(), checkpoints, Execution(device="cpu"))
    with pytest.raises(PresetError, match=expected):  # also with a job's own spec
        stage(StageInputs(spec, "a cat", "", stage.text.encode("", ""), (7,)), lambda *_: None)


@pytest.mark.parametrize(
    ("autoencoder", "right", "wrong"),
    [
        ("AutoencoderKLAllegro", [88, 4], [89, 86]),
        ("AutoencoderKLCogVideoX", [49, 48, 41], [47, 46, 45, 44]),
        ("AutoencoderKLMochi", [85, 1], [84, 86]),
    ],
)
def test_autoencoders_that_count_in_another_way_have_their_own_rule(
    autoencoder: str, right: list[int], wrong: list[int]
) -> None:
    factor = 6 if autoencoder == "AutoencoderKLMochi" else 4
    pipeline: Any = SimpleNamespace(vae=type(autoencoder, (), {})(), vae_temporal_scale_factor=factor)
    for frames in right:
        check_frames(pipeline, replace(text_to_video(), frames=frames))
    for frames in wrong:
        with pytest.raises(PresetError, match=f"cannot make {frames} frames"):
            check_frames(pipeline, replace(text_to_video(), frames=frames))


def test_images_by_themselves_come_in_any_number(checkpoints: Checkpoints) -> None:
    for frames in (1, 2, 5):
        clip, _ = run(
            replace(text_to_video(), checkpoint="old/text-to-video", frames=frames, steps=1), checkpoints
        )
        assert clip.frames.shape[1] == frames


class FourFramesMore(WithoutCallback):
    """A pipeline that makes another number of frames than it was asked for."""

    def prepare_latents(
        self, batch: int, channels: int, height: int, width: int, frames: int, *more: Any
    ) -> Any:
        return super().prepare_latents(batch, channels, height, width, frames + 4, *more)


def test_frames_are_never_silently_other_than_asked_for(checkpoints: Checkpoints) -> None:
    stage = PipelineStage(FourFramesMore.from_pretrained(checkpoints.path("tiny/text-to-video")))
    inputs = StageInputs(text_to_video(), "a cat", "", stage.text.encode("", ""), (7,))
    with pytest.raises(PresetError, match="the pipeline made 13 frames, not the 9 it was asked for"):
        stage(inputs, lambda *_: None)


def test_a_refinement_of_another_number_of_frames_is_refused(checkpoints: Checkpoints) -> None:
    stage = load_stage(refinement("old/video-to-video"), checkpoints, Execution(device="cpu"))
    inputs = StageInputs(
        refinement("old/video-to-video"),
        "a cat",
        "",
        stage.text.encode("", ""),
        (7,),
        Clip(torch.zeros(1, 5, 3, 16, 32), 8),
    )
    with pytest.raises(StageInputError, match="refinement needs 1 videos of 9 frames"):
        stage(inputs, lambda *_: None)


def test_a_pipeline_of_the_other_kind_is_refused(checkpoints: Checkpoints) -> None:
    with pytest.raises(
        CheckpointError, match="VideoToVideoSDPipeline of old/video-to-video is no text-to-video pipeline"
    ):
        load_stage(
            replace(text_to_video(), checkpoint="old/video-to-video"), checkpoints, Execution(device="cpu")
        )
    with pytest.raises(
        CheckpointError, match="WanPipeline of tiny/text-to-video is no video-to-video pipeline"
    ):
        load_stage(refinement("tiny/text-to-video"), checkpoints, Execution(device="cpu"))


def test_what_is_no_pipeline_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    spec = replace(text_to_video(), checkpoint="empty", options=TextToVideoOptions())
    with pytest.raises(CheckpointError, match="no diffusers pipeline"):
        load_stage(spec, Checkpoints(tmp_path), Execution(device="cpu"))
