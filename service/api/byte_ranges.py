"""Byte ranges and conditions of HTTP requests (RFC 9110, sections 13 and 14), as players and download tools send them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

MAX_RANGES = 32
"""More of them in one request are ignored, and the whole file is sent."""
RANGE = re.compile(r"(\d{0,100})-(\d{0,100})", re.ASCII)
TAG = re.compile(r'(?:W/)?"[^"]*"')


@dataclass(frozen=True)
class ByteRange:
    """Part of a file: `length` bytes, above 0, from byte `first` on."""

    first: int
    length: int

    @property
    def end(self) -> int:
        """Return the place of the byte after the last one."""
        return self.first + self.length

    def within(self, size: int) -> str:
        """Write it as the header Content-Range of a file of `size` bytes."""
        return f"bytes {self.first}-{self.end - 1}/{size}"


def parse_ranges(header: str, size: int) -> tuple[ByteRange, ...] | None:
    """Read the header Range for a file of `size` bytes.

    Returns:
        The parts that the file has, in the order that they are asked for, those that overlap as one; none where the file
        ends before all of them. None for a header that is to be ignored: no valid byte ranges, or more than MAX_RANGES.
    """
    unit, _, text = header.partition("=")
    specs = [spec.strip() for spec in text.split(",") if spec.strip()]
    if unit.strip().lower() != "bytes" or not 0 < len(specs) <= MAX_RANGES:
        return None
    ranges = []
    for spec in specs:
        match = RANGE.fullmatch(spec)
        if match is None or spec == "-":
            return None
        if not match[1]:  # the last bytes
            first, end = max(size - int(match[2]), 0), size
        else:
            first, end = int(match[1]), min(int(match[2]) + 1, size) if match[2] else size
            if match[2] and int(match[2]) < first:
                return None
        if first < end:
            ranges.append(ByteRange(first, end - first))
    return _without_overlaps(ranges)


def matches(header: str, etag: str, *, weak: bool) -> bool:
    """Return whether a list of entity tags, as in If-Match, holds `etag`; by weak or by strong comparison."""
    if header.strip() == "*":
        return True
    tags = TAG.findall(header)
    return etag in ([tag.removeprefix("W/") for tag in tags] if weak else tags)


def _without_overlaps(ranges: list[ByteRange]) -> tuple[ByteRange, ...]:
    in_order = sorted(ranges, key=lambda part: part.first)
    if all(left.end <= right.first for left, right in pairwise(in_order)):
        return tuple(ranges)
    merged = in_order[:1]
    for part in in_order[1:]:
        last = merged[-1]
        if part.first <= last.end:
            merged[-1] = ByteRange(last.first, max(last.end, part.end) - last.first)
        else:
            merged.append(part)
    return tuple(merged)
