"""The saved state of a run: whole or not at all, and refused where it is another run's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cascade.models.errors import TrainingError
from cascade.models.training.run_state import RunState


def test_parts_are_read_as_they_were_saved(tmp_path: Path) -> None:
    state = RunState(tmp_path / "state")
    assert not state.exists()
    state.save({"seed": 3}, {"step": 5}, stage={"weight": torch.ones(2)})
    assert state.exists()
    assert torch.equal(state.read("stage")["weight"], torch.ones(2))
    assert state.read_run({"seed": 3})["step"] == 5


def test_a_kill_while_a_state_is_replaced_leaves_the_one_of_before(tmp_path: Path) -> None:
    state = RunState(tmp_path / "state")
    state.save({}, {"step": 1})
    state.folder.rename(tmp_path / "state.old")  # killed between the two renames
    assert state.exists()
    assert state.read_run({})["step"] == 1
    (tmp_path / "state.new").mkdir()  # killed while the next one was written
    state.save({}, {"step": 2})
    assert state.read_run({})["step"] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_another_run_is_refused_by_what_differs(tmp_path: Path) -> None:
    state = RunState(tmp_path / "state")
    state.save({"seed": 3, "precision": "no"}, {"step": 5})
    with pytest.raises(TrainingError, match="holds a run whose precision is no, not bf16"):
        state.read_run({"seed": 3, "precision": "bf16"})


def test_a_state_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    """Its parameters had other names; the numbers of the run were in a file `step.pt`."""
    (tmp_path / "state").mkdir()
    torch.save({"step": 5, "seed": 3}, tmp_path / "state" / "step.pt")
    with pytest.raises(TrainingError, match="another version of this program"):
        RunState(tmp_path / "state").read_run({"seed": 3})
