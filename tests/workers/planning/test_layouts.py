"""The ways to cut a line into pools."""

from __future__ import annotations

from cascade.workers.planning.demand import Demand, Kind, Visit
from cascade.workers.planning.layouts import apart, shared


def test_neighbouring_stages_of_a_preset_may_share_workers() -> None:
    visits = tuple(Visit(queue, {"cpu": (1.0,)}) for queue in ("a.draw", "a.paint", "a.frame"))
    demand = Demand((Kind("video", 1, 60, visits),), 1.0)
    assert shared(demand) == [
        [("a.draw", "a.paint", "a.frame")],
        [("a.draw", "a.paint"), ("a.frame",)],
        [("a.draw",), ("a.paint", "a.frame")],
        [("a.draw",), ("a.paint",), ("a.frame",)],
    ]
    assert apart(demand) == shared(demand)[-1]


def test_presets_are_cut_each_by_itself_or_all_put_together() -> None:
    kinds = tuple(Kind(preset, 1, 60, (Visit(f"{preset}.draw", {"cpu": (1.0,)}),)) for preset in "ab")
    assert shared(Demand(kinds, 1.0)) == [[("a.draw", "b.draw")], [("a.draw",), ("b.draw",)]]
