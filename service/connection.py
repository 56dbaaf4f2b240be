"""HTTP to one gateway, for the Python client: requests, answers as schemas, and refusals as exceptions.

ClientError
├── Refused
└── Unavailable
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TypeVar

import httpx
from httpx_sse import SSEError, connect_sse
from pydantic import BaseModel, ValidationError

from cascade.service.api.schemas.errors import Problem

CHUNK_BYTES = 1 << 16
EVENT_TIMEOUT_S = 60
PREVIEW = "preview"
"""The event that has no id: it is no change of the video."""
NOTHING_MORE = 204

Answer = TypeVar("Answer", bound=BaseModel)


class ClientError(Exception):
    """Anything that the client cannot do; the message says why.

    Attributes:
        retry_after_s: in how many seconds the gateway would take the request, if it said so.
    """

    retry_after_s: float | None = None


class Refused(ClientError):
    """The gateway refuses the request, in its own words.

    Attributes:
        status: of the answer, 400 to 499.
        code: stable, for programs, such as `quota_exceeded`.
        field: the part of the request that is wrong, if it is one.
    """

    def __init__(self, message: str, status: int, code: str | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.field = status, code, field


class Unavailable(ClientError):
    """The gateway cannot be reached or cannot answer now; a later try may succeed."""


class Connection:
    """Sends requests to the gateway at `url`. Raises ClientError for a URL or key that cannot be used.

    Every method raises `Refused` or `Unavailable`, or ClientError for what cannot be sent.
    """

    def __init__(self, url: str, api_key: str | None, timeout_s: float) -> None:
        if api_key and not (api_key.isascii() and api_key.isprintable()):
            raise ClientError("the API key holds characters that no key has")
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        try:
            self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s)
        except httpx.InvalidURL as error:
            raise ClientError(f"the gateway's URL cannot be used: {error}") from error
        self.url = str(self._http.base_url.copy_with(userinfo=b"")).rstrip("/")  # without a password

    def close(self) -> None:
        self._http.close()

    def request(
        self,
        kind: type[Answer],
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request and read the answer; entries of `body` and `params` that are None are left out.

        Raises:
            ClientError: also if the answer is not what `kind` describes.
        """
        json = None if body is None else _without_none(body)
        try:
            answer = self._http.request(
                method, path, json=json, params=_parameters(params or {}), headers=headers
            )
        except httpx.RequestError as error:
            raise self._unreachable(error) from error
        except ValueError as error:  # such as text that is none, or a number that is not finite
            raise ClientError(f"the request cannot be sent: {error}") from error
        if answer.is_error:
            raise _refusal(answer)
        try:
            return kind.model_validate_json(answer.content)
        except ValidationError as error:
            raise ClientError(f"{self.url} does not answer as a gateway of this version: {error}") from error

    def download(self, path: str, params: Mapping[str, object], target: Path) -> None:
        """Write what is at `path`, or where it redirects to, into a file, which appears when it is whole.

        Raises:
            ClientError: also if the file cannot be written.
        """
        try:
            with self._http.stream("GET", path, params=_parameters(params), follow_redirects=True) as answer:
                if answer.is_error:
                    answer.read()
                    raise _refusal(answer)
                _write_whole(answer.iter_bytes(CHUNK_BYTES), target)
        except httpx.RequestError as error:
            raise self._unreachable(error) from error

    def event_ids(self, path: str, last_id: str) -> Iterator[str]:
        """Yield the ids of the server-sent events after `last_id`, as they come, until the stream ends."""
        headers = {"last-event-id": last_id}
        try:
            with connect_sse(self._http, "GET", path, headers=headers, timeout=EVENT_TIMEOUT_S) as source:
                if source.response.is_error:
                    source.response.read()
                    raise _refusal(source.response)
                if source.response.status_code == NOTHING_MORE:
                    return
                for event in source.iter_sse():
                    if event.id and event.event != PREVIEW:
                        yield event.id
        except (httpx.RequestError, SSEError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> Unavailable:
        return Unavailable(f"{self.url} cannot be reached: {error}")


def _write_whole(chunks: Iterator[bytes], target: Path) -> None:
    part = target.with_name(f"{target.name}.part")
    try:
        try:
            with part.open("wb") as file:
                for chunk in chunks:
                    file.write(chunk)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise ClientError(f"{target} cannot be written: {error.strerror or error}") from error


def _without_none(entries: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in entries.items() if value is not None}


def _parameters(entries: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in _without_none(entries).items()}


def _refusal(answer: httpx.Response) -> ClientError:
    """Read what an answer with an error status says."""
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        message, code, field = f"{answer.status_code} {answer.reason_phrase}", None, None
    else:
        message, code, field = problem.detail, problem.error.code, problem.error.param
    error: ClientError = Unavailable(message)
    if answer.is_client_error:
        error = Refused(message, answer.status_code, code, field)
    error.retry_after_s = retry_after_s(answer.headers.get("retry-after", ""))
    return error


def retry_after_s(header: str) -> float | None:
    """Read `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date; None if it is neither."""
    if header.isascii() and header.isdecimal():
        return float(header)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max((date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0.0)
