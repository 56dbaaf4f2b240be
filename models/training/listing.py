"""Lists of video files and captions, as people write them: tables of any separator, JSON arrays, JSON lines."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cascade.models.errors import VideoFileError

SEPARATORS = (",", ";", "\t", "|")
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before that of UTF-16, which it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
SEPARATOR_LINE = re.compile(r'\s*"?sep=([^\r\n"])"?\s*', re.IGNORECASE)
"""The first line of a table as spreadsheets write it for each other."""
LONGEST_FIELD = 1 << 20


@dataclass(frozen=True)
class Columns:
    """Names of the columns, or of the keys in JSON; capitals and spaces around them do not matter."""

    video: str = "video"
    caption: str = "caption"


@dataclass(frozen=True)
class Entry:
    """A video with one of its captions, and where the list has it, such as `line 3 of clips.csv`."""

    path: Path
    caption: str
    where: str


def read_listing(listing: Path, columns: Columns = Columns()) -> tuple[Entry, ...]:
    """Read a list: a table whose first row names its columns, a JSON array, or JSON lines.

    A table may be separated by commas, semicolons, tabs or bars; the text is UTF-8, or UTF-16 or UTF-32 with a mark. A video
    with several captions, in columns of one name, in an array or in several rows, becomes as many entries. Paths are
    relative to the list's folder and stay inside.

    Raises:
        VideoFileError: the list cannot be read, is empty or lacks a column, or an entry lacks something or leads out of the
            folder; the message names the entry.
    """
    text = _text(listing)
    opening = text.lstrip()[:1]
    if listing.suffix.lower() in (".json", ".jsonl", ".ndjson") or opening in ("[", "{"):
        rows = _json_rows(text, listing, columns)
    else:
        rows = _table_rows(text, listing, columns)
    folder = listing.parent.resolve()
    entries = tuple(
        Entry(_path(video, folder, where), caption, where)
        for where, video, captions in rows
        for caption in captions
    )
    if not entries:
        raise VideoFileError(f"{listing} lists no videos")
    return entries


Row = tuple[str, str, Sequence[str]]
"""Where it is, the video as written, and its captions."""


def _text(listing: Path) -> str:
    try:
        content = listing.read_bytes()
    except OSError as error:
        raise VideoFileError(f"the list {listing} cannot be read: {error.strerror}") from error
    encoding = next((name for mark, name in MARKS.items() if content.startswith(mark)), None)
    if encoding is None:
        encoding = {b"\0": "utf-16-be"}.get(content[:1], "utf-16-le" if content[1:2] == b"\0" else "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise VideoFileError(
            f"line {line} of {listing} is not {encoding.upper().removesuffix('-SIG')}; save the list as UTF-8"
        ) from error


def _json_rows(text: str, listing: Path, columns: Columns) -> Iterator[Row]:
    """Yield the objects of an array, or of one text after another."""
    for number, (where, value) in enumerate(_json_values(text, listing), 1):
        if isinstance(value, list):
            if number > 1:
                raise VideoFileError(f"{where} is an array; a list has one array, or one object a line")
            for index, item in enumerate(value, 1):
                yield _json_row(item, f"entry {index} of {listing}", columns)
        else:
            yield _json_row(value, where, columns)


def _json_values(text: str, listing: Path) -> Iterator[tuple[str, Any]]:
    decoder, position = json.JSONDecoder(), 0
    while True:
        while position < len(text) and (text[position].isspace() or text[position] == "\x1e"):
            position += 1
        if position == len(text):
            return
        where = f"line {text.count(chr(10), 0, position) + 1} of {listing}"
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise VideoFileError(f"{where} is not JSON: {error}") from error
        yield where, value


def _json_row(value: Any, where: str, columns: Columns) -> Row:
    if not isinstance(value, dict):
        raise VideoFileError(f"{where} is not an object with {columns.video} and {columns.caption}")
    fields = {str(name).strip().casefold(): content for name, content in value.items()}
    video = fields.get(_key(columns.video))
    captions = fields.get(
        _key(columns.caption), fields.get(f"{_key(columns.caption)}s")
    )  # several, in an array
    if video is None or captions is None:
        raise VideoFileError(_lacking(where, columns, tuple(value)))
    captions = captions if isinstance(captions, list) else [captions]
    if not isinstance(video, str) or not all(map(_is_text, captions)):
        raise VideoFileError(f"{where}: {columns.video} and {columns.caption} must be texts")
    return _row(where, video, captions, columns)


def _table_rows(text: str, listing: Path, columns: Columns) -> Iterator[Row]:
    skipped, separator = 0, None
    lines = list(io.StringIO(text, newline=""))  # `splitlines` would end lines within captions too
    if lines and (first := SEPARATOR_LINE.fullmatch(lines[0])):
        skipped, separator, lines = 1, first[1], lines[1:]
    header = next((line for line in lines if line.strip()), None)
    if header is None:
        return
    separator = separator or _separator(header, columns)
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True, strict=True)
    names: list[str] | None = None
    start = 0
    try:
        for cells in reader:
            where, start = f"line {start + skipped + 1} of {listing}", reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if names is None:
                names = [cell.strip().casefold() for cell in cells]
                if _key(columns.video) not in names or _key(columns.caption) not in names:
                    raise VideoFileError(_lacking(where, columns, cells))
                continue
            yield _table_row(cells, names, where, columns)
    except csv.Error as error:
        raise VideoFileError(
            f"line {start + skipped + 1} of {listing} is not a row: {error}; a quote within quotes is written twice"
        ) from error


def _separator(header: str, columns: Columns) -> str:
    """Return the separator by which the header names the columns; a comma where none does."""
    wanted = {_key(columns.video), _key(columns.caption)}
    for separator in SEPARATORS:
        cells = next(csv.reader([header], delimiter=separator, skipinitialspace=True), [])
        if wanted <= {cell.strip().casefold() for cell in cells}:
            return separator
    return max(SEPARATORS, key=header.count)


def _table_row(cells: Sequence[str], names: Sequence[str], where: str, columns: Columns) -> Row:
    surplus = [cell for cell in cells[len(names) :] if cell.strip()]
    if surplus:
        raise VideoFileError(
            f"{where} has {len(cells)} fields where the first row names {len(names)}; put a caption that holds the "
            'separator between double quotes: "..."'
        )
    by_name: dict[str, list[str]] = {}
    for name, cell in zip(names, cells, strict=False):
        by_name.setdefault(name, []).append(cell)
    captions = by_name.get(_key(columns.caption), [])
    video = next(iter(by_name.get(_key(columns.video), [])), "")
    return _row(where, video, [caption for caption in captions if caption.strip()] or captions[:1], columns)


def _row(where: str, video: str, captions: Sequence[str], columns: Columns) -> Row:
    if not video.strip() or not captions:
        raise VideoFileError(f"{where} needs a {columns.video} and a {columns.caption}")
    return where, video.strip(), [" ".join(caption.split()) for caption in captions]


def _path(video: str, folder: Path, where: str) -> Path:
    """Return the file, written with slashes of either kind."""
    try:
        path = (folder / video).resolve()
        if not path.exists() and "\\" in video:
            path = (folder / video.replace("\\", "/")).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # too long, a circle of links, or no character
        raise VideoFileError(f"{where}: {video[:100]!r} is no file name") from error
    if not path.is_relative_to(folder):
        raise VideoFileError(f'{where}: "{video}" leads out of {folder}')
    return path


def _is_text(value: Any) -> bool:
    """Return whether a value of JSON is a text; half a character, which JSON can spell, is in none."""
    return isinstance(value, str) and not re.search("[\ud800-\udfff]", value)


def _key(name: str) -> str:
    return name.strip().casefold()


def _lacking(where: str, columns: Columns, names: Sequence[object]) -> str:
    return (
        f"{where} needs a {columns.video} and a {columns.caption}, but names {', '.join(map(str, names))}; say which of "
        "them are meant with --video-column and --caption-column"
    )
