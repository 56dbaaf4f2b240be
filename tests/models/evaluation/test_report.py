"""Reports: figures, intervals, comparisons and plots."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from PIL import Image

from cascade.models.errors import EvaluationError
from cascade.models.evaluation.plot import Row, plot
from cascade.models.evaluation.report import compare, summarise, write_report
from cascade.models.evaluation.run_folder import RUN
from cascade.models.evaluation.statistics import Estimate, mean


def _write(folder: Path, networks: str, rows: list[Row], monkeypatch: pytest.MonkeyPatch) -> Path:
    folder.mkdir()
    (folder / RUN).write_text(json.dumps({"networks": networks}))
    monkeypatch.setattr("cascade.models.evaluation.report.summarise", lambda _: rows)
    write_report(folder, "title", "What the suite is.", [])
    return folder


def test_the_psnr_of_all_clips_together_comes_from_their_mean_error() -> None:
    """Errors of 0.04 and 0 in [-1, 1]: 10 log10(4 / 0.02) = 23.01 dB, whatever the PSNR of the still clip is."""
    records = [
        {
            "kind": "reconstruction",
            "split": "train",
            "stages": {"interpolation": {"stage": {"squared error": error}}},
        }
        for error in (0.04, 0.0)
    ]
    (row,) = summarise(records)
    assert row[3] == "psnr of all together (stage)"
    assert row[4].value == pytest.approx(23.0103)
    assert row[4].high == 60  # the interval reaches an error of nothing


def test_figures_whose_intervals_do_not_meet_are_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fréchet distances of different numbers of samples are never marked."""
    all_correct, similarity = ("alignment", "train", "keyframes", "all_correct"), ("listed", "list", "x", "y")
    score, one_sample = ("distribution", "all", "keyframes", "FVD"), ("listed", "list", "x", "one sample")
    few: list[Row] = [
        (*all_correct, Estimate(0.2, 0.1, 0.3, 10)),
        (*similarity, Estimate(0.2, 0.1, 0.3, 10)),
        (*score, Estimate(9, 8, 10, 10)),
        (*one_sample, mean([1.0])),
    ]
    many: list[Row] = [
        (*all_correct, Estimate(0.8, 0.7, 0.9, 20)),
        (*similarity, Estimate(0.3, 0.2, 0.4, 20)),
        (*score, Estimate(2, 1, 3, 20)),
        (*one_sample, mean([2.0])),
    ]
    first = _write(tmp_path / "few", "I3D", few, monkeypatch)
    second = _write(tmp_path / "many", "I3D", many, monkeypatch)
    apart = [line.split(" | ")[0] for line in compare(first, second).splitlines() if "| yes |" in line]
    assert apart == ["| alignment · train · keyframes · all_correct"]
    as_many = [row if row[:4] != score else (*score, Estimate(2, 1, 3, 10)) for row in many]
    third = _write(tmp_path / "as many", "I3D", as_many, monkeypatch)
    assert compare(first, third).count("| yes |") == 2
    by_others = _write(tmp_path / "others", "small network", many, monkeypatch)
    with pytest.raises(EvaluationError, match="different networks"):
        compare(first, by_others)
    for name in ("report.md", "report.html"):
        assert "What the suite is." in (first / name).read_text()


def test_an_infinite_interval_is_written_as_null_and_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _write(tmp_path / "one", "I3D", [("listed", "list", "keyframes", "x", mean([1.0]))], monkeypatch)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    (row,) = json.loads((folder / "report.json").read_text(), parse_constant=refuse)["rows"]
    assert (row["value"], row["low"], row["high"]) == (1, None, None)
    assert "1.000 [-inf, inf] of 1" in compare(folder, folder)


def test_every_figure_has_its_own_panel() -> None:
    """Two rows of two panels are twice as high as one."""
    one: list[Row] = [
        ("a", "train", "keyframes", "x", mean([1.0])),
        ("a", "train", "keyframes", "y", mean([1.0])),
    ]
    four = [
        *one,
        *(
            ("b", "all", "keyframes", f"{figure} ({way})", mean([1.0, 2.0]))
            for figure in ("u", "v")
            for way in ("stage", "plain")
        ),
    ]
    heights = [Image.open(io.BytesIO(plot(rows))).height for rows in (one, four)]
    assert heights[1] == pytest.approx(2 * heights[0], abs=30)
