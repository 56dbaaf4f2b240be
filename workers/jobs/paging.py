"""Pages of a project's list of jobs, by place and not by count: they hold while jobs come and go under them."""

from __future__ import annotations

from dataclasses import dataclass

from cascade.workers.redis_client import RedisClient


@dataclass(frozen=True, order=True)
class Place:
    """Where a job stands in the list, also when it is deleted; jobs of the same moment are in the order of their ids."""

    created_at: float
    job_id: str


def places_after(
    redis: RedisClient, index: str, after: Place | None, count: int, *, newest_first: bool
) -> list[Place]:
    """Return up to `count` places of the sorted set `index` behind `after`, or from the beginning."""
    if after is None:
        entries = redis.zrange(index, 0, count - 1, desc=newest_first, withscores=True)
        return [_place(entry) for entry in entries]
    same_moment = redis.zcount(index, after.created_at, after.created_at)
    end = "-inf" if newest_first else "+inf"
    entries = redis.zrange(
        index,
        after.created_at,
        end,
        desc=newest_first,
        byscore=True,
        offset=0,
        num=count + same_moment,
        withscores=True,
    )
    places = [_place(entry) for entry in entries]
    return [place for place in places if (place < after if newest_first else place > after)][:count]


def _place(entry: tuple[bytes, float]) -> Place:
    return Place(entry[1], entry[0].decode())
