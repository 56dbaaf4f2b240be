"""What trainings with a video UNet share: groups of parameters."""

from __future__ import annotations

import pytest
from torch import nn

from cascade.models.errors import TrainingError
from cascade.models.layers.temporal import TemporalLayer
from cascade.models.training.recipe import Phase
from tests.models.families.show1.small_trainings import keyframes_training


def test_a_phase_trains_the_layers_that_it_names() -> None:
    training = keyframes_training()
    names = {name for name, _ in training.unet.named_parameters()}
    temporal = {name for name in names if "temp_convs" in name or "temp_attentions" in name}
    assert 0 < len(temporal) < len(names)
    for trainable, expected in (("temporal", temporal), ("spatial", names - temporal), ("all", names)):
        training.select(Phase(1, 1, trainable))
        learning = {name for name, p in training.unet.named_parameters() if p.requires_grad}
        assert learning == expected
        enabled = {layer.enabled for layer in temporal_layers(training.unet)}
        assert enabled == {trainable != "spatial"}


def temporal_layers(network: nn.Module) -> list[TemporalLayer]:
    layers = [module for module in network.modules() if isinstance(module, TemporalLayer)]
    assert layers
    return layers


def test_a_group_that_there_is_not_is_refused() -> None:
    with pytest.raises(TrainingError, match='no parameters "layers"; choose one of all, spatial, temporal'):
        keyframes_training().select(Phase(1, 1, "layers"))
