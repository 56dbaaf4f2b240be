"""Answers that carry a stored file: whole, in parts, or not at all where the client has it already."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

from fastapi import Response
from fastapi.responses import StreamingResponse
from starlette.datastructures import Headers

from cascade.service.api.byte_ranges import ByteRange, matches, parse_ranges
from cascade.service.problems import problem_response
from cascade.workers.jobs.record import Artifact

OpenRange = Callable[[int, int], Iterator[bytes]]
"""Opens part of a file, from a byte on and so many bytes long, and yields it in chunks. Raises ArtifactLost if it is gone."""


def file_response(request: Headers, artifact: Artifact, filename: str, open_range: OpenRange) -> Response:
    """Answer a GET for a file: 200, 206 for byte ranges, 304, 412, or 416.

    Args:
        request: the headers Range, If-Range, If-Match and If-None-Match count.
        filename: what the file is saved as; letters, digits, `-`, `_` and `.`.
    Raises:
        ArtifactLost: the file is gone.
    """
    size, etag = artifact.size_bytes, f'"{artifact.sha256[:32]}"'
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Cache-Control": "private, no-cache",
        "Content-Disposition": f'inline; filename="{filename}"',
        "X-Content-Type-Options": "nosniff",
    }
    # A list may come in several lines.
    if_match, if_none_match = (", ".join(request.getlist(name)) for name in ("if-match", "if-none-match"))
    if "if-match" in request and not matches(if_match, etag, weak=False):
        return problem_response(412, "the file is not the one that If-Match names", headers={"ETag": etag})
    if "if-none-match" in request and matches(if_none_match, etag, weak=True):
        return Response(status_code=304, headers=headers)
    ranges = None
    if "range" in request and request.get("if-range", etag).strip() == etag:
        ranges = parse_ranges(request["range"], size)
    if ranges is None:
        length = {"Content-Length": str(size)}
        chunks = open_range(0, size)
        return StreamingResponse(chunks, 200, headers | length, artifact.media_type)
    if not ranges:
        detail = f"the file has {size} bytes; the range asks for others"
        return problem_response(
            416, detail, headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"}
        )
    if len(ranges) == 1:
        (part,) = ranges
        headers |= {"Content-Range": part.within(size), "Content-Length": str(part.length)}
        return StreamingResponse(open_range(part.first, part.length), 206, headers, artifact.media_type)
    return _several_parts(ranges, artifact, headers, open_range)


def _several_parts(
    ranges: tuple[ByteRange, ...], artifact: Artifact, headers: dict[str, str], open_range: OpenRange
) -> Response:
    """Answer with several ranges as multipart/byteranges (RFC 9110, section 14.6)."""
    boundary = secrets.token_hex(12)
    heads = [
        f"--{boundary}\r\nContent-Type: {artifact.media_type}\r\n"
        f"Content-Range: {part.within(artifact.size_bytes)}\r\n\r\n".encode()
        for part in ranges
    ]
    end = f"--{boundary}--\r\n".encode()
    length = sum(len(head) + part.length + 2 for head, part in zip(heads, ranges, strict=True)) + len(end)
    opened = open_range(
        ranges[0].first, ranges[0].length
    )  # before the answer begins, which could not say any more that the file is gone

    def body() -> Iterator[bytes]:
        for index, (head, part) in enumerate(zip(heads, ranges, strict=True)):
            yield head
            yield from open_range(part.first, part.length) if index else opened
            yield b"\r\n"
        yield end

    headers |= {"Content-Length": str(length)}
    return StreamingResponse(body(), 206, headers, f"multipart/byteranges; boundary={boundary}")
