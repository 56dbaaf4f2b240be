"""Record a newcomer's first minute in a terminal: docs/first-minute.cast, and its picture docs/first-minute.svg.

python tools/record_first_minute.py            # runs the commands (minutes on two cores), then draws
python tools/record_first_minute.py --draw     # draws the picture of the recording that is there

Everything shown is what the commands wrote, when they wrote it. `asciinema play docs/first-minute.cast` plays it.
"""

from __future__ import annotations

import argparse
import codecs
import fcntl
import io
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from cascade.service.stack.embedded import port_is_free

ROOT = Path(__file__).parent.parent
CAST, PICTURE = ROOT / "docs" / "first-minute.cast", ROOT / "docs" / "first-minute.svg"
TITLE = "The first minute of Cascade"
COLUMNS, ROWS, DRAWN_ROWS = 80, 32, 400
LONGEST_S = 1800.0
PORT = 8000
READY = re.compile(rb"keys .*\n")
VIDEO_ID = re.compile(rb"video_[0-9a-f]{32}")
DEMO = 'make demo PROMPT="please show me a violet ball sliding to the left"'
SURFING = 'cascade submit "a dog surfing on a wave"'

PICTURE_FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
  <title>The first minute of Cascade, in a terminal</title>
  <style>
    .{unique_id}-matrix {{
      font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
      font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width;
    }}
    {styles}
  </style>
  <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
  </defs>
  {chrome}
  <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
  </g>
</svg>
"""
"""As that of rich, but with the fonts of the reader's machine: a picture fetches nothing from elsewhere."""


@dataclass
class Recording:
    """What a terminal showed, and when: asciicast, version 2."""

    started_at: float = field(default_factory=time.monotonic)
    events: list[tuple[float, str]] = field(default_factory=list)

    def add(self, text: str) -> None:
        self.events.append((time.monotonic() - self.started_at, text))

    def type(self, command: str) -> None:
        """Add a prompt and a command, as if somebody typed it."""
        self.add("\x1b[32m$\x1b[0m ")
        for char in command:
            time.sleep(0.02)
            self.add(char)
        self.add("\r\n")

    def write(self, path: Path) -> None:
        header = {"version": 2, "width": COLUMNS, "height": ROWS, "title": TITLE, "idle_time_limit": 2}
        lines = [json.dumps(header), *(json.dumps([round(at, 3), "o", text]) for at, text in self.events)]
        path.write_text("\n".join(lines) + "\n")

    @classmethod
    def read(cls, path: Path) -> Recording:
        _, *lines = path.read_text().splitlines()
        return cls(events=[(at, text) for at, _, text in map(json.loads, lines)])


