"""Motion customisation: an adapter is put on, taken off, and refused where it does not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from safetensors.torch import save

from cascade.models.errors import MotionMisfit
from cascade.models.families.show1.keyframes import Keyframes
from cascade.models.families.show1.motion import is_motion, motion_of, pack_motion, unpack_motion, with_motion
from cascade.models.families.show1.pixel_unet import PixelVideoUNet
from cascade.models.stage import StageInputs
from tests.models.families.show1.recorder import EMBEDDINGS, HERE, NoText, clean_sample_scheduler, small_spec
from tests.models.families.show1.small_configs import KEYFRAMES, SUPER_RESOLUTION


def test_a_motion_is_temporal_attention_alone() -> None:
    unet = PixelVideoUNet(KEYFRAMES)
    motion = unpack_motion(pack_motion(motion_of(unet)))
    assert motion.keys() == {name for name, _ in unet.named_parameters() if is_motion(name)}
    assert 10 < len(motion) < len(list(unet.parameters()))


def test_keyframes_run_with_a_motion_for_one_request() -> None:
    config = replace(KEYFRAMES, out_channels=3, encoder_hid_dim=EMBEDDINGS.prompt.shape[-1])
    unet = PixelVideoUNet(config).eval()
    stage = Keyframes(unet, clean_sample_scheduler(), NoText(), HERE)
    motion = {name: tensor + 0.1 for name, tensor in motion_of(unet).items()}
    plain = StageInputs(small_spec("keyframes"), "", "", EMBEDDINGS, (7,))
    frames = [
        stage(inputs, lambda *_: None).frames  # type: ignore[arg-type]
        for inputs in (plain, replace(plain, motion=motion), plain)
    ]
    assert not torch.equal(frames[0], frames[1])
    assert torch.equal(frames[0], frames[2])


def test_the_network_is_itself_again_after_a_fault() -> None:
    unet = PixelVideoUNet(KEYFRAMES)
    before = {name: tensor.clone() for name, tensor in unet.state_dict().items()}
    motion = {name: tensor + 1 for name, tensor in motion_of(unet).items()}
    with pytest.raises(RuntimeError, match="in the middle"), with_motion(unet, motion):
        assert any(not torch.equal(tensor, before[name]) for name, tensor in unet.state_dict().items())
        raise RuntimeError("in the middle")
    assert all(torch.equal(tensor, before[name]) for name, tensor in unet.state_dict().items())


@pytest.mark.parametrize(
    "content",
    [b"nothing", save({"conv_in.weight": torch.zeros(1)}), save({})],
    ids=["no safetensors", "other tensors", "empty"],
)
def test_what_is_no_motion_is_refused(content: bytes) -> None:
    with pytest.raises(MotionMisfit):
        unpack_motion(content)


def test_a_motion_of_another_network_is_refused() -> None:
    unet, other = PixelVideoUNet(KEYFRAMES), motion_of(PixelVideoUNet(SUPER_RESOLUTION))
    with pytest.raises(MotionMisfit, match="another network"), with_motion(unet, other):
        pass
