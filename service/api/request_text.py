"""Refuses requests whose text is no text, wherever it stands: path, query, headers, keys and values of a body."""

from __future__ import annotations

import json
from collections.abc import Iterator
from email.message import Message
from urllib.parse import unquote_to_bytes

from pydantic import JsonValue
from starlette.types import Scope

from cascade.service.api.schemas.text import fault_of
from cascade.service.problems import ApiError

MAX_HEADERS = 100
FREE_HEADERS = (b"cookie", b"user-agent", b"referer")
"""Headers that nothing reads, and that browsers fill with what other sites say."""
FORM = "application/x-www-form-urlencoded"
UTF_8 = ("utf-8", "utf8", "us-ascii")


def check_head(scope: Scope) -> None:
    """Check path, query and headers of a request.

    Raises:
        ApiError: 422, 404 for the path, or 431.
    """
    if len(scope["headers"]) > MAX_HEADERS:
        raise ApiError(431, f"a request may have at most {MAX_HEADERS} headers")
    path = unquote_to_bytes(scope.get("raw_path") or scope["path"])
    try:
        _check("the path", _decode("the path", path))
    except ApiError as refusal:
        raise ApiError(404, refusal.detail) from refusal
    _check_form("the query", scope["query_string"])
    for name, value in scope["headers"]:
        if name not in FREE_HEADERS:
            where = f"the header {name.decode('ascii', 'replace')}"
            _check(where, _decode(where, value))


def check_body(content_type: str, body: bytes) -> None:
    """Check a body of any media type; that it is JSON or a form is left to who reads it.

    Raises:
        ApiError: 400, 415 or 422.
    """
    header = Message()
    header["content-type"] = content_type
    charset = header.get_content_charset("utf-8")
    if charset not in UTF_8:
        raise ApiError(415, f'charset "{charset}" is not supported; send UTF-8')
    try:
        text = body.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ApiError(400, "the body is not UTF-8", code="invalid_text") from error
    if "\0" in text:  # also what UTF-16 looks like
        raise ApiError(400, "the body must not hold null characters", code="invalid_text")
    if header.get_content_type() == FORM:
        _check_form("the body", body)
    elif header.get_content_maintype() == "multipart":
        _check_characters("the body", text)
    else:
        for field, part in _texts(_parse(text)):
            fault = fault_of(part)
            if fault is not None:
                raise ApiError(422, f"{field}: {fault}", field)


def _check_form(where: str, content: bytes) -> None:
    """Check names and values in the encoding of forms and queries."""
    for pair in content.split(b"&"):
        for part in pair.split(b"=", 1):
            _check(where, _decode(where, unquote_to_bytes(part.replace(b"+", b" "))))


def _check(where: str, text: str) -> None:
    fault = fault_of(text)
    if fault is not None:
        raise ApiError(422, f"{where} {fault}", code="invalid_text")


def _check_characters(where: str, text: str) -> None:
    """Check a text whose parts are not known; that a part shows nothing is found when it is read."""
    _check(where, f"{text}.")


def _decode(where: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ApiError(422, f"{where} is not UTF-8", code="invalid_text") from error


def _parse(text: str) -> JsonValue:
    try:
        content: JsonValue = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content


def _texts(content: JsonValue) -> Iterator[tuple[str, str]]:
    """Yield every text in JSON, keys too, with the name of the field that it is in."""
    rest: list[tuple[str, JsonValue]] = [("", content)]
    while rest:
        field, value = rest.pop()
        if isinstance(value, str):
            yield field or "body", value
        elif isinstance(value, list):
            rest += [(f"{field}.{index}".lstrip("."), entry) for index, entry in enumerate(value)]
        elif isinstance(value, dict):
            for key, entry in value.items():
                yield field or "body", key
                rest.append((f"{field}.{key}".lstrip("."), entry))
