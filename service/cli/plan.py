"""`cascade plan`: how many workers of each stage, on which device, at what price, for a promise of latency."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cascade.service.api.schemas.videos import Video, VideoStatus
from cascade.service.cli.plan_options import parse_bursts, parse_devices, parse_stages, parse_workers
from cascade.service.cli.videos import ApiKey, Url
from cascade.service.client import DEFAULT_URL, Client
from cascade.workers.planning.demand import DAY_S, Demand
from cascade.workers.planning.line import Conditions, Device
from cascade.workers.planning.plan_file import GB, DeviceEntry, PlanFile, read_plan_file
from cascade.workers.planning.records import RecordedJob, RecordedStage, kinds_of, per_second
from cascade.workers.settings import get_settings

PAGE = 100
ANY_DEVICE = {"device": DeviceEntry(price=1.0)}
FROM, DEMAND, LINE = "Stage times: from a file, from options, or else from a gateway", "Demand", "Line"

console = Console()


def plan(
    file: Annotated[
        Path | None,
        typer.Option(help="TOML with kinds of jobs, stage times and devices.", rich_help_panel=FROM),
    ] = None,
    stage: Annotated[
        list[str] | None,
        typer.Option(
            help="PRESET.STAGE=SECONDS, in the order in which jobs go through; several measured times as 41,43.5,40.",
            rich_help_panel=FROM,
        ),
    ] = None,
    drafts: Annotated[
        float,
        typer.Option(
            min=0, max=0.99, help="Share of the jobs that end after the first --stage.", rich_help_panel=FROM
        ),
    ] = 0.0,
    videos: Annotated[
        int,
        typer.Option(min=1, help="How many of the gateway's newest videos to read.", rich_help_panel=FROM),
    ] = 500,
    url: Url = DEFAULT_URL,
    api_key: ApiKey = None,
    p95_s: Annotated[
        float | None,
        typer.Option(
            "--p95-s",
            min=0.001,
            help="95 % of the jobs of every kind end within this.",
            rich_help_panel=DEMAND,
        ),
    ] = None,
    jobs_per_day: Annotated[
        float | None,
        typer.Option(
            min=0.001, help="Jobs that arrive; of a gateway's videos unless given.", rich_help_panel=DEMAND
        ),
    ] = None,
    bursts: Annotated[
        str | None,
        typer.Option(
            help="FACTORxSECONDS/EVERY: 5x60/3600 is five times as many for a minute of every hour; the jobs a day "
            "stay the same.",
            rich_help_panel=DEMAND,
        ),
    ] = None,
    projects: Annotated[
        int | None, typer.Option(min=1, help="Projects that take turns.", rich_help_panel=DEMAND)
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME=PRICE of an hour, or NAME=PRICE@SPEED, where stage times are for speed 1; several to choose "
            "from. Without, the price is in hours of one device.",
            rich_help_panel=LINE,
        ),
    ] = None,
    share: Annotated[
        bool,
        typer.Option(
            "--share", help="Let a worker serve several stages where that is cheaper.", rich_help_panel=LINE
        ),
    ] = False,
    workers: Annotated[
        list[str] | None,
        typer.Option(
            help="QUEUE=N, QUEUE=N@DEVICE or QUEUE+QUEUE=N: say how this line does instead of searching one.",
            rich_help_panel=LINE,
        ),
    ] = None,
    handoff_s: Annotated[
        float,
        typer.Option(
            min=0,
            help="From the moment a stage waits and a worker is free, to its start.",
            rich_help_panel=LINE,
        ),
    ] = Conditions.handoff_s,
    worker_life_h: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            help="Hours until a worker is lost, on average; unless given, none is.",
            rich_help_panel=LINE,
        ),
    ] = None,
    restart_s: Annotated[
        float, typer.Option(min=0, help="Until another works in a lost worker's place.", rich_help_panel=LINE)
    ] = Conditions.restart_s,
    seed: Annotated[int, typer.Option(min=0, help="Of the simulated jobs.", rich_help_panel=LINE)] = 0,
    print_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
) -> None:
    """Plan how many workers each stage needs, on which device, and at what price.

    Simulates the line with its lists, turns, leases and lost workers, and searches the cheapest workers with which 95 %
    of the jobs of every kind end in time.

    cascade plan --stage a.draw=41 --stage a.paint=75 --jobs-per-day 5000 --p95-s 300 --device l4=0.70 --device h200=3.20@4
    """
    from cascade.service.cli.plan_report import as_json, show
    from cascade.workers.planning.layouts import apart, shared
    from cascade.workers.planning.search import assess, make_plan

    given = PlanFile() if file is None else read_plan_file(file)
    if drafts and not stage:
        raise typer.BadParameter("--drafts goes with --stage; in a file, drafts are a kind of their own")
    if stage:
        given = given.model_copy(update={"kinds": parse_stages(stage, drafts)})
    entries = parse_devices(device or ()) or given.devices or ANY_DEVICE
    demand = _demand(
        given.model_copy(
            update={
                "p95_s": p95_s or given.p95_s,
                "jobs_per_day": jobs_per_day or given.jobs_per_day,
                "projects": projects or given.projects,
                "bursts": given.bursts if bursts is None else parse_bursts(bursts),
            }
        ),
        entries,
        lambda: _recorded_videos(url, api_key, videos),
    )
    devices = {name: _device(name, entry) for name, entry in entries.items()}
    conditions = _conditions(handoff_s, worker_life_h, restart_s)
    if workers:
        found = assess(demand, devices, conditions, parse_workers(workers, demand, entries), seed=seed)
    else:
        layouts = [*shared(demand), apart(demand)] if share else None
        found = make_plan(demand, devices, conditions, layouts=layouts, seed=seed)
    if print_json:
        typer.echo(json.dumps(as_json(found, demand, devices), indent=2))
    else:
        show(found, demand, devices, console)


def _demand(
    given: PlanFile, devices: dict[str, DeviceEntry], read_records: Callable[[], list[RecordedJob]]
) -> Demand:
    """Put together what is asked of the line; what nobody gave is read from records."""
    if given.p95_s is None:
        raise typer.BadParameter(
            "give --p95-s, or p95_s in the file: within what 95 % of the jobs are to end"
        )
    jobs_per_day = given.jobs_per_day
    if given.kinds:
        kinds = given.kinds_for(devices, given.p95_s)
    else:
        records = read_records()
        kinds = kinds_of(records, given.p95_s, {name: entry.speed for name, entry in devices.items()})
        jobs_per_day = jobs_per_day or per_second(records) * DAY_S
    if jobs_per_day is None:
        raise typer.BadParameter("give --jobs-per-day, or jobs_per_day in the file")
    bursts = None if given.bursts is None else given.bursts.bursts
    return Demand(kinds, jobs_per_day / DAY_S, bursts, given.projects)


def _recorded_videos(url: str, api_key: str | None, most: int) -> list[RecordedJob]:
    """Read the newest videos of a gateway; those that are not completed say nothing."""
    videos: list[Video] = []
    with Client(url, api_key) as client:
        after, more = None, True
        while more and len(videos) < most:
            page = client.list(min(PAGE, most - len(videos)), after)
            videos += page.data
            after, more = page.last_id, page.has_more
    return [record for video in videos if (record := _recorded(video)) is not None]


def _recorded(video: Video) -> RecordedJob | None:
    run = [stage for stage in video.stages if stage.status == "completed" and not stage.reused]
    stages = tuple(
        RecordedStage(stage.name, stage.seconds, stage.peak_memory_bytes)
        for stage in run
        if stage.seconds is not None and stage.attempts == 1
    )
    if video.status is not VideoStatus.COMPLETED or not stages or len(stages) < len(run):
        return None
    return RecordedJob(video.model, video.size, video.created_at, stages)


def _device(name: str, entry: DeviceEntry) -> Device:
    return Device(name, entry.price, None if entry.memory_gb is None else round(entry.memory_gb * GB))


def _conditions(handoff_s: float, worker_life_h: float | None, restart_s: float) -> Conditions:
    settings = get_settings()
    return Conditions(
        handoff_s=handoff_s,
        lease_s=settings.lease_s,
        max_attempts=settings.max_attempts,
        worker_life_s=math.inf if worker_life_h is None else 3600 * worker_life_h,
        restart_s=restart_s,
    )
