"""Which queues may share workers: the ways to cut a line into pools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from cascade.workers.planning.demand import Demand

Layout = Sequence[tuple[str, ...]]
"""The queues of each pool."""
MOST_LAYOUTS = 64


def apart(demand: Demand) -> Layout:
    """Give each queue workers of its own."""
    return [(queue,) for queue in demand.queues]


def shared(demand: Demand) -> list[Layout]:
    """List the ways to let neighbouring queues of a preset share workers, the fewest pools first; at most MOST_LAYOUTS.

    The first of all lets every worker serve every queue.
    """
    presets: dict[str, list[str]] = {}
    for queue in demand.queues:
        presets.setdefault(queue.partition(".")[0], []).append(queue)
    cut = [list(_cuts(queues)) for queues in presets.values()]
    layouts = [[pool for pools in choice for pool in pools] for choice in product(*cut)]
    layouts = sorted([[demand.queues], *layouts], key=len)[:MOST_LAYOUTS]
    return [layout for index, layout in enumerate(layouts) if layout not in layouts[:index]]


def _cuts(queues: Sequence[str]) -> Iterator[list[tuple[str, ...]]]:
    """Yield all ways to cut a row of queues into runs."""
    for cuts in product((False, True), repeat=len(queues) - 1):
        runs = [[queues[0]]]
        for queue, cut in zip(queues[1:], cuts, strict=True):
            if cut:
                runs.append([queue])
            else:
                runs[-1].append(queue)
        yield [tuple(run) for run in runs]
