"""A clip in the terminal: some of its frames side by side, as a picture where the terminal can show one, else in blocks."""

from __future__ import annotations

import logging
import os
import sys
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.control import Control
from rich.segment import ControlType

COLUMNS = 4
WIDEST = 120
GAP_PX = 8
CLEAN_LINE = Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2))
"""Some terminals print the question that they do not understand."""


def can_show(console: Console) -> bool:
    """Return whether pictures can be drawn: on a terminal with colours that answers questions about itself."""
    return (
        console.is_terminal
        and sys.stdin.isatty()
        and sys.stdout.isatty()
        and min(os.get_terminal_size(sys.stdout.fileno())) > 0  # some say nothing about their size
        and console.color_system in ("256", "truecolor")
        and not console.no_color
        and find_spec("textual_image") is not None
    )


def show_clip(moving_picture: Path, console: Console) -> None:
    """Draw frames from the first to the last of an animated WebP, if the terminal can show them.

    The terminal is asked whether it draws pictures (Kitty's protocol, or Sixel); otherwise half blocks in colours do.
    """
    if not can_show(console):
        return
    # Imported here: Pillow is in an extra, and textual_image asks the terminal when it is imported.
    from PIL import Image

    logging.getLogger("textual_image").setLevel(logging.ERROR)  # a terminal that does not answer is no fault
    from textual_image.renderable import Image as TerminalImage

    console.control(CLEAN_LINE)
    with Image.open(moving_picture) as clip:
        last = getattr(clip, "n_frames", 1) - 1
        frames = []
        for column in range(COLUMNS):
            clip.seek(last * column // (COLUMNS - 1))
            frames.append(clip.convert("RGB"))
    width, height = frames[0].size
    strip = Image.new("RGB", (COLUMNS * (width + GAP_PX) - GAP_PX, height))
    for column, frame in enumerate(frames):
        strip.paste(frame, (column * (width + GAP_PX), 0))
    console.print(TerminalImage(strip, width=min(console.width, WIDEST), height="auto"))
