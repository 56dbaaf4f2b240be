"""The image super-resolution model that upscales the first frame, tiny and random, in the published layout."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.clip import Clip, PromptEmbeddings
from cascade.models.families.registry import load_stage
from cascade.models.presets.table import SHAPES, FirstFrameSpec
from cascade.models.runtime.execution import Execution
from cascade.models.stage import StageInputs


def make_image_model(folder: Path) -> None:
    torch.manual_seed(0)
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
        encoder_hid_dim=64,
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


def test_the_first_window_sees_the_image_models_frame(tmp_path: Path, shapes_checkpoints: Path) -> None:
    make_image_model(tmp_path / "image")
    shutil.copytree(shapes_checkpoints / "shapes", tmp_path / "shapes")
    first = FirstFrameSpec(checkpoint="image", steps=2, guidance_scale=4.0, noise_level=150)
    spec = replace(SHAPES.resolve(steps={"super-resolution": 1})[2], height=16, width=32)
    with_image = replace(spec, options=replace(spec.options, first_frame=first))
    embeddings = PromptEmbeddings(torch.randn(1, 77, 64), torch.randn(1, 77, 64))
    source = Clip(torch.rand(1, 29, 3, 4, 8) * 2 - 1, 8)

    def run(chosen):
        stage = load_stage(chosen, Checkpoints(tmp_path), Execution(device="cpu"))
        made = stage(StageInputs(chosen, "", "", embeddings, (7,), source), lambda *_: None)
        return stage, made

    stage, made = run(with_image)
    frame = stage.first_frame(StageInputs(with_image, "", "", embeddings, (7,), source))
    assert frame.shape == (1, 3, 16, 32)
    assert torch.isfinite(frame).all()
    assert not torch.equal(made.frames, run(spec)[1].frames)
