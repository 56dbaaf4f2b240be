"""The file that `cascade plan --file` reads: TOML, checked at the edge, turned into a demand and devices."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError, model_validator

from cascade.workers.errors import WorkerError
from cascade.workers.planning.demand import Bursts, Kind, Visit

GB = 1 << 30
Times = PositiveFloat | Annotated[list[PositiveFloat], Field(min_length=1)]


class WrongPlanFile(WorkerError):
    """The file cannot be used; says where and why."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DeviceEntry(_Part):
    """A device: the price of an hour, and how fast it is where stages give one time for all devices."""

    price: PositiveFloat
    speed: PositiveFloat = 1.0
    memory_gb: PositiveFloat | None = None


class StageEntry(_Part):
    """A stage: seconds as one number, several measured ones, or either by device."""

    queue: Annotated[str, Field(pattern=r"^[\w-]+\.[\w-]+$")]
    seconds: Times | dict[str, Times]
    memory_gb: PositiveFloat | None = None

    def visit(self, devices: dict[str, DeviceEntry]) -> Visit:
        """Return the stage with its times on every device that has some."""
        if isinstance(self.seconds, dict):
            times = {device: _listed(seconds) for device, seconds in self.seconds.items()}
        else:
            base = _listed(self.seconds)
            times = {name: tuple(time / device.speed for time in base) for name, device in devices.items()}
        return Visit(self.queue, times, None if self.memory_gb is None else round(self.memory_gb * GB))


class KindEntry(_Part):
    """A kind of job; `share` in proportion to the others', `p95_s` where it is not the file's."""

    name: str
    share: PositiveFloat = 1.0
    p95_s: PositiveFloat | None = None
    stages: Annotated[list[StageEntry], Field(min_length=1)]


class BurstsEntry(_Part):
    """Bursts, as `demand.Bursts`."""

    factor: Annotated[float, Field(ge=1)]
    length_s: PositiveFloat
    every_s: PositiveFloat

    @model_validator(mode="after")
    def _check_length(self) -> BurstsEntry:
        if self.length_s >= self.every_s:
            raise ValueError(f"a burst of {self.length_s:g} s does not fit into every {self.every_s:g} s")
        return self

    @property
    def bursts(self) -> Bursts:
        return Bursts(self.factor, self.length_s, self.every_s)


class PlanFile(_Part):
    """What a plan is made for; the command line's options go before what is here."""

    jobs_per_day: PositiveFloat | None = None
    p95_s: PositiveFloat | None = None
    projects: Annotated[int, Field(ge=1)] = 1
    devices: dict[str, DeviceEntry] = {}
    kinds: list[KindEntry] = []
    bursts: BurstsEntry | None = None

    def kinds_for(self, devices: dict[str, DeviceEntry], p95_s: float) -> tuple[Kind, ...]:
        """Return the kinds with their times on these devices; `p95_s` where a kind has no target of its own.

        Raises:
            WrongPlanFile: a stage has times for a device that has no price.
        """
        for stage in (stage for kind in self.kinds for stage in kind.stages):
            unknown = set(stage.seconds if isinstance(stage.seconds, dict) else ()) - set(devices)
            if unknown:
                raise WrongPlanFile(
                    f"{stage.queue} has times on {', '.join(sorted(unknown))}, which is no device with a price; "
                    f"those are {', '.join(devices) or 'none'}"
                )
        return tuple(
            Kind(
                kind.name,
                kind.share,
                kind.p95_s or p95_s,
                tuple(stage.visit(devices) for stage in kind.stages),
            )
            for kind in self.kinds
        )


def read_plan_file(path: Path) -> PlanFile:
    """Read a file.

    Raises:
        WrongPlanFile: it is no TOML, or has wrong, missing or unknown entries.
        OSError: it cannot be read.
    """
    try:
        return PlanFile.model_validate(tomllib.loads(path.read_text()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongPlanFile(f"{path} is no TOML: {error}") from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the file'}: {fault['msg']}" for fault in error.errors()
        )
        raise WrongPlanFile(f"{path}: {faults}") from error


def _listed(times: float | list[float]) -> tuple[float, ...]:
    return tuple(times) if isinstance(times, list) else (times,)
