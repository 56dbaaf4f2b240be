"""Errors as clients see them: one document that is RFC 9457 problem details and the OpenAI error body at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from cascade.models.errors import InvalidParameter
from cascade.service.access.idempotency import IdempotencyConflict
from cascade.service.api.schemas.errors import ErrorBody, FieldError, Problem
from cascade.workers.errors import (
    ArtifactLost,
    IllegalTransition,
    JobNotFound,
    QueueFull,
    QuotaExceeded,
    UnreadableRecord,
)

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 5
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}


class ApiError(Exception):
    """A refusal.

    Attributes:
        status: of the answer.
        field: the part of the request that is wrong, if it is one.
        code: stable, for programs; that of the status unless given.
        headers: of the answer.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        field: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.field, self.code = status, detail, field, code
        self.headers = headers


def problem_response(
    status: int,
    detail: str,
    errors: Sequence[FieldError] = (),
    headers: dict[str, str] | None = None,
    code: str | None = None,
) -> JSONResponse:
    """Write a refusal; `errors` are the fields that are wrong."""
    detail = _printable(detail)
    title = HTTPStatus(status).phrase
    body = Problem(
        title=title,
        status=status,
        detail=detail,
        errors=list(errors),
        error=ErrorBody(
            message=detail,
            type=ERROR_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error"),
            param=errors[0].field if errors else None,
            code=code or title.lower().replace(" ", "_"),
        ),
    )
    headers = {"X-Content-Type-Options": "nosniff"} | (headers or {})
    return JSONResponse(body.model_dump(), status, headers=headers, media_type="application/problem+json")


def error_response(error: ApiError | RedisError) -> JSONResponse:
    """Answer for middleware, whose errors no handler of the app sees."""
    return _refusal(error) if isinstance(error, ApiError) else _outage(error)


def install_problems(app: FastAPI) -> None:
    """Give every error that the app can answer with the one shape."""

    # Starlette types a handler's second argument as Exception, whatever it is registered for.
    def add(error: type[Exception], respond: Callable[[Request, Any], JSONResponse]) -> None:
        app.add_exception_handler(error, respond)

    add(ApiError, _api_error)
    add(InvalidParameter, _invalid_parameter)
    add(RequestValidationError, _validation_error)
    add(HTTPException, _http_exception)
    add(JobNotFound, _not_found)
    add(IllegalTransition, _conflict)
    add(ArtifactLost, _gone)
    add(IdempotencyConflict, _conflict)
    add(QuotaExceeded, _quota_exceeded)
    add(QueueFull, _queue_full)
    add(UnreadableRecord, _unreadable)
    for error in (RedisError, OperationalError, BotoCoreError, ClientError):
        add(error, _unavailable)
    add(ClientDisconnect, _gone_client)
    add(Exception, _unexpected)


def _api_error(_: Request, error: ApiError) -> JSONResponse:
    return _refusal(error)


def _refusal(error: ApiError) -> JSONResponse:
    fields = [_field_error(error.field, error.detail)] if error.field else []
    return problem_response(error.status, error.detail, fields, error.headers, error.code)


def _invalid_parameter(_: Request, error: InvalidParameter) -> JSONResponse:
    return problem_response(422, str(error), [_field_error(error.parameter, str(error))])


def _validation_error(_: Request, error: RequestValidationError) -> JSONResponse:
    fields = [
        _field_error(".".join(str(part) for part in fault["loc"][1:]) or "body", fault["msg"])
        for fault in error.errors()
    ]
    return problem_response(422, "; ".join(f"{f.field}: {f.detail}" for f in fields), fields)


def _http_exception(_: Request, error: HTTPException) -> JSONResponse:
    headers = dict(error.headers) if error.headers else None
    return problem_response(error.status_code, str(error.detail), headers=headers)


def _not_found(_: Request, error: JobNotFound) -> JSONResponse:
    return problem_response(404, f'there is no video "{error}"')


def _conflict(_: Request, error: Exception) -> JSONResponse:
    return problem_response(409, str(error))


def _quota_exceeded(_: Request, error: Exception) -> JSONResponse:
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return problem_response(429, str(error), headers=headers, code="quota_exceeded")


def _queue_full(_: Request, error: Exception) -> JSONResponse:
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return problem_response(503, str(error), headers=headers, code="queue_full")


def _gone(_: Request, error: ArtifactLost) -> JSONResponse:
    return problem_response(409, f"a stored clip has expired: {error}")


def _unreadable(_: Request, error: UnreadableRecord) -> JSONResponse:
    logger.error("%s", error)
    return problem_response(500, str(error), code="unreadable_record")


def _unavailable(_: Request, error: Exception) -> JSONResponse:
    return _outage(error)


def _gone_client(*_: object) -> JSONResponse:
    return problem_response(400, "the connection was closed before the request was complete")


def _outage(error: Exception) -> JSONResponse:
    logger.error("a server behind the gateway cannot be reached: %s", error)
    detail = (
        "the queue or the object store cannot be reached; the request may have been carried out or not: send it again "
        "with the same Idempotency-Key, or look first"
    )
    return problem_response(503, detail, headers={"Retry-After": str(RETRY_AFTER_S)})


def _unexpected(request: Request, error: Exception) -> JSONResponse:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    # The server closes the connection after a fault; the client has to know, or its next request is lost.
    headers = {"Connection": "close"}
    return problem_response(500, "an unexpected fault in the gateway; its log says more", headers=headers)


def _field_error(field: str, detail: str) -> FieldError:
    return FieldError(field=_printable(field), detail=_printable(detail))


def _printable(text: str) -> str:
    """Escape halves of surrogate pairs, which no answer can hold."""
    return text.encode(errors="backslashreplace").decode()
