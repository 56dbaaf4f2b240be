"""Plan files are read, and what is wrong in them is said with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from cascade.workers.planning.plan_file import GB, DeviceEntry, WrongPlanFile, read_plan_file

FILE = """
jobs_per_day = 5000
p95_s = 300
projects = 3
bursts = { factor = 5, length_s = 60, every_s = 3600 }

[devices]
l4 = { price = 0.70 }
h200 = { price = 3.20, speed = 4, memory_gb = 139 }

[[kinds]]
name = "video"
share = 0.6
stages = [
  { queue = "a.draw", seconds = [40, 44], memory_gb = 12 },
  { queue = "a.paint", seconds = { h200 = 20 } },
]

[[kinds]]
name = "draft"
share = 0.4
p95_s = 60
stages = [{ queue = "a.draw", seconds = [40, 44] }]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "line.toml"
    path.write_text(FILE)
    return path


def test_times_are_of_each_device_or_of_one_and_its_speed(file: Path) -> None:
    plan = read_plan_file(file)
    video, draft = plan.kinds_for(plan.devices, 300)
    assert video.visits[0].seconds == {"l4": (40, 44), "h200": (10, 11)}
    assert video.visits[1].seconds == {"h200": (20,)}
    assert video.visits[0].memory_bytes == 12 * GB
    assert (video.p95_s, draft.p95_s) == (300, 60)
    assert plan.bursts is not None
    assert plan.bursts.bursts.mean_factor == pytest.approx(1 + 4 / 60)


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("p95_s = 300", "p95 = 300", "p95: Extra inputs are not permitted"),
        ("price = 0.70", "price = -1", "devices.l4.price"),
        ("[40, 44], memory", "[], memory", "kinds.0.stages.0.seconds"),
        ('"a.draw", seconds = [40, 44] }', '"draw", seconds = 1 }', "kinds.1.stages.0.queue"),
        ("length_s = 60", "length_s = 6000", "a burst of 6000 s does not fit into every 3600 s"),
        ("projects = 3", "projects = ", "is no TOML"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(file: Path, before: str, after: str, complaint: str) -> None:
    assert FILE.count(before) == 1 or before == "p95_s = 300"
    file.write_text(FILE.replace(before, after, 1))
    with pytest.raises(WrongPlanFile) as fault:
        read_plan_file(file)
    assert complaint in str(fault.value)


def test_times_on_a_device_without_a_price_are_refused(file: Path) -> None:
    with pytest.raises(WrongPlanFile, match=r"a\.paint has times on h200, which is no device with a price"):
        read_plan_file(file).kinds_for({"l4": DeviceEntry(price=1)}, 300)
