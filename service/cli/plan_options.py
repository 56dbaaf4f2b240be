"""What the options of `cascade plan` say, as parts of a plan file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeVar

import typer
from pydantic import BaseModel, ValidationError

from cascade.workers.planning.demand import Demand
from cascade.workers.planning.line import Pool
from cascade.workers.planning.plan_file import BurstsEntry, DeviceEntry, KindEntry, StageEntry

NUMBER = r"\d+(?:\.\d+)?"
STAGE = re.compile(rf"(?P<queue>[^=]+)=(?P<seconds>{NUMBER}(?:,{NUMBER})*)")
DEVICE = re.compile(rf"(?P<name>[\w.-]+)=(?P<price>{NUMBER})(?:@(?P<speed>{NUMBER}))?")
BURSTS = re.compile(rf"(?P<factor>{NUMBER})x(?P<length_s>{NUMBER})/(?P<every_s>{NUMBER})")
WORKERS = re.compile(r"(?P<queues>[^=]+)=(?P<workers>[1-9]\d*)(?:@(?P<device>.+))?")

Entry = TypeVar("Entry", bound=BaseModel)


def parse_stages(texts: Iterable[str], drafts: float) -> list[KindEntry]:
    """Read `PRESET.STAGE=SECONDS[,SECONDS...]` into one kind of jobs, and a second that ends after the first stage.

    Args:
        drafts: which part of the jobs is of the second kind, 0 to 1.
    Raises:
        typer.BadParameter: a text says something else.
    """
    stages = []
    for text in texts:
        match = _matched(STAGE, text, "PRESET.STAGE=SECONDS, such as a.draw=41 or a.draw=41,43.5")
        seconds = [float(number) for number in match["seconds"].split(",")]
        stages.append(_checked(text, StageEntry, queue=match["queue"], seconds=seconds))
    whole = KindEntry(name="video", share=1 - drafts, stages=stages)
    return [whole, KindEntry(name="draft", share=drafts, stages=stages[:1])] if drafts else [whole]


def parse_devices(texts: Iterable[str]) -> dict[str, DeviceEntry]:
    """Read `NAME=PRICE[@SPEED]`. Raises typer.BadParameter for other texts."""
    devices = {}
    for text in texts:
        match = _matched(DEVICE, text, "NAME=PRICE or NAME=PRICE@SPEED, such as l4=0.70 or h200=3.20@4")
        devices[match["name"]] = _checked(text, DeviceEntry, price=match["price"], speed=match["speed"] or 1)
    return devices


def parse_bursts(text: str) -> BurstsEntry:
    """Read `FACTORxSECONDS/EVERY`. Raises typer.BadParameter for another text."""
    match = _matched(BURSTS, text, "FACTORxSECONDS/EVERY, such as 5x60/3600")
    return _checked(text, BurstsEntry, **match.groupdict())


def parse_workers(texts: Iterable[str], demand: Demand, devices: dict[str, DeviceEntry]) -> tuple[Pool, ...]:
    """Read `QUEUE[+QUEUE...]=N[@DEVICE]`.

    Raises:
        typer.BadParameter: a text says something else, or a queue that jobs visit has no workers.
    """
    pools = []
    for text in texts:
        match = _matched(WORKERS, text, "QUEUE=N, QUEUE=N@DEVICE or QUEUE+QUEUE=N, such as a.draw+a.paint=3")
        device = match["device"] or next(iter(devices))
        _check_known(text, [device], devices, "device")
        queues = tuple(match["queues"].split("+"))
        _check_known(text, queues, demand.queues, "queue")
        pools.append(Pool(queues, device, int(match["workers"])))
    missing = [queue for queue in demand.queues if not any(queue in pool.queues for pool in pools)]
    if missing:
        raise typer.BadParameter(f"--workers leaves out {', '.join(missing)}")
    return tuple(pools)


def _matched(pattern: re.Pattern[str], text: str, form: str) -> re.Match[str]:
    match = pattern.fullmatch(text)
    if match is None:
        raise typer.BadParameter(f'"{text}" is not {form}')
    return match


def _checked(text: str, kind: type[Entry], **values: object) -> Entry:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(fault["msg"] for fault in error.errors())
        raise typer.BadParameter(f'"{text}": {faults}') from error


def _check_known(text: str, names: Iterable[str], known: Iterable[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise typer.BadParameter(f'"{text}": there is no {what} "{name}"; choose from {", ".join(known)}')
