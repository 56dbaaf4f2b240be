"""The stack that runs beside a command: settings that lead to its embedded servers."""

from __future__ import annotations

from pydantic import SecretStr

from cascade.service.stack.embedded import Credentials, accepts_connections, stored_credentials
from cascade.workers.settings import Settings


class StackStopped(Exception):
    """The stack whose data folder is here does not run."""


def settings_of_stack(settings: Settings, *, redis_alone: bool = False) -> Settings:
    """Lead the settings to the embedded servers of the stack whose data folder is here, but for those that they name.

    Args:
        redis_alone: S3 is not needed, and may be away.

    Raises:
        StackStopped: an embedded server that is needed does not run.
    """
    credentials = stored_credentials(settings.data_dir)
    if credentials is None:
        return settings
    changes: dict[str, object] = {}
    if "redis_url" not in settings.model_fields_set:
        _check_running(credentials.redis_port, settings, "CASCADE_REDIS_URL")
        changes["redis_url"] = SecretStr(credentials.redis_url)
    if "s3_endpoint_url" not in settings.model_fields_set and not redis_alone:
        _check_running(credentials.s3_port, settings, "CASCADE_S3_ENDPOINT_URL")
        changes |= _s3_settings(credentials)
    return settings.model_copy(update=changes)


def _s3_settings(credentials: Credentials) -> dict[str, object]:
    return {
        "s3_endpoint_url": credentials.s3_endpoint_url,
        "s3_access_key": SecretStr(credentials.s3_access_key),
        "s3_secret_key": SecretStr(credentials.s3_secret_key),
    }


def _check_running(port: int, settings: Settings, variable: str) -> None:
    if not accepts_connections(port):
        raise StackStopped(
            f"the stack of {settings.data_dir} is not running; start `cascade up`, or set {variable}"
        )
