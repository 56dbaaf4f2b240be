"""The image super-resolution model that upscales the first frame, tiny and random, in the published layout."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDPMScheduler, IFSuperResolutionPipeline, UNet2DConditionModel
from torch import Tensor

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.checkpoints.writing import write_network
from cascade.models.clip import Clip, PromptEmbeddings
from cascade.models.families.show1.first_frame import FirstFrame, OneFrame
from cascade.models.families.show1.noise_augmentation import augmentation_schedule
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from cascade.models.families.show1.super_resolution import SuperResolution
from cascade.models.presets.show1 import FirstFrameSpec, SuperResolutionOptions
from cascade.models.presets.spec import StageSpec
from cascade.models.stage import StageInputs
from tests.models.families.show1.recorder import HERE, Recorder, small_spec
from tests.models.families.show1.small_configs import SUPER_RESOLUTION, TEXT_WIDTH

IMAGE_MODEL = FirstFrameSpec(checkpoint="image", steps=2, guidance_scale=4.0, noise_level=150)
EMBEDDINGS = PromptEmbeddings(torch.randn(1, 77, TEXT_WIDTH), torch.randn(1, 77, TEXT_WIDTH))


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    """Checkpoints of a small super-resolution network and of an image model."""
    folder = tmp_path_factory.mktemp("checkpoints")
    torch.manual_seed(0)
    write_network(folder / "video", PixelVideoUNet(SUPER_RESOLUTION))
    write_image_model(folder / "image")
    return Checkpoints(folder)


def write_image_model(folder: Path) -> None:
    UNet2DConditionModel(
        sample_size=8,
        in_channels=6,
        out_channels=6,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        block_out_channels=(32, 64),
        layers_per_block=1,
        cross_attention_dim=32,
        encoder_hid_dim=TEXT_WIDTH,
        attention_head_dim=8,
        addition_embed_type="text",
        addition_embed_type_num_heads=2,
        cross_attention_norm="group_norm",
        resnet_time_scale_shift="scale_shift",
        act_fn="gelu",
        class_embed_type="timestep",
        mid_block_scale_factor=1.414,
        time_embedding_act_fn="gelu",
        resnet_skip_time_act=True,
        resnet_out_scale_factor=1.414,
    ).save_pretrained(folder / "unet")
    DDPMScheduler(
        beta_schedule="squaredcos_cap_v2",
        variance_type="learned_range",
        thresholding=True,
        sample_max_value=1.0,
    ).save_pretrained(folder / "scheduler")
    DDPMScheduler(beta_schedule="squaredcos_cap_v2").save_pretrained(folder / "image_noising_scheduler")
    (folder / "model_index.json").write_text(json.dumps({}))


def spec(first_frame: FirstFrameSpec | None) -> StageSpec[SuperResolutionOptions]:
    options = SuperResolutionOptions(first_frame=first_frame)
    schedule = replace(small_spec("super-resolution"), steps=1, height=16, width=32, checkpoint="video")
    return replace(schedule, options=options)  # type: ignore[return-value]


def stage_inputs(chosen: StageSpec[SuperResolutionOptions], seeds: tuple[int, ...]) -> StageInputs[Any]:
    generator = torch.Generator().manual_seed(1)
    source = Clip(torch.rand(len(seeds), 29, 3, 4, 8, generator=generator) * 2 - 1, 8)
    return StageInputs(chosen, "", "", EMBEDDINGS, seeds, source)


def published_frame(checkpoints: Checkpoints, inputs: StageInputs[Any], video: int) -> Tensor:
    """Upscale the first frame of one video by diffusers' own pipeline: (1, 3, height, width)."""
    pipeline = IFSuperResolutionPipeline(
        tokenizer=None,
        text_encoder=None,
        unet=checkpoints.image_unet("image", HERE),
        scheduler=checkpoints.scheduler("image"),
        image_noising_scheduler=checkpoints.scheduler("image", "image_noising_scheduler"),
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    frame: Tensor = pipeline(
        image=inputs.previous_frames()[video, :1],
        height=inputs.spec.height,
        width=inputs.spec.width,
        prompt_embeds=EMBEDDINGS.prompt,
        negative_prompt_embeds=EMBEDDINGS.negative,
        num_inference_steps=IMAGE_MODEL.steps,
        guidance_scale=IMAGE_MODEL.guidance_scale,
        noise_level=IMAGE_MODEL.noise_level,
        generator=torch.Generator().manual_seed(inputs.seeds[video]),
        output_type="pt",
    ).images
    return frame


def test_the_frame_is_that_of_the_published_pipeline(checkpoints: Checkpoints) -> None:
    inputs = stage_inputs(spec(IMAGE_MODEL), (7, 8))
    frames = FirstFrame.load(IMAGE_MODEL, checkpoints, HERE)(inputs)
    assert frames.shape == (2, 3, 16, 32)
    for video, frame in enumerate(frames):
        torch.testing.assert_close(
            frame, published_frame(checkpoints, inputs, video)[0], rtol=1e-3, atol=1e-3
        )


def test_the_first_window_sees_the_image_models_frame(checkpoints: Checkpoints) -> None:
    chosen = spec(IMAGE_MODEL)
    stage = SuperResolution.load(chosen, checkpoints, HERE)
    unet = Recorder()
    stage.unet = unet
    inputs = stage_inputs(chosen, (7,))
    stage(inputs, lambda *_: None)
    assert stage.first_frame is not None
    torch.testing.assert_close(unet.inputs[0][:, 3:, 0], stage.first_frame(inputs))


def test_the_image_models_steps_are_reported_and_can_be_cancelled(checkpoints: Checkpoints) -> None:
    chosen = spec(IMAGE_MODEL)
    stage = SuperResolution.load(chosen, checkpoints, HERE)
    unet = Recorder()
    stage.unet = unet
    inputs, steps = stage_inputs(chosen, (7, 8)), list[tuple[int, int]]()
    stage(inputs, lambda k, n: steps.append((k, n)))
    # 2 steps of the image model, then 1 in each of 4 windows.
    assert steps == [(k, 6) for k in range(1, 7)]
    assert chosen.planned_steps(2) == 6

    class Cancelled(Exception):
        pass

    def cancel(_step: int, _steps: int) -> None:
        raise Cancelled

    unet.inputs.clear()
    with pytest.raises(Cancelled):
        stage(inputs, cancel)
    assert unet.inputs == []


class Moved(UNet2DConditionModel):
    """An image UNet that notes where it is moved to and when it runs."""

    def to(self, *args: Any, **options: Any) -> Moved:
        self.events.append(str(args[0]))
        return super().to(*args, **options)  # type: ignore[no-any-return]

    def forward(self, *args: Any, **options: Any) -> Any:
        self.events.append("run")
        return super().forward(*args, **options)


def test_the_image_model_is_on_its_device_only_while_it_runs(checkpoints: Checkpoints) -> None:
    execution = replace(HERE, offload="model")
    frame = FirstFrame.load(IMAGE_MODEL, checkpoints, execution)
    unet = Moved.from_pretrained(checkpoints.path("image") / "unet")
    unet.events = []
    moved = FirstFrame(
        IMAGE_MODEL, OneFrame(unet), checkpoints.scheduler("image"), augmentation_schedule(), execution
    )
    inputs = stage_inputs(spec(IMAGE_MODEL), (7,))
    assert torch.equal(moved(inputs), frame(inputs))
    assert unet.events == ["cpu", "run", "run", "cpu"]


def test_the_image_model_runs_layer_by_layer_where_it_is_told_to(checkpoints: Checkpoints) -> None:
    inputs = stage_inputs(spec(IMAGE_MODEL), (7,))
    whole, by_layers = (
        FirstFrame.load(IMAGE_MODEL, checkpoints, replace(HERE, offload=offload))(inputs)
        for offload in ("none", "group")
    )
    assert torch.equal(whole, by_layers)


def test_sampling_is_in_float32_whatever_the_networks_precision(checkpoints: Checkpoints) -> None:
    half = FirstFrame.load(IMAGE_MODEL, checkpoints, replace(HERE, dtype="bfloat16"))
    assert half.unet.dtype is torch.bfloat16
    frame = half(stage_inputs(spec(IMAGE_MODEL), (7,)))
    assert frame.dtype is torch.float32
    assert not torch.equal(frame, frame.bfloat16().float())  # more than half precision can hold


def test_a_missing_image_model_leaves_the_noised_frame_and_says_so(
    checkpoints: Checkpoints, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    missing = spec(replace(IMAGE_MODEL, checkpoint="nowhere/to-be-found"))
    frames, steps = [], list[tuple[int, int]]()
    for chosen in (missing, spec(None)):
        stage = SuperResolution.load(chosen, checkpoints, HERE)
        assert stage.first_frame is None
        stage.unet = Recorder()
        clip = stage(stage_inputs(chosen, (7,)), lambda k, n: steps.append((k, n)))
        frames.append(clip.frames)
    assert "nowhere/to-be-found" in caplog.text
    assert torch.equal(*frames)
    # The 2 steps of the image model were planned, and are over at once.
    assert steps == [(k, 6) for k in range(2, 7)] + [(k, 4) for k in range(1, 5)]
