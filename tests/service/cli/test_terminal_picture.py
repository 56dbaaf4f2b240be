"""The picture of a clip in a terminal: by its own protocol, else in half blocks; nothing where there is no terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from PIL import Image

SCRIPT = """
import sys
from pathlib import Path
from rich.console import Console
from cascade.service.cli.terminal_picture import show_clip

show_clip(Path(sys.argv[1]), Console())
"""
WITHIN_S = 300
QUESTION, SIXEL, NO_PICTURES = b"\x1b[c", b"\x1b[?62;4c", b"\x1b[?62c"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A clip of eight frames that goes from red to blue."""
    frames = [Image.new("RGB", (32, 20), (255 - 36 * step, 0, 36 * step)) for step in range(8)]
    frames[0].save(tmp_path / "clip.webp", save_all=True, append_images=frames[1:], lossless=True)
    return tmp_path / "clip.webp"


def shown(clip: Path, answer: bytes, columns: int = 80, **env: str) -> bytes:
    """Return what a terminal is sent that answers the question what it can do."""
    terminal, other_end = pty.openpty()
    fcntl.ioctl(other_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(clip)],
        stdin=other_end,
        stdout=other_end,
        stderr=other_end,
        env=os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"} | env,
    )
    os.close(other_end)
    output = b""
    while select.select([terminal], [], [], WITHIN_S)[0]:
        try:
            chunk = os.read(terminal, 1 << 16)
        except OSError:  # the process has ended
            break
        output += chunk
        if QUESTION in chunk:
            os.write(terminal, answer)
    process.wait(WITHIN_S)
    os.close(terminal)
    return output


def test_a_terminal_without_pictures_shows_half_blocks_in_colours(clip: Path) -> None:
    lines = [line for line in shown(clip, NO_PICTURES).decode().splitlines() if "▀" in line]
    assert len(lines) == 5  # frames of 32 x 20 with gaps of 8: 80 columns of 152 x 20, two rows a line
    assert lines[0].count("▀") == 80
    assert "38;2;255;0;0" in lines[0] and "38;2;3;0;252" in lines[0]  # the first frame's red, the last's blue


def test_a_terminal_with_pictures_gets_one(clip: Path) -> None:
    output = shown(clip, SIXEL)
    assert b"\x1bP" in output and "▀".encode() not in output


def test_without_colours_or_a_terminal_nothing_is_drawn(clip: Path) -> None:
    assert shown(clip, NO_PICTURES, NO_COLOR="1").strip() == b""
    assert shown(clip, NO_PICTURES, TERM="dumb").strip() == b""
    assert shown(clip, NO_PICTURES, columns=0) == b""
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(clip)], capture_output=True, check=True)
    assert done.stdout + done.stderr == b""
