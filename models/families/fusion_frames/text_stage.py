"""What the stages with a text-conditioned UNet load alike."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

from cascade.models.checkpoints.files import Requirement
from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.diffusion.schedules import Scheduler
from cascade.models.families.fusion_frames.networks import TextProjections, TextUNet
from cascade.models.families.fusion_frames.sampler import scheduler_parts, stage_sampler
from cascade.models.families.fusion_frames.text import MaskedT5Encoder, TextProjection
from cascade.models.presets.spec import StageOptions, StageSpec
from cascade.models.runtime.device import resident, resolve_device
from cascade.models.runtime.execution import Execution
from cascade.models.stage import Stage
from cascade.models.text.encoders import LazyEncoder, PromptEncoder

if TYPE_CHECKING:
    from collections.abc import Iterator

OptionsT = TypeVar("OptionsT", bound=StageOptions)
NetworkT = TypeVar("NetworkT", bound=TextUNet)


class TextStage(Stage[OptionsT], Generic[OptionsT, NetworkT]):
    """Holds the parts; the stages add what they do with them.

    Attributes:
        kind: the class of the network.
        projections: of the text, where they lie beside the network.
    """

    kind: ClassVar[type[Any]]

    def __init__(
        self,
        network: NetworkT,
        projections: TextProjections | None,
        scheduler: Scheduler,
        text: PromptEncoder,
        execution: Execution,
    ) -> None:
        self.network, self.projections, self.scheduler = network, projections, scheduler
        self.text, self.execution = text, execution
        self.device = resolve_device(execution)

    @classmethod
    def load(cls, spec: StageSpec[OptionsT], checkpoints: Checkpoints, execution: Execution) -> Self:
        options: Any = spec.options
        projections = None
        if options.text_projections is not None:
            projections = checkpoints.network(
                spec.checkpoint, TextProjections, execution, options.text_projections
            )
        return cls(
            checkpoints.network(spec.checkpoint, cls.kind, execution, options.unet),
            projections,
            stage_sampler(spec, checkpoints),
            masked_t5(spec, checkpoints, execution),
            execution,
        )

    @classmethod
    def requirements(cls, spec: StageSpec[OptionsT]) -> tuple[Requirement, ...]:
        options: Any = spec.options
        networks: dict[str, Any] = {options.unet: cls.kind}
        if options.text_projections is not None:
            networks[options.text_projections] = TextProjections
        return (
            Requirement(spec.checkpoint, (*networks, *scheduler_parts(spec)), networks),
            Requirement(spec.text_encoder, ("text_encoder", "tokenizer")),
        )

    @property
    def projection(self) -> TextProjection | None:
        """The projection of the text; None where the network is not told the prompt."""
        return self.network.projection if self.projections is None else self.projections.projection_base

    @contextmanager
    def on_device(self) -> Iterator[None]:
        """Have the networks on their device while they are used."""
        with ExitStack() as networks:
            for network in (self.network, self.projections):
                if network is not None:
                    networks.enter_context(resident(network, self.execution))
            yield


def masked_t5(spec: StageSpec[Any], checkpoints: Checkpoints, execution: Execution) -> PromptEncoder:
    """Make the encoder that a spec names; it is loaded at its first use."""

    def load() -> MaskedT5Encoder:
        t5 = checkpoints.t5(spec.text_encoder, execution)
        return MaskedT5Encoder(t5.tokenizer, t5.encoder, t5.execution)

    return LazyEncoder(load)
