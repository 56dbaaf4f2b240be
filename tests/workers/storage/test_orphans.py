"""Objects without a record go after a safe age, and nothing else does."""

from __future__ import annotations

from cascade.models.media.file import MP4
from cascade.workers.keys import job_key
from cascade.workers.servers import Servers
from cascade.workers.storage.motions import Motions
from cascade.workers.storage.orphans import Orphans

AT_ONCE_S = -10.0  # the Date of an answer has whole seconds: what is stored now may seem to be of the future


def find_orphans(connected: Servers, age_s: float = AT_ONCE_S, motion_age_s: float = AT_ONCE_S) -> Orphans:
    motions = Motions.of(connected)
    return Orphans(connected.redis, connected.objects, motions, age_s, motion_age_s)


def stored(connected: Servers) -> list[str]:
    return [found.key for page in connected.objects.pages("") for found in page]


def put(connected: Servers, *keys: str) -> None:
    for key in keys:
        connected.objects.put(key, b"bytes", MP4)


def test_objects_that_no_record_knows_go_with_the_second_look(connected: Servers) -> None:
    put(connected, "jobs/video_1/a/x.mp4", "jobs/video_1/b/y.mp4", "jobs/video_2/a/x.mp4", "other/x")
    connected.redis.set(job_key("video_2"), b"{}")
    orphans = find_orphans(connected)
    assert orphans.sweep() == 0
    assert orphans.sweep() == 2
    assert stored(connected) == ["jobs/video_2/a/x.mp4", "other/x"]


def test_a_job_that_gets_its_record_between_two_looks_loses_nothing(connected: Servers) -> None:
    put(connected, "jobs/video_1/a/x.mp4")
    orphans = find_orphans(connected)
    orphans.sweep()
    connected.redis.set(job_key("video_1"), b"{}")
    assert orphans.sweep() == 0
    connected.redis.delete(job_key("video_1"))
    assert orphans.sweep() == 0  # found anew: it is the first look again
    assert stored(connected) == ["jobs/video_1/a/x.mp4"]


def test_young_objects_stay_and_the_store_is_not_listed_all_the_time(connected: Servers) -> None:
    put(connected, "jobs/video_1/a/x.mp4")
    orphans = find_orphans(connected, age_s=3600)
    for _ in range(3):
        assert orphans.sweep() == 0
    requests: list[object] = []
    connected.objects._client.meta.events.register("before-call.s3", lambda **_: requests.append(1))
    assert (orphans.sweep(), requests) == (0, [])
    assert find_orphans(connected, age_s=0).sweep() == 0  # never
    assert requests == []
    assert stored(connected) == ["jobs/video_1/a/x.mp4"]


def test_motions_that_are_not_registered_go_after_an_age_of_their_own(connected: Servers) -> None:
    motion = Motions.of(connected).add("shapes", "zigzag", b"adapter")
    replaced = "motions/shapes/zigzag/0123.safetensors"
    put(connected, replaced)
    for _ in range(2):
        find_orphans(connected, motion_age_s=3600).sweep()
    assert stored(connected) == sorted([motion.key, replaced])
    orphans = find_orphans(connected)
    orphans.sweep()
    assert orphans.sweep() == 1
    assert stored(connected) == [motion.key]


def test_a_page_that_is_deleted_does_not_hide_the_next_one(connected: Servers) -> None:
    keys = [f"jobs/video_{number}/x.mp4" for number in range(7)]
    put(connected, *keys)
    paginate = connected.objects._client.get_paginator("list_objects_v2").paginate
    pages = paginate(Bucket=connected.objects.bucket, Prefix="jobs/", PaginationConfig={"PageSize": 3})
    deleted = 0
    for page in pages:
        found = [item["Key"] for item in page["Contents"]]
        connected.objects.delete(found)
        deleted += len(found)
    assert deleted == 7
