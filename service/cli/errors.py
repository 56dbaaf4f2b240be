"""What a user did wrong, or what is missing on the machine, in one line on stderr; never a traceback."""

from __future__ import annotations

from typing import Any

import typer
from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError as S3Error
from redis.exceptions import RedisError
from typer.core import TyperGroup

from cascade.models.errors import InvalidParameter, ModelError
from cascade.service.cli.program import PROGRAM
from cascade.service.client import ClientError
from cascade.service.stack.running import StackStopped
from cascade.workers.errors import WorkerError
from cascade.workers.settings import WrongSettings

ClickException: Any = typer.BadParameter.__mro__[2]
"""Of click, or of the copy of it that newer versions of typer bring."""
WRONG_USE, FAILED, INTERRUPTED = 2, 1, 130


class CommandLine(TyperGroup):
    """The commands; whatever is the user's to mend becomes a line on stderr and an exit status."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command as `TyperGroup` does, and exit with its status; help names `cascade` however it was started."""
        options["prog_name"] = PROGRAM
        if not options.get("standalone_mode", True):
            return super().main(*args, **options)
        try:
            status = super().main(*args, **{**options, "standalone_mode": False})
        except typer.Abort:
            _say("stopped")
            raise SystemExit(INTERRUPTED) from None
        except Exception as error:
            explained = explain(error)
            if explained is None:
                raise
            message, status = explained
            _say(message)
        raise SystemExit(status if isinstance(status, int) else 0)


def explain(error: Exception) -> tuple[str, int] | None:
    """Return a line for the user, and the exit status: 2 for wrong use, 1 for other faults; None for a fault of ours."""
    if isinstance(error, ClickException):
        return error.format_message(), error.exit_code
    match error:
        case InvalidParameter() | WrongSettings() | StackStopped():
            return str(error), WRONG_USE
        case ModelError() | WorkerError() | ClientError():
            return str(error), FAILED
        case RedisError():
            return f"Redis, where CASCADE_REDIS_URL leads to: {error}", FAILED
        case BotoCoreError() | S3Error():
            return f"the object store, where CASCADE_S3_ENDPOINT_URL leads to: {error}", FAILED
        case OSError() if error.filename is not None:
            return f"{error.filename}: {error.strerror}", FAILED
        case OSError():
            return str(error), FAILED
    return None


def _say(message: str) -> None:
    if not message:  # help was asked for, and shown
        return
    typer.echo(f"Error: {' '.join(message.split())}", err=True)
