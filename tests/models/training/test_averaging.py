"""The moving average of the weights."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cascade.models.training.averaging import WeightAverage, saved_average


def weight(value: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor([value]))


def test_the_average_moves_by_the_warm_up_of_its_decay() -> None:
    parameter = weight(0.0)
    average = WeightAverage([parameter], decay=0.999)
    for value in (1.0, 3.0):
        parameter.data.fill_(value)
        average.update()
    # Decay 0 at the first step, then 1 - (1 + 1)^(-2/3) = 0.37004: 0.37004 * 1 + 0.62996 * 3 = 2.25992.
    with average.applied():
        assert parameter.item() == pytest.approx(2.25992, abs=1e-4)
        assert not torch.is_grad_enabled()
    assert parameter.item() == 3.0
    assert torch.is_grad_enabled()


def test_the_weights_are_given_back_after_a_fault() -> None:
    parameter = weight(0.0)
    average = WeightAverage([parameter], decay=0.999)
    parameter.data.fill_(5.0)
    with pytest.raises(RuntimeError, match="in the middle"), average.applied():
        assert parameter.item() == 0.0
        raise RuntimeError("in the middle")
    assert parameter.item() == 5.0


def test_a_saved_average_goes_on() -> None:
    parameter = weight(1.0)
    average = WeightAverage([parameter], decay=0.999)
    parameter.data.fill_(2.0)
    average.update()
    other = weight(7.0)
    loaded = WeightAverage([other], decay=0.999)
    loaded.load(average.state())
    assert [tensor.item() for tensor in saved_average(loaded.state())] == [2.0]
    for one, own in ((average, parameter), (loaded, other)):
        own.data.fill_(4.0)
        one.update()
    assert torch.equal(saved_average(average.state())[0], saved_average(loaded.state())[0])
