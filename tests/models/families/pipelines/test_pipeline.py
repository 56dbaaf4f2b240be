"""Diffusers pipelines of a current model family as stages, with tiny random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import (
    AutoencoderKLWan,
    FlowMatchEulerDiscreteScheduler,
    WanPipeline,
    WanTransformer3DModel,
    WanVideoToVideoPipeline,
)
from transformers import UMT5Config, UMT5EncoderModel

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip
from cascade.models.errors import CheckpointError
from cascade.models.families.registry import load_stage
from cascade.models.families.shapes.random_checkpoints import VOCABULARY, _tokenizer
from cascade.models.presets.pipelines import WAN, TextToVideoOptions, VideoToVideoOptions
from cascade.models.presets.spec import AnyStageSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs


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


def test_raising_in_the_progress_stops_the_pipeline(checkpoints: Checkpoints) -> None:
    class Cancelled(Exception):
        pass

    def stop(step: int, _steps: int) -> None:
        assert step == 1
        raise Cancelled

    spec = text_to_video()
    stage = load_stage(spec, checkpoints, Execution(device="cpu"))
    with pytest.raises(Cancelled):
        stage(StageInputs(spec, "a cat", "", stage.text.encode("", ""), (7,)), stop)


def test_what_is_no_pipeline_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    spec = replace(text_to_video(), checkpoint="empty", options=TextToVideoOptions())
    with pytest.raises(CheckpointError, match="no diffusers pipeline"):
        load_stage(spec, Checkpoints(tmp_path), Execution(device="cpu"))
