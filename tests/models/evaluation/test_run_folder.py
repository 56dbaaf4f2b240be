"""A folder belongs to one run, and an interrupted run continues."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cascade.models.errors import EvaluationError
from cascade.models.evaluation.part import WHOLE, Part
from cascade.models.evaluation.run_folder import RUN, RunIdentity, bind, drop_cut_line, read_samples
from cascade.models.evaluation.suites import Suite
from cascade.models.presets.shapes import SHAPES


def test_a_folder_belongs_to_one_run(tmp_path: Path, shapes_checkpoints: Path) -> None:
    listing, suite = tmp_path / "list.csv", Suite("test", {"train": 1})
    listing.write_text("video,caption")
    identity = RunIdentity.of(SHAPES, suite, "small", shapes_checkpoints, listing)
    folder = tmp_path / "run"
    bind(folder, identity)
    bind(
        folder,
        RunIdentity.of(
            SHAPES, replace(suite, description="in other words"), "small", shapes_checkpoints, listing
        ),
    )
    fewer_steps = replace(SHAPES, stages=(replace(SHAPES.stages[0], steps=3), *SHAPES.stages[1:]))
    trained = tmp_path / "checkpoints"
    shutil.copytree(shapes_checkpoints, trained)
    with (trained / "shapes" / "keyframes" / "SHA256SUMS").open("a") as sums:
        sums.write("of a new training\n")
    for other, differing in (
        (RunIdentity.of(replace(SHAPES, name="mine"), suite, "small", shapes_checkpoints, listing), "preset"),
        (RunIdentity.of(fewer_steps, suite, "small", shapes_checkpoints, listing), "stages"),
        (
            RunIdentity.of(SHAPES, Suite("", {"train": 2}), "I3D", shapes_checkpoints, listing),
            "suite, networks",
        ),
        (RunIdentity.of(SHAPES, suite, "small", trained, listing), "checkpoints"),
        (RunIdentity.of(SHAPES, suite, "small", shapes_checkpoints, None), "listing"),
    ):
        with pytest.raises(EvaluationError, match=f"differs in {differing}; choose another folder"):
            bind(folder, other)
    (folder / RUN).unlink()
    (folder / "samples.jsonl").touch()  # of an unknown run
    with pytest.raises(EvaluationError, match="another run"):
        bind(folder, identity)


def test_only_a_truncated_last_line_is_dropped(tmp_path: Path) -> None:
    samples = tmp_path / "samples.jsonl"
    samples.write_text('{"task": "a"}\n{"task": "b"}\n{"ta')
    with samples.open() as before:
        assert read_samples(tmp_path) == [{"task": "a"}, {"task": "b"}]
        drop_cut_line(samples)
        assert samples.read_text() == '{"task": "a"}\n{"task": "b"}\n'
        # The old file is unchanged: a complete new one has taken its place.
        assert before.read().endswith('{"ta')


def test_the_samples_of_all_parts_are_read(tmp_path: Path) -> None:
    for part in ("1/2", "2/2"):
        (tmp_path / Part.read(part).samples).write_text(json.dumps({"task": part}) + "\n")
    (tmp_path / WHOLE.samples).write_text('{"task": "whole"}\n{"cut')
    assert {record["task"] for record in read_samples(tmp_path)} == {"1/2", "2/2", "whole"}


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/", "a/b", "-1/2", "1/2/3"])
def test_only_parts_of_a_whole_are_read(text: str) -> None:
    with pytest.raises(ValueError, match="is no part such as 1/2"):
        Part.read(text)
