"""Views: jobs as schemas, with URLs from whatever makes them."""

from __future__ import annotations

from dataclasses import replace

from cascade.models.presets.table import get_preset
from cascade.service.api.schemas.videos import VideoStatus
from cascade.service.api.views import QueueLoad, active_video, model_view, queue_view, video_view
from cascade.workers.jobs import transitions
from cascade.workers.jobs.record import Artifact, Job, JobRequest, JobStatus, Motion, StageOutput
from cascade.workers.queue.heartbeat import Worker

DAY_S = 86_400


def url_for(artifact: Artifact, filename: str) -> str:
    return f"https://files/{artifact.key}?as={filename}"


def artifact(key: str) -> Artifact:
    return Artifact("s3", key, 10, "0" * 64, "video/mp4")


def finished(request: JobRequest) -> Job:
    """A job whose stages took 2 s each from the 100th second on."""
    job = transitions.new_job("video_1", request, 100.0)
    for number, stage in enumerate(job.stage_names):
        output = StageOutput(artifact(f"{stage}.safetensors"), {"mp4": artifact(f"{stage}.mp4")}, 1.5, 1000)
        job = transitions.start_stage(job, stage, "worker-1", 100.0 + 2 * number)
        job = transitions.complete_stage(job, stage, output, 102.0 + 2 * number)
    return job


def test_a_finished_job_has_urls_under_names_for_people() -> None:
    video = video_view(finished(JobRequest("shapes", "a red circle", 7)), url_for, DAY_S)
    assert video.url == "https://files/expert-translation.mp4?as=video_1.mp4"
    assert video.stages[0].preview_url == "https://files/keyframes.mp4?as=video_1-keyframes.mp4"
    assert (video.stages[0].seconds, video.stages[0].artifact_bytes) == (2.0, 10)
    assert (video.completed_at, video.expires_at) == (108, 108 + DAY_S)
    assert video.usage.gpu_seconds == 6.0


def test_a_video_repeats_what_its_request_asked_for() -> None:
    motion = Motion("shapes", "zigzag", "0" * 64, 1.0)
    request = JobRequest(
        *("shapes", "a red circle", 7, "blur", "128x80"), motion=motion, best_of=2, metadata={"who": "me"}
    )
    video = video_view(transitions.new_job("video_1", request, 100.0), url_for, DAY_S)
    assert (video.prompt, video.negative_prompt, video.size) == ("a red circle", "blur", "128x80")
    assert (video.motion, video.best_of, video.metadata) == ("zigzag", 2, {"who": "me"})
    assert (video.url, video.completed_at, video.expires_at) == (None, None, None)


def test_a_view_shows_the_jobs_plan_and_not_the_preset_of_today() -> None:
    job = transitions.new_job("video_1", JobRequest("shapes", "a red circle", 7), 100.0)
    renamed = replace(job, plan=tuple(replace(spec, title=f"Old {spec.title}", fps=1) for spec in job.plan))
    video = video_view(renamed, url_for, DAY_S)
    assert (video.stages[0].title, video.seconds) == ("Old Keyframes", "29")
    assert active_video(renamed).stages[0].title == "Old Keyframes"


def test_every_status_of_a_job_is_one_of_a_video() -> None:
    assert [str(status) for status in JobStatus] == [str(status) for status in VideoStatus]
    assert all(VideoStatus(status).final is status.final for status in JobStatus)


def test_a_queue_counts_the_workers_that_serve_it() -> None:
    preset = get_preset("shapes")
    workers = [
        Worker("a", ("shapes.keyframes", "shapes.interpolation"), "busy", "host", 1, "video_1"),
        Worker("b", ("shapes.keyframes",), "ready", "host", 2),
        Worker("c", ("show-1.keyframes",), "busy", "host", 3),
    ]
    first, second, *_ = (queue_view(preset, spec, QueueLoad(5, 1, 7), workers) for spec in preset.stages)
    assert (first.queue, first.workers, first.busy, first.waiting) == ("shapes.keyframes", 2, 1, 5)
    assert (first.running, first.done_last_hour) == (1, 7)
    assert (second.queue, second.workers, second.busy) == ("shapes.interpolation", 1, 1)


def test_a_preset_shows_its_defaults() -> None:
    view = model_view(get_preset("show-1"), ["zigzag"], 1000, 4)
    assert (view.id, view.sizes, view.seconds, view.motions) == ("show-1", ["576x320"], "3.625", ["zigzag"])
    assert (view.stages[0].steps, view.stages[0].guidance_scale) == (75, 9.0)
