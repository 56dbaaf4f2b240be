"""Draw the picture of the house, docs/house.svg: three floors, their rooms, and who they speak to.

    python tools/house_picture.py

A test holds every room of the picture against the folders of the repository.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

TARGET = Path(__file__).parent.parent / "docs" / "house.svg"
WIDTH, MARGIN, ROOM_HEIGHT, GAP, FLOOR_GAP = 960, 24, 58, 10, 30
COLUMNS = 5
FONT = "font-family='system-ui, sans-serif'"


@dataclass(frozen=True)
class Floor:
    """A floor: its folder, what it knows, and its rooms with what each is for."""

    folder: str
    knows: str
    colour: str
    rooms: tuple[tuple[str, str], ...]

    @property
    def height(self) -> int:
        lines = -(-len(self.rooms) // COLUMNS)
        return 46 + lines * (ROOM_HEIGHT + GAP) + 6


FLOORS = (
    Floor(
        "service",
        "HTTP, API keys, schemas, the page, the command line; never imports torch",
        "#2a7f9e",
        (
            ("api", "routes, schemas, views"),
            ("access", "keys, limits, retries"),
            ("cli", "one file per command"),
            ("stack", "all on one machine"),
            ("web", "the page, no build step"),
            ("doctor", "what is wrong here"),
        ),
    ),
    Floor(
        "workers",
        "queues, job records, leases, stored tensors, webhooks",
        "#b7791f",
        (
            ("jobs", "record, transitions, store"),
            ("queue", "Celery, turns, leases"),
            ("storage", "artifacts in Redis and S3"),
            ("webhooks", "signed deliveries"),
            ("planning", "simulated lines"),
        ),
    ),
    Floor(
        "models",
        "networks, stages, presets, checkpoints, training, evaluation",
        "#4c6b3c",
        (
            ("families", "a folder for each paper"),
            ("presets", "what can be asked for"),
            ("checkpoints", "diffusers layout"),
            ("layers", "attention, resnets"),
            ("diffusion", "sampling, guidance"),
            ("text", "prompt embeddings"),
            ("media", "MP4, WebP, previews"),
            ("runtime", "device and precision"),
            ("training", "loop, recipes, data"),
            ("evaluation", "suites and reports"),
        ),
    ),
)


def draw() -> str:
    """Return the picture as SVG."""
    parts, top = [], MARGIN
    for number, floor in enumerate(FLOORS):
        parts.append(_floor(floor, top))
        top += floor.height
        if number < len(FLOORS) - 1:
            parts.append(_arrow(top + 4, top + FLOOR_GAP - 4, "imports go down only"))
            top += FLOOR_GAP
    height = top + MARGIN
    head = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' role='img' "
        f"aria-label='Three floors: service, workers, models'>"
    )
    paper = f"<rect width='{WIDTH}' height='{height}' rx='10' fill='#ffffff'/>"
    return "\n".join([head, paper, *parts, "</svg>", ""])


def _floor(floor: Floor, top: int) -> str:
    inner = WIDTH - 2 * MARGIN
    lines = [
        _box(MARGIN, top, inner, floor.height, floor.colour, fill=floor.colour, opacity=0.09),
        _text(MARGIN + 14, top + 28, floor.folder + "/", 18, floor.colour, bold=True),
        _text(MARGIN + 124, top + 28, floor.knows, 14, "#1f2933"),
    ]
    width = (inner - 28 - (COLUMNS - 1) * GAP) // COLUMNS
    for index, (room, purpose) in enumerate(floor.rooms):
        x = MARGIN + 14 + index % COLUMNS * (width + GAP)
        y = top + 44 + index // COLUMNS * (ROOM_HEIGHT + GAP)
        lines += [
            _box(x, y, width, ROOM_HEIGHT, floor.colour),
            _text(x + 10, y + 24, room, 15, "#1f2933", bold=True),
            _text(x + 10, y + 44, purpose, 12, "#52606d"),
        ]
    return "\n".join(lines)


def _box(
    x: int, y: int, width: int, height: int, colour: str, *, fill: str = "#ffffff", opacity: float = 1
) -> str:
    return (
        f"<rect x='{x}' y='{y}' width='{width}' height='{height}' rx='7' fill='{fill}' fill-opacity='{opacity}' "
        f"stroke='{colour}' stroke-opacity='0.7'/>"
    )


def _arrow(start: int, end: int, label: str) -> str:
    x = WIDTH // 2
    return (
        f"<path d='M{x} {start} V{end} M{x - 5} {end - 6} L{x} {end} L{x + 5} {end - 6}' stroke='#52606d' "
        f"fill='none' stroke-width='1.5'/>\n{_text(x + 14, (start + end) // 2 + 4, label, 12, '#52606d')}"
    )


def _text(x: int, y: int, content: str, size: int, colour: str, *, bold: bool = False) -> str:
    weight = " font-weight='600'" if bold else ""
    return f"<text x='{x}' y='{y}' {FONT} font-size='{size}' fill='{colour}'{weight}>{escape(content)}</text>"


if __name__ == "__main__":
    TARGET.write_text(draw())
