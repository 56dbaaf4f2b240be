"""The suites of all families."""

from __future__ import annotations

import subprocess
import sys

from cascade.models.evaluation.suites import available_suites


def test_the_suites_of_all_families_are_available() -> None:
    suites = available_suites()
    assert {"quick", "brief", "shapes", "ucf-101", "msr-vtt"} <= suites.keys()
    assert suites["shapes"].prompts == {"train": 200, "held-out": 100}
    # Show-1, section 4.2: 10,000 videos for UCF-101, 59,794 captions of MSR-VTT.
    assert (suites["ucf-101"].listed, suites["msr-vtt"].listed) == (10_000, 59_794)


def test_suites_are_listed_without_torch() -> None:
    script = (
        "import sys; from cascade.models.evaluation.suites import available_suites; available_suites(); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
