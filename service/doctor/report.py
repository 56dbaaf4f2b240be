"""All checks of the machine, in order."""

from __future__ import annotations

from collections.abc import Iterator

from cascade.service.doctor.finding import Finding, ok, wrong
from cascade.service.doctor.machine import check_clock, check_disks, check_port, check_python
from cascade.service.doctor.networks import check_encoders, check_torch, check_weights
from cascade.service.doctor.packages import check_packages
from cascade.service.doctor.servers import check_objects, check_redis
from cascade.workers.settings import Settings, WrongSettings, get_settings


def examine() -> Iterator[Finding]:
    """Yield what each check finds, as soon as it is known; without usable settings, those that need none."""
    yield check_python()
    yield from check_packages()
    yield check_encoders()
    try:
        settings = get_settings()
    except WrongSettings as error:
        yield wrong(
            "settings",
            str(error),
            "unset or mend them (`cascade settings` describes each), and run this again",
        )
        yield check_clock()
        return
    named = sorted(f"CASCADE_{name.upper()}" for name in settings.model_fields_set)
    yield ok("settings", f"set are {', '.join(named)}" if named else "all as they are by default")
    yield from _examine(settings)


def _examine(settings: Settings) -> Iterator[Finding]:
    yield from check_torch(settings)
    yield from check_weights(settings)
    yield from check_disks(settings)
    yield check_port(settings)
    redis, objects = check_redis(settings), check_objects(settings)
    yield from (*redis.findings, *objects.findings)
    compared = {"Redis": redis.ahead_s, "the object store": objects.ahead_s}
    known = {server: ahead_s for server, ahead_s in compared.items() if ahead_s is not None}
    if not known:
        yield check_clock()
    for server, ahead_s in known.items():
        yield check_clock(server, ahead_s)
