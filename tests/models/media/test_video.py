"""Video files that every browser plays."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch
from PIL import Image
from torch import Tensor

from cascade.models.clip import Clip
from cascade.models.errors import OutputError
from cascade.models.media.video import encode_gif, encode_mp4, encode_webm, encode_webp


def greys() -> Tensor:
    """29 frames of 64x40, each of one grey that grows by 8."""
    return (torch.arange(29) * 8).to(torch.uint8).view(29, 1, 1, 1).expand(29, 40, 64, 3)


def test_an_mp4_plays_everywhere_and_starts_at_once() -> None:
    content = encode_mp4(greys(), 8)
    with av.open(io.BytesIO(content), "r") as container:
        stream = container.streams.video[0]
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.average_rate, len(decoded)) == (64, 40, Fraction(8), 29)
    for index, frame in enumerate(decoded):
        assert abs(int(frame.mean()) - index * 8) <= 3
    assert content.index(b"moov") < content.index(b"mdat")


def test_the_same_frames_give_the_same_bytes() -> None:
    assert encode_mp4(greys(), 8) == encode_mp4(greys(), 8)


@pytest.mark.parametrize("encode", [encode_mp4, encode_webm])
@pytest.mark.parametrize("colour", [(24, 200, 24), (200, 30, 30), (30, 30, 200), (255, 255, 255), (0, 0, 0)])
def test_colours_come_back_in_players_that_read_tags_and_in_those_that_assume_bt_709(
    encode: Callable[[Tensor, int], bytes], colour: tuple[int, int, int]
) -> None:
    frames = torch.tensor(colour, dtype=torch.uint8).expand(4, 40, 64, 3)
    with av.open(io.BytesIO(encode(frames, 8)), "r") as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_range) == (1, 1)
        assert (context.color_primaries, context.color_trc) == (1, 1)
        for frame in container.decode(video=0):
            by_tags = frame.to_ndarray(format="rgb24")
            by_guess = frame.reformat(
                format="rgb24", src_colorspace="itu709", src_color_range="MPEG"
            ).to_ndarray()
            for picture in (by_tags, by_guess):
                assert abs(picture.astype(int) - colour).max() <= 3


def test_clips_are_saved_as_what_the_name_says(tmp_path: Path) -> None:
    clip = Clip(greys()[None].permute(0, 1, 4, 2, 3).float() / 127.5 - 1, 8)
    for name, container_format, codec in (
        ("a.mp4", "mp4", "h264"),
        ("a.WEBM", "webm", "vp9"),
        ("new/a.gif", "gif", "gif"),
    ):
        with av.open(clip.save(tmp_path / name)) as container:
            stream = container.streams.video[0]
            assert container_format in container.format.name.split(",")
            assert stream.codec_context.name == codec
            assert sum(1 for _ in container.decode(stream)) == 29
    with Image.open(clip.save(tmp_path / "a.webp")) as picture:
        assert picture.format == "WEBP"
    for name in ("a.avi", "a", "mp4"):
        with pytest.raises(ValueError, match=r"does not end in \.mp4, \.webm, \.gif, \.webp"):
            clip.save(tmp_path / name)


def test_a_gif_lasts_as_long_as_the_clip() -> None:
    """29 frames of an eighth of a second are 3.625 s; a GIF counts in hundredths."""
    with Image.open(io.BytesIO(encode_gif(greys(), 8))) as picture:
        durations = []
        for index in range(picture.n_frames):  # type: ignore[attr-defined]
            picture.seek(index)
            durations.append(picture.info["duration"])
    assert (len(durations), sum(durations)) == (29, 3620)


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    clip = Clip(greys()[None].permute(0, 1, 4, 2, 3).float() / 127.5 - 1, 8)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"file/a\.mp4 cannot be written"):
        clip.save(tmp_path / "file" / "a.mp4")
    (tmp_path / "a.mp4").mkdir()
    with pytest.raises(OutputError, match=r"a\.mp4 cannot be written"):
        clip.save(tmp_path / "a.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "file"]


def test_a_webp_moves_and_loops() -> None:
    image = Image.open(io.BytesIO(encode_webp(greys(), 8)))
    assert (image.format, image.size, image.n_frames) == ("WEBP", (64, 40), 29)  # type: ignore[attr-defined]
    image.load()
    assert (image.info["loop"], image.info["duration"]) == (0, 125)


def test_a_webp_of_one_frame_is_a_still_picture() -> None:
    image = Image.open(io.BytesIO(encode_webp(greys()[:1], 8)))
    assert (image.size, getattr(image, "n_frames", 1)) == ((64, 40), 1)
