"""Diversity: what a prompt leaves open, over seeds, beside its distribution in the data.

Of each prompt there are clips of many seeds, and as many times TRUE drawn scenes. A quantity's distance is Wasserstein's: how
far, in the quantity's unit, values must be moved on average to turn one distribution into the other. Some distance remains
between small samples of one distribution; drawn scenes in the place of the generated clips show how much.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cascade.models.evaluation.statistics import Estimate

Array = NDArray[Any]

TRUE = 10
"""Scenes drawn for each generated clip."""
RESAMPLES = 300
KIND = "spread"
"""The kind of the records of a run that hold what is compared."""


def wasserstein(first: Array, second: Array) -> float:
    """Compute the Wasserstein distance of two samples of numbers (n,), (m,): the area between their distribution functions."""
    values = np.sort(np.concatenate([first, second]))
    shares = [np.searchsorted(np.sort(one), values[:-1], side="right") / len(one) for one in (first, second)]
    return float(np.sum(np.abs(shares[0] - shares[1]) * np.diff(values)))


def distances_to_data(records: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, Estimate]]:
    """Yield (stage, figure, estimate) of each quantity, the mean over the prompts.

    `distance of x (stage)` is that of the generated clips from the data, `(data)` that of as many drawn scenes from the others;
    `spread of x (stage)` is the standard deviation as a part of the data's. The 95 % intervals are of resampled seeds and scenes,
    moved by the bias that doubly drawn ones have (Efron, 1979).
    """
    for stage in _stages(records):
        prompts = _values(records, stage)
        for quantity in _quantities(prompts):
            sides = [(made[quantity], true[quantity]) for made, true in prompts.values()]
            # Drawn scenes are independent: the first ones stand for a generated set of the same size.
            drawn = [(true[: len(made)], true[len(made) :]) for made, true in sides]
            yield stage, f"distance of {quantity} (stage)", _estimate(wasserstein, sides)
            yield stage, f"distance of {quantity} (data)", _estimate(wasserstein, drawn)
            yield stage, f"spread of {quantity} (stage)", _estimate(_spread, sides)


def draw_spread(records: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw each prompt's quantities: generated clips' over the data's."""
    stage = _stages(records)[0]
    prompts = _values(records, stage)
    titles = {record["split"]: record["prompt"] for record in records if record["kind"] == KIND}
    quantities = _quantities(prompts)
    figure = Figure(figsize=(3 * len(quantities), 2 * len(prompts)), layout="constrained")
    grid = figure.subplots(len(prompts), len(quantities), squeeze=False)
    for line, (split, (made, true)) in zip(grid, prompts.items(), strict=True):
        for axes, quantity in zip(line, quantities, strict=True):
            title = f"{titles[split]}: {quantity}" if axes is line[0] else quantity
            both = np.concatenate([made[quantity], true[quantity]])
            bins = np.linspace(both.min() - 0.02, both.max() + 0.02, 25)
            axes.hist(true[quantity], bins, density=True, color="#b9c4c9", label="data")
            axes.hist(made[quantity], bins, density=True, histtype="step", color="#c9742b", label=stage)
            axes.set_yticks([])
            axes.set_title(title, fontsize="small", loc="left")
    grid[0, -1].legend(fontsize="small")
    return figure


def _stages(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the stages of which there are records, in their order."""
    spreads = [record for record in records if record["kind"] == KIND]
    return list(dict.fromkeys(stage for record in spreads for stage in record["spreads"]))


def _quantities(prompts: Mapping[str, tuple[dict[str, Array], dict[str, Array]]]) -> list[str]:
    """Return the names of the quantities; none where no clip shows anything."""
    return [name for made, _ in list(prompts.values())[:1] for name in made]


def _values(
    records: Sequence[Mapping[str, Any]], stage: str
) -> dict[str, tuple[dict[str, Array], dict[str, Array]]]:
    """Return the quantities of each split, of generated clips and of drawn scenes; those of clips that show nothing are left out."""
    values: dict[str, tuple[dict[str, Array], dict[str, Array]]] = {}
    for split in dict.fromkeys(record["split"] for record in records if record["kind"] == KIND):
        spreads = [r["spreads"][stage] for r in records if r["kind"] == KIND and r["split"] == split]
        made = [spread["generated"] for spread in spreads if spread["generated"]]
        true = [item for spread in spreads for item in spread["data"] if item]
        if made:
            values[split] = _columns(made), _columns(true)
    return values


def _columns(items: Sequence[Mapping[str, float]]) -> dict[str, Array]:
    return {name: np.array([item[name] for item in items]) for name in items[0]}


def _spread(made: Array, true: Array) -> float:
    """Return the standard deviation of one sample as a part of the other's; 1 where neither varies."""
    return float((made.std() + 1e-9) / (true.std() + 1e-9))


def _estimate(figure: Any, sides: Sequence[tuple[Array, Array]]) -> Estimate:
    """Take the mean of a figure of two samples over the prompts, with an interval from resampled ones."""
    rng = np.random.default_rng(0)

    def resample(sample: Array) -> Array:
        return rng.choice(sample, len(sample))

    value = float(np.mean([figure(*pair) for pair in sides]))
    resampled = np.array(
        [np.mean([figure(*map(resample, pair)) for pair in sides]) for _ in range(RESAMPLES)]
    )
    low, high = np.quantile(resampled, (0.025, 0.975)) - (resampled.mean() - value)
    return Estimate(value, float(low), float(high), sum(len(made) for made, _ in sides))