class Running:
    """A command in a terminal of COLUMNS by ROWS whose output is recorded."""

    def __init__(self, command: str, folder: Path, recording: Recording) -> None:
        self.recording, self.output = recording, b""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.terminal, other_end = pty.openpty()
        fcntl.ioctl(other_end, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        env = {name: value for name, value in os.environ.items() if not name.startswith("CASCADE_")}
        env |= {
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "PATH": f"{folder / '.venv/bin'}:{env['PATH']}",
        }
        self.process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=other_end,
            stdout=other_end,
            stderr=other_end,
            cwd=folder,
            env=env,
            start_new_session=True,  # so that all of it can be interrupted
        )
        os.close(other_end)

    def wait(self, until: re.Pattern[bytes] | None) -> None:
        """Record what is written until it holds `until`, or the command has ended.

        Raises:
            subprocess.CalledProcessError: the command failed, or ended without having written `until`.
        """
        deadline = time.monotonic() + LONGEST_S
        while until is None or until.search(self.output) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(self.output.decode(errors="replace"))
            if not self._read():
                if self.process.wait() or until is not None:
                    raise subprocess.CalledProcessError(
                        self.process.returncode, self.process.args, self.output
                    )
                os.close(self.terminal)
                return

    def interrupt(self) -> None:
        """End the command as Ctrl-C does; what it still writes is not recorded."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.recording = Recording()
        while self._read():
            pass
        self.process.wait()
        os.close(self.terminal)

    def _read(self) -> bool:
        """Record what is there; returns whether more can come."""
        if not select.select([self.terminal], [], [], 1.0)[0]:
            return True
        try:
            chunk = os.read(self.terminal, 1 << 16)
        except OSError:  # all who could write have ended
            return False
        self.output += chunk
        self.recording.add(self._decoder.decode(chunk))
        return bool(chunk)


def run(command: str, folder: Path, recording: Recording, until: re.Pattern[bytes] | None = None) -> Running:
    """Type a command and run it in a terminal of its own; wait until it has written `until`, or else until it ends."""
    recording.type(command)
    running = Running(command, folder, recording)
    running.wait(until)
    return running


def record() -> Recording:
    """Run the first minute in a folder that is like a fresh copy of the project whose environment is made."""
    recording = Recording()
    with project_copy() as folder:
        run(DEMO, folder, recording)
        recording.add("\r\n")
        stack = run("cascade up", folder, recording, READY)
        try:
            recording.add("\r\n\x1b[2m# in another terminal\x1b[0m\r\n")
            submitted = run(SURFING, folder, recording)
            video_id = VIDEO_ID.findall(submitted.output)[-1].decode()
            run(f"cascade watch {video_id}", folder, recording)
            run(f"cascade download {video_id}", folder, recording)
            run("cascade list", folder, recording)
        finally:
            stack.interrupt()
    return recording


@contextmanager
def project_copy() -> Iterator[Path]:
    """Make a folder in which `make demo` finds an environment that is up to date: that of this project."""
    with tempfile.TemporaryDirectory(prefix="cascade-") as folder:
        copy = Path(folder)
        (copy / ".venv").symlink_to(ROOT / ".venv")
        for name in ("Makefile", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, copy)
            os.utime(copy / name, (0, 0))
        yield copy


def draw(recording: Recording) -> str:
    """Draw what the terminal shows at the end, with all that has gone above its top, as SVG."""
    screen = pyte.Screen(COLUMNS, DRAWN_ROWS)
    stream = pyte.Stream(screen)
    for _, text in recording.events:
        stream.feed(text)
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor", force_terminal=True
    )
    last = max(row for row, line in enumerate(screen.display) if line.strip())
    for row in range(last + 1):
        cells = [screen.buffer[row][column] for column in range(COLUMNS)]
        line = Text.assemble(*((cell.data, style_of(cell)) for cell in cells))
        line.rstrip()
        console.print(line, soft_wrap=True, highlight=False)
    return console.export_svg(
        title=TITLE, code_format=PICTURE_FORMAT, theme=DIMMED_MONOKAI, unique_id="cascade"
    )


def style_of(cell: pyte.screens.Char) -> Style:
    """Return rich's style of a cell of pyte's."""
    return Style(color=color_of(cell.fg), bgcolor=color_of(cell.bg), bold=cell.bold, reverse=cell.reverse)


def color_of(name: str) -> str | None:
    """Return rich's name of a colour of pyte's; None for the terminal's own."""
    if name == "default":
        return None
    if re.fullmatch(r"[0-9a-f]{6}", name):
        return f"#{name}"
    return name.replace("brown", "yellow").replace("bright", "bright_")


def main() -> int:
    """Record and draw; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draw", action="store_true", help="draw the recording that is there")
    if not parser.parse_args().draw:
        if not port_is_free(PORT):
            sys.exit(f"port {PORT} is in use: the commands of the first minute expect the gateway there")
        record().write(CAST)
    PICTURE.write_text(draw(Recording.read(CAST)))
    sys.stdout.write(f"{CAST.relative_to(ROOT)}\n{PICTURE.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
