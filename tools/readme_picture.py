"""Draw the README's moving picture: the clips of all stages for one prompt, side by side.

python tools/readme_picture.py                    # runs `cascade generate --keep-stages`, writes docs/four-stages.webp
python tools/readme_picture.py --clips FOLDER     # takes the clips that it left there as video-STAGE.mp4
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
from PIL import Image, ImageDraw, ImageFont

PROMPT = "a red circle moving right on a gray background"
SEED = 1
STAGES = {
    "keyframes": "Keyframes",
    "interpolation": "Interpolation",
    "super-resolution": "Super-resolution",
    "expert-translation": "Expert translation",
}
TARGET = Path("docs/four-stages.webp")
FRAMES, FPS = 29, 8
PANEL = (256, 160)
GAP, TITLE, CAPTION = 12, 40, 44
INK, PALE, PAPER = "#1f2933", "#616e7c", "#ffffff"


@dataclass(frozen=True)
class StageClip:
    """The clip of one stage, as frames of its own size."""

    title: str
    frames: Sequence[Image.Image]

    @property
    def caption(self) -> str:
        width, height = self.frames[0].size
        return f"{len(self.frames)} frames of {width} x {height}"

    def panel(self, index: int) -> Image.Image:
        """Return the frame shown at frame `index` of the picture, enlarged without smoothing."""
        frame = self.frames[index * len(self.frames) // FRAMES]
        return frame.resize(PANEL, Image.Resampling.NEAREST)


def generate_clips(folder: Path) -> None:
    """Run the whole cascade and keep each stage's clip in the folder."""
    command = [sys.executable, "-m", "cascade", "generate", PROMPT, "--seed", str(SEED), "--keep-stages"]
    subprocess.run([*command, "--output", str(folder / "video.mp4")], check=True)


def read_clips(folder: Path) -> list[StageClip]:
    """Read the clips that `cascade generate --keep-stages` wrote."""
    clips = []
    for name, title in STAGES.items():
        with av.open(folder / f"video-{name}.mp4") as container:
            clips.append(StageClip(title, _images(container)))
    return clips


def _images(container: av.container.InputContainer) -> list[Image.Image]:
    return [Image.fromarray(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def draw(clips: Sequence[StageClip]) -> list[Image.Image]:
    """Draw every frame of the picture."""
    width = GAP + len(clips) * (PANEL[0] + GAP)
    background = Image.new("RGB", (width, TITLE + PANEL[1] + CAPTION), PAPER)
    pen = ImageDraw.Draw(background)
    pen.text((GAP, 11), f"“{PROMPT}”", fill=INK, font=ImageFont.load_default(17))
    for number, clip in enumerate(clips):
        left, top = GAP + number * (PANEL[0] + GAP), TITLE + PANEL[1]
        pen.text((left, top + 5), f"{number + 1}  {clip.title}", fill=INK, font=ImageFont.load_default(15))
        pen.text((left, top + 24), clip.caption, fill=PALE, font=ImageFont.load_default(13))
    frames = []
    for index in range(FRAMES):
        frame = background.copy()
        for number, clip in enumerate(clips):
            frame.paste(clip.panel(index), (GAP + number * (PANEL[0] + GAP), TITLE))
        frames.append(frame)
    return frames


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, help="folder of clips that exist already")
    folder: Path | None = parser.parse_args().clips
    with tempfile.TemporaryDirectory() as temporary:
        if folder is None:
            folder = Path(temporary)
            generate_clips(folder)
        first, *others = draw(read_clips(folder))
    first.save(
        TARGET, save_all=True, append_images=others, duration=1000 // FPS, loop=0, quality=85, method=6
    )
    sys.stdout.write(f"{TARGET}: {TARGET.stat().st_size / 1000:.0f} kB\n")


if __name__ == "__main__":
    main()
