"""Create the untrained `shapes` cascade with a fixed seed, in the layout of the published checkpoints.

Its pictures are noise; everything else about it is real. Run `python -m cascade.models.families.shapes.random_checkpoints FOLDER`.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, SchedulerMixin
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast, T5Config, T5EncoderModel

from cascade.models.checkpoints.files import write_checksums
from cascade.models.checkpoints.network import CheckpointNetwork
from cascade.models.checkpoints.writing import write_index, write_network, write_text, write_vae
from cascade.models.families.shapes.captions import caption
from cascade.models.families.shapes.image_unet import ShapesImageUNet
from cascade.models.families.shapes.scene import random_scene
from cascade.models.families.shapes.unet import ShapesUNet, ShapesUNetConfig
from cascade.models.families.show1.latent_unet import LatentUNetConfig, LatentVideoUNet
from cascade.models.families.show1.pixel_unet_config import PixelUNetConfig

TEXT_WIDTH = 64
VOCABULARY = 640
TOKENIZER_CAPTIONS = 5_000
MAX_TOKENS = 64
"""Words of a caption are one token each, so that captions are about 15, and with typing errors 25."""

PIXEL_UNET = PixelUNetConfig(
    in_channels=3,
    out_channels=3,
    down_block_types=("ResnetDownsampleBlock3D", "SimpleCrossAttnDownBlock3D"),
    up_block_types=("SimpleCrossAttnUpBlock3D", "ResnetUpsampleBlock3D"),
    block_out_channels=(64, 96),
    layers_per_block=1,
    attention_head_dim=(16, 32),
    cross_attention_dim=64,
    encoder_hid_dim=TEXT_WIDTH,
    addition_embed_type_num_heads=4,
    cross_attention_norm="group_norm",
    act_fn="gelu",
    time_embedding_act_fn="gelu",
    resnet_skip_time_act=True,
    norm_num_groups=16,
)
KEYFRAMES = ShapesUNetConfig.around(
    PIXEL_UNET, patch_size=2, prior=(4, 5, 8), attention_across_space=(False, True)
)
INTERPOLATION = ShapesUNetConfig.around(
    replace(PIXEL_UNET, in_channels=7, block_out_channels=(48, 64)),
    patch_size=2,
    residual=True,
    attention_across_space=(False, True),
)
SUPER_RESOLUTION = ShapesUNetConfig.around(
    replace(
        PIXEL_UNET,
        in_channels=6,
        block_out_channels=(64, 48),
        attention_head_dim=16,
        class_embed_type="timestep",
    ),
    patch_size=4,
    residual=True,
)
FIRST_FRAME_PATCH = 4
FIRST_FRAME = {
    "sample_size": (20, 32),
    "in_channels": 6 * FIRST_FRAME_PATCH**2,
    "out_channels": 3 * FIRST_FRAME_PATCH**2,
    "down_block_types": ("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "up_block_types": ("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
    "block_out_channels": (64, 48),
    "layers_per_block": 1,
    "attention_head_dim": 16,
    "cross_attention_dim": 64,
    "encoder_hid_dim": TEXT_WIDTH,
    "encoder_hid_dim_type": "text_proj",
    "act_fn": "gelu",
    "norm_num_groups": 16,
    "class_embed_type": "timestep",
    "resnet_time_scale_shift": "scale_shift",
    "only_cross_attention": True,
}
LATENT_CHANNELS = 8
EXPERT_TRANSLATION = LatentUNetConfig(
    in_channels=LATENT_CHANNELS,
    out_channels=LATENT_CHANNELS,
    down_block_types=("DownBlock3D", "CrossAttnDownBlock3D"),
    up_block_types=("CrossAttnUpBlock3D", "UpBlock3D"),
    block_out_channels=(48, 64),
    layers_per_block=1,
    attention_head_dim=16,
    norm_num_groups=16,
    cross_attention_dim=TEXT_WIDTH,
)


def create_random_shapes(folder: Path, seed: int = 0) -> None:
    """Create `folder/shapes`, whole or not at all; leave it alone if it is there already."""
    target = folder / "shapes"
    if target.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        untrained = Path(scratch) / "shapes"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            _write_pixel_stage(untrained / "keyframes", ShapesUNet(KEYFRAMES), DDPMScheduler, "v_prediction")
            write_text(untrained / "keyframes", T5EncoderModel(_t5_config()), _tokenizer())
            _write_pixel_stage(
                untrained / "interpolation", ShapesUNet(INTERPOLATION), DDIMScheduler, "sample"
            )
            super_resolution = ShapesUNet(SUPER_RESOLUTION)
            _write_pixel_stage(untrained / "super-resolution", super_resolution, DDIMScheduler, "sample")
            image_model = ShapesImageUNet(FIRST_FRAME, FIRST_FRAME_PATCH)
            _write_pixel_stage(untrained / "first-frame", image_model, DDIMScheduler, "sample")
            _write_expert_translation(untrained / "expert-translation")
        for stage in untrained.iterdir():
            write_checksums(stage)
        if not target.is_dir():
            shutil.move(untrained, target)


def _write_pixel_stage(
    folder: Path, network: CheckpointNetwork, scheduler: type[SchedulerMixin], prediction_type: str
) -> None:
    write_network(folder, network)
    scheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type=prediction_type,
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
    ).save_pretrained(folder / "scheduler")
    write_index(folder, "unet", "scheduler")


def _write_expert_translation(folder: Path) -> None:
    write_network(folder, LatentVideoUNet(EXPERT_TRANSLATION))
    scheduler = DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        clip_sample=False,  # latents are not bounded as pixels are
    )
    scheduler.save_pretrained(folder / "scheduler")
    levels = 4
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=(16, 32, 32, 64),
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=4,  # of four channels and more: of two, a flat area would keep the sign of its colour alone
        layers_per_block=1,
        sample_size=256,
    )
    assert vae.quant_conv is not None
    with torch.no_grad():  # its latents begin with little noise, which would else drown the colours
        vae.quant_conv.bias[LATENT_CHANNELS:] = -12
    write_vae(folder, vae)
    write_text(folder, CLIPTextModel(_clip_config()), _tokenizer())
    write_index(folder, "unet", "scheduler", "vae", "text_encoder", "tokenizer")


def _tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE: words of the captions are few tokens, and any other text can be written."""
    rng = np.random.default_rng(0)
    captions = (caption(random_scene("train", rng), rng).text for _ in range(TOKENIZER_CAPTIONS))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<pad>", "</s>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", model_max_length=MAX_TOKENS
    )


def _t5_config() -> T5Config:
    return T5Config(
        vocab_size=VOCABULARY,
        d_model=TEXT_WIDTH,
        d_kv=16,
        d_ff=128,
        num_layers=3,
        num_heads=4,
        feed_forward_proj="gated-gelu",
    )


def _clip_config() -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=VOCABULARY,
        hidden_size=TEXT_WIDTH,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=MAX_TOKENS,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=1,
    )


if __name__ == "__main__":
    create_random_shapes(Path(sys.argv[1]))
