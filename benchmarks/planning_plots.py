"""The pictures of docs/planning.md, from the CSVs in docs/planning/.

python benchmarks/planning_plots.py
"""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from planning_tables import DOCS, read_table

BLUE, ORANGE, GREEN, GREY = "#2a7f9e", "#b7791f", "#4c6b3c", "#999999"
COLOURS = {"steady": BLUE, "bursts": GREEN, "bursts and losses": ORANGE}


def main() -> None:
    """Draw all pictures."""
    draw_scale()
    draw_promise()
    draw_day()


def draw_scale() -> None:
    """Draw price and latency over the jobs of a day."""
    rows = read_table("scale.csv")
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    price, latency = figure.subplots(1, 2)
    for conditions, colour in COLOURS.items():
        own = [row for row in rows if row["conditions"] == conditions]
        jobs = [float(row["jobs_per_day"]) for row in own]
        price.plot(jobs, _column(own, "price_per_1000_jobs"), "o-", color=colour, label=conditions)
        latency.plot(jobs, _column(own, "film_p95_s"), "o-", color=colour, label=conditions)
    floor = [row for row in rows if row["conditions"] == "steady"]
    least = [24_000 * float(row["least_price_per_hour"]) / float(row["jobs_per_day"]) for row in floor]
    price.plot(_column(floor, "jobs_per_day"), least, ":", color=GREY, label="fewest that keep up")
    price.set(xscale="log", ylim=(0, None), xlabel="jobs a day", ylabel="price of 1,000 jobs")
    latency.axhline(180, color=GREY, linestyle=":", label="promise")
    latency.set(xscale="log", ylim=(0, None), xlabel="jobs a day", ylabel="95 % latency of films, s")
    _finish(figure, "scale.png", price, latency)


def draw_promise() -> None:
    """Draw the price of an hour over the promise."""
    rows = read_table("promise.csv")
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    price, devices = figure.subplots(1, 2)
    promises = _column(rows, "promise_s")
    price.step(promises, _column(rows, "price_per_hour"), where="post", color=BLUE)
    price.plot(promises, _column(rows, "price_per_hour"), "o", color=BLUE)
    price.set(xlabel="95 % of the films within, s", ylabel="price of an hour", ylim=(0, None))
    for device, colour in (("small", BLUE), ("large", ORANGE)):
        devices.plot(promises, _column(rows, device), "o-", color=colour, label=f"{device} device")
    devices.set(xlabel="95 % of the films within, s", ylabel="workers", ylim=(0, None))
    _finish(figure, "promise.png", devices)


def draw_day() -> None:
    """Draw a day of a million jobs: what came, how long it took, what waited, and which workers were away."""
    rows = read_table("day.csv")
    hours = _column(rows, "hour")
    figure = Figure(figsize=(9, 7), layout="constrained")
    arrived, latency, waiting, away = figure.subplots(4, 1, sharex=True)
    arrived.plot(hours, _column(rows, "arrived"), color=BLUE)
    arrived.set(ylabel="jobs in ten minutes", ylim=(0, None))
    for kind, colour in (("film", BLUE), ("draft", ORANGE), ("remix", GREEN)):
        latency.plot(hours, _column(rows, f"{kind}_p95_s"), color=colour, label=kind)
    latency.axhline(180, color=BLUE, linestyle=":")
    latency.axhline(60, color=ORANGE, linestyle=":")
    latency.set(ylabel="95 % latency, s", ylim=(0, None))
    waiting.plot(hours, _column(rows, "most_waiting"), color=BLUE)
    waiting.set(ylabel="stages that wait, at most", ylim=(0, None))
    away.plot(hours, _column(rows, "most_workers_away"), color=BLUE)
    away.set(ylabel="workers away, at most", ylim=(0, None), xlabel="hour", xlim=(0, None))
    _finish(figure, "day.png", latency)


def _column(rows: list[dict[str, str]], name: str) -> list[float]:
    return [float(row[name]) for row in rows]


def _finish(figure: Figure, name: str, *with_legend: Axes) -> None:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.yaxis.label.set_fontsize(8)
    for axes in with_legend:
        axes.legend(frameon=False, fontsize=8, loc="upper right")
    figure.savefig(DOCS / name, dpi=90)


if __name__ == "__main__":
    main()
