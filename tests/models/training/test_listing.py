"""Lists of videos and captions, as people write them."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import pytest

from cascade.models.errors import VideoFileError
from cascade.models.training.listing import Columns, read_listing
from cascade.models.training.video_files import VideoFiles
from tests.models.training.recordings import grays, record

PAIRS = [("a.mp4", "a red circle, moving"), ("Ünicode b.mp4", 'it says "go"; twice')]
COMMAS = 'video,caption\na.mp4,"a red circle, moving"\nÜnicode b.mp4,"it says ""go""; twice"\n'


def pairs(path: Path, columns: Columns | None = None) -> list[tuple[str, str]]:
    return [(entry.path.name, entry.caption) for entry in read_listing(path, columns or Columns())]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.csv", COMMAS.encode()),
        ("LIST.CSV", COMMAS.encode()),
        ("list", COMMAS.encode()),
        ("list.csv", codecs.BOM_UTF8 + COMMAS.encode()),
        ("list.csv", COMMAS.replace("\n", "\r\n").encode("utf-16")),
        ("list.csv", COMMAS.encode("utf-16-le")),
        ("list.csv", codecs.BOM_UTF16_BE + COMMAS.encode("utf-16-be")),
        ("list.csv", COMMAS.encode("utf-32")),
        ("list.csv", b'video;caption\na.mp4;a red circle, moving\n"\xc3\x9cnicode b.mp4";"it says ""go""; twice"\n'),
        ("list.csv", b'sep=;\nvideo;caption\na.mp4;a red circle, moving\n\xc3\x9cnicode b.mp4;"it says ""go""; twice"'),
        ("list.csv", b'"sep=;"\r\nvideo;caption\na.mp4;a red circle, moving\n\xc3\x9cnicode b.mp4;"it says ""go""; twice"'),
        ("list.csv", b'sep=\t\nvideo\tcaption\na.mp4\ta red circle, moving\n\xc3\x9cnicode b.mp4\t"it says ""go""; twice"'),
        ("list.tsv", b'video\tcaption\na.mp4\ta red circle, moving\n\xc3\x9cnicode b.mp4\t"it says ""go""; twice"\n'),
        ("list.txt", b'id|Caption| Video \n1|a red circle, moving|a.mp4\n\n2|"it says ""go""; twice"|\xc3\x9cnicode b.mp4\n'),
        ("list.csv", COMMAS.replace(",", ", ").replace("circle, ", "circle,").encode()),
        ("list.csv", COMMAS.replace("red circle", "red\ncircle").encode()),
        ("list.csv", COMMAS.replace("it says", "it\u2028says").replace("red circle", "red\x0c\x85circle").encode()),
        ("list.json", json.dumps([{"video": v, "caption": c} for v, c in PAIRS], indent=1).encode()),
        ("list.jsonl", "\n\n".join(json.dumps({"video": v, "caption": c}) for v, c in PAIRS).encode("utf-16")),
        ("list.JSON", "\n".join(json.dumps({"video": v, "caption": c}, indent=2) for v, c in PAIRS).encode()),
        ("list.txt", codecs.BOM_UTF8 + json.dumps([{"video": v, "caption": [c]} for v, c in PAIRS]).encode()),
    ],
)  # fmt: skip
def test_the_same_list_in_every_form(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert pairs(tmp_path / name) == PAIRS


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Path;Text\na.mp4;x\n")
    (tmp_path / "a.json").write_text('[{"path": "a.mp4", "text": "x"}]')
    for name in ("a.csv", "a.json"):
        assert pairs(tmp_path / name, Columns("path", "text")) == [("a.mp4", "x")]
        with pytest.raises(VideoFileError, match=r"(?i)names path, text; say which .* --video-column"):
            pairs(tmp_path / name)


def test_a_video_may_have_several_captions(tmp_path: Path) -> None:
    (tmp_path / "columns.csv").write_text("video,caption,caption,caption\na.mp4,x,,y\nb.mp4,z,,\n")
    (tmp_path / "array.json").write_text(
        '[{"video": "a.mp4", "caption": ["x", "y"]}, {"video": "b.mp4", "caption": "z"}]'
    )
    (tmp_path / "plural.jsonl").write_text(
        '{"video": "a.mp4", "captions": ["x", "y"]}\n{"video": "b.mp4", "captions": ["z"]}\n'
    )
    (tmp_path / "rows.csv").write_text("video,caption\na.mp4,x\na.mp4,y\nb.mp4,z\n")
    for name in ("columns.csv", "array.json", "plural.jsonl", "rows.csv"):
        assert pairs(tmp_path / name) == [("a.mp4", "x"), ("a.mp4", "y"), ("b.mp4", "z")]


def test_paths_may_be_written_with_backslashes(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    record(tmp_path / "clips" / "a.mp4", grays(4))
    (tmp_path / "list.csv").write_text("video,caption\nclips\\a.mp4,x\n")
    assert read_listing(tmp_path / "list.csv")[0].path == tmp_path.resolve() / "clips" / "a.mp4"


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.csv", b"", "lists no videos"),
        ("a.csv", b"video,caption\n\n\n", "lists no videos"),
        ("a.json", b"[]", "lists no videos"),
        ("a.csv", b"a.mp4,x\n", "line 1 of .*a.csv needs a video and a caption, but names a.mp4, x"),
        ("a.csv", b"video,caption\na.mp4,x\nb.mp4,red, then green\n", r"line 3 of .* has 3 fields .* quotes"),
        ("a.csv", b'video,caption\na.mp4,"x\ny"\n,z\n', "line 4 of .* needs a video"),
        ("a.csv", b'video,caption\na.mp4,x\nb.mp4,"never closed\nc.mp4,z\n', "line 3 of .* is not a row"),
        ("a.csv", b"video,caption\na.mp4\n", "line 2 of .* needs a video and a caption"),
        ("a.csv", b"video,caption\na.mp4,x\nb.mp4,\xe9t\xe9\n", "line 3 of .* is not UTF-8; save"),
        ("a.csv", b"video,caption\n../a.mp4,x\n", 'line 2 of .*"../a.mp4" leads out of'),
        ("a.csv", b"\x89PNG\r\n\x1a\n\0\0\xff", "is not|needs a video"),
        ("a.json", b'[{"video": "a.mp4", "caption": "x"}, 5]', "entry 2 of .* is not an object"),
        ("a.json", b'[{"video": "a.mp4", "caption": 5}]', "entry 1 of .*must be texts"),
        ("a.json", b'[{"video": ["a.mp4"], "caption": "x"}]', "entry 1 of .*must be texts"),
        ("a.json", b'[{"video": "a.mp4", "caption": []}]', "entry 1 of .* needs a video and a caption"),
        ("a.csv", b"video,caption\na.mp4,x\n" + b"b" * 5000 + b",y\n", r"line 3 of .*: 'b+' is no file name"),
        ("a.csv", b"video,caption\na\0.mp4,x\n", "line 2 of .* is no file name"),
        ("a.json", b"[" * 100_000, "line 1 of .* is not JSON"),
        ("a.json", b'[{"video": "a.mp4", "caption": "\\ud800"}]', "entry 1 of .*must be texts"),
        ("a.jsonl", b'{"video": "a.mp4", "caption": "x"}\n{"video": "b', "line 2 of .* is not JSON"),
        ("a.jsonl", b'{"video": "a.mp4", "caption": null}', "line 1 of .* needs a video and a caption"),
    ],
)  # fmt: skip
def test_what_is_refused_is_named(name: str, content: bytes, fault: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VideoFileError, match=fault):
        read_listing(tmp_path / name)


def test_a_list_that_is_a_folder_or_missing_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone.csv"):
        with pytest.raises(VideoFileError, match="cannot be read"):
            read_listing(path)


def test_the_videos_of_a_list_are_counted_before_they_are_used(tmp_path: Path) -> None:
    record(tmp_path / "good.mp4", grays(8))
    record(tmp_path / "short.mp4", grays(3))
    (tmp_path / "empty.mp4").touch()
    rows = ["good.mp4,x", "good.mp4,y", "short.mp4,z", "empty.mp4,z", "gone.mp4,z"]
    (tmp_path / "list.csv").write_text("\n".join(["video,caption", *rows]))
    check = VideoFiles(tmp_path / "list.csv", frames=4, height=16, width=16).check()
    assert ([path.name for path in check.usable], check.captions) == (["good.mp4"], 2)
    assert {path.name: reason for path, reason in check.unusable.items()} == {
        "short.mp4": "has 3 frames; 4 are needed",
        "empty.mp4": "is empty",
        "gone.mp4": "does not exist",
    }
    by_time = VideoFiles(tmp_path / "list.csv", frames=4, height=16, width=16, fps=16).check()
    assert [path.name for path in by_time.usable] == ["good.mp4", "short.mp4"]
