"""How much of a prompt is read, told without torch, by each kind of tokenizer that checkpoints have."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from sentencepiece import SentencePieceTrainer
from transformers import AutoTokenizer

from cascade.models.checkpoints.loading import Checkpoints
from cascade.models.presets.shapes import SHAPES
from cascade.models.presets.show1 import SHOW_1
from cascade.models.prompt_length import SHIPPED, unused_text
from cascade.models.runtime.execution import Execution

LONG = (
    "a red circle moving right on a gray background with a small blue square above a large green triangle "
    * 4
)
KEYFRAMES, *_, TRANSLATION = SHAPES.stages


def test_two_prompts_that_differ_in_what_is_not_read_are_one_to_the_encoder(tmp_path: Path) -> None:
    one, other = LONG + "and a cross standing still", LONG + "and nothing else at all"
    encoder = Checkpoints(tmp_path).t5(KEYFRAMES.text_encoder, Execution(device="cpu"))
    assert torch.equal(encoder.encode(one, "").prompt, encoder.encode(other, "").prompt)
    for prompt in (one, other):
        unused = unused_text(prompt, KEYFRAMES, tmp_path)
        assert unused is not None
        assert prompt.endswith(unused)
        used = prompt.removesuffix(unused).strip()
        assert torch.equal(encoder.encode(used, "").prompt, encoder.encode(prompt, "").prompt)
        shorter = used.rpartition(" ")[0]
        assert not torch.equal(encoder.encode(shorter, "").prompt, encoder.encode(prompt, "").prompt)


@pytest.mark.parametrize("spec", SHAPES.stages, ids=lambda spec: spec.name)
def test_the_limit_is_that_of_the_shipped_tokenizer(spec: object, tmp_path: Path) -> None:
    assert isinstance(spec, type(KEYFRAMES))
    tokenizer = AutoTokenizer.from_pretrained(SHIPPED / spec.text_encoder / "tokenizer")
    assert spec.max_prompt_tokens == tokenizer.model_max_length == 64
    words = LONG.split()
    for count in range(1, len(words)):
        prompt = " ".join(words[:count])
        unused = unused_text(prompt, spec, tmp_path)
        assert (unused == "") == (len(tokenizer(prompt)["input_ids"]) <= 64), prompt


def test_prompts_are_told_as_the_encoder_reads_them(tmp_path: Path) -> None:
    prompt = "  " + LONG.upper()
    assert unused_text(prompt, KEYFRAMES, tmp_path) == unused_text(LONG, KEYFRAMES, tmp_path)
    unused = unused_text(prompt, TRANSLATION, tmp_path)
    assert unused
    assert prompt.strip().endswith(unused)


def test_an_empty_prompt_is_read_whole(tmp_path: Path) -> None:
    assert unused_text("", KEYFRAMES, tmp_path) == ""


def write_clip(folder: Path) -> None:
    """Write a tokenizer as Stable Diffusion's first checkpoints have it: letters, and the word `ab` as one token."""
    folder.mkdir(parents=True)
    letters = [letter + end for letter in "abcd" for end in ("", "</w>")]
    tokens = [*letters, "ab</w>", "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: index for index, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\na b</w>\n")


@pytest.mark.parametrize(
    ("limit", "unused"),
    # Two marks, then ab, c, d, a, c.
    [(7, ""), (6, "C"), (5, "AC"), (4, "D ac"), (3, "CD ac"), (2, "Ab  CD ac"), (1, "Ab  CD ac")],
)
def test_clips_byte_pairs_are_read(limit: int, unused: str, tmp_path: Path) -> None:
    write_clip(tmp_path / "some" / "clip" / "tokenizer")
    spec = replace(TRANSLATION, text_encoder="some/clip", max_prompt_tokens=limit)
    expected = {"C": "c", "AC": "ac"}.get(unused, unused)
    assert unused_text("Ab  CD ac", spec, tmp_path) == expected


@pytest.mark.parametrize(("limit", "unused"), [(6, ""), (5, "d"), (4, "cd"), (3, "cd"), (2, "b cd")])
def test_sentence_pieces_are_read(limit: int, unused: str, tmp_path: Path) -> None:
    """One token a letter and one before each word: of `ab cd` these are _, a, b, _, c, d, and the mark of the end."""
    folder = tmp_path / "some" / "t5" / "tokenizer"
    folder.mkdir(parents=True)
    (tmp_path / "sentences.txt").write_text("ab cd\ndc ba\n" * 20)
    SentencePieceTrainer.train(
        input=str(tmp_path / "sentences.txt"),
        model_prefix=str(folder / "spiece"),
        model_type="char",
        vocab_size=8,
        minloglevel=2,
    )
    spec = replace(SHOW_1.stages[0], text_encoder="some/t5", max_prompt_tokens=limit + 1)
    assert unused_text("AB CD", spec, tmp_path) == unused


def test_what_cannot_be_told_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert unused_text("a", replace(KEYFRAMES, max_prompt_tokens=None), tmp_path) is None
    assert unused_text("a", replace(KEYFRAMES, text_encoder="nowhere/to-be-found"), tmp_path) is None
    assert unused_text("a", replace(KEYFRAMES, text_encoder="no hub name"), tmp_path) is None
    (tmp_path / "empty" / "tokenizer").mkdir(parents=True)
    assert unused_text("a", replace(KEYFRAMES, text_encoder="empty"), tmp_path) is None
    (tmp_path / "damaged" / "tokenizer").mkdir(parents=True)
    (tmp_path / "damaged" / "tokenizer" / "tokenizer.json").write_text("{")
    assert unused_text("a", replace(KEYFRAMES, text_encoder="damaged"), tmp_path) is None


def test_it_needs_no_torch() -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from cascade.models.presets.shapes import SHAPES\n"
        "from cascade.models.prompt_length import unused_text\n"
        "print(unused_text('a red circle ' * 40, SHAPES.stages[0], Path('checkpoints')) != '')\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
