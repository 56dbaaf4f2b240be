"""Batches: which clips they hold, and how they are cropped."""

from __future__ import annotations

from pathlib import Path

import torch

from cascade.models.training.batch import Batch, Batches, CaptionedClip, random_crop, seeded


class NumberedClips:
    """Clip k says so, and that file k was skipped."""

    def __getitem__(self, index: int, /) -> CaptionedClip:
        frames = torch.arange(2 * 3 * 20 * 32).float().reshape(2, 3, 20, 32) + index
        return CaptionedClip(frames, f"clip {index}", (Path(f"{index}.mp4"),), annotation=index)


def test_batches_follow_one_another() -> None:
    batch = Batches(NumberedClips(), 3, None, 0)[2]
    assert batch.captions == ("clip 6", "clip 7", "clip 8")
    assert batch.frames[:, 0, 0, 0, 0].tolist() == [6, 7, 8]
    assert batch.annotations == (6, 7, 8)
    assert batch.skipped == (Path("6.mp4"), Path("7.mp4"), Path("8.mp4"))


def test_a_cropped_batch_has_no_annotations_as_they_are_of_whole_clips() -> None:
    batch = Batches(NumberedClips(), 2, (10, 16), 0)[0]
    assert batch.frames.shape == (2, 2, 3, 10, 16)
    assert batch.annotations == ()
    assert len(batch.skipped) == 2


def test_an_empty_batch_asks_for_no_clips() -> None:
    class NoClips:
        def __getitem__(self, index: int, /) -> CaptionedClip:
            raise AssertionError(index)

    batch = Batches(NoClips(), 0, None, 0)[5]
    assert batch.captions == ()
    assert batch.frames.numel() == 0


def test_a_batch_is_cropped_at_a_place_that_its_number_fixes() -> None:
    batches = Batches(NumberedClips(), 1, (4, 4), 3)
    assert torch.equal(batches[7].frames, batches[7].frames)
    places = {batches[number].frames[0, 0, 0, 0, 0].item() - number for number in range(8)}
    assert len(places) > 4


def test_loss_and_data_of_one_batch_are_drawn_independently() -> None:
    draws = {
        torch.rand((), generator=seeded(3, number, purpose)).item()
        for number in range(9)
        for purpose in ("data", "loss")
    }
    assert len(draws) == 18


def test_a_crop_is_the_same_in_every_frame() -> None:
    frames = torch.arange(2 * 3 * 1 * 20 * 32).float().reshape(2, 3, 1, 20, 32)
    cut = random_crop(frames, (8, 8), torch.Generator().manual_seed(1))
    assert cut.shape == (2, 3, 1, 8, 8)
    assert torch.equal(cut[:, 1] - cut[:, 0], torch.full((2, 1, 8, 8), 20.0 * 32))


def test_frames_lie_in_one_order_of_memory() -> None:
    """Gradients of frozen convolutions over frames in the order of pictures, channels last, end the process."""
    pictures = torch.rand(2, 4, 6, 8, 3)
    assert Batch(pictures.permute(0, 1, 4, 2, 3), ("", "")).frames.is_contiguous()
