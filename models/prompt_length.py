"""How much of a prompt a stage's text encoder reads. Never imports torch: the gateway asks before a job is queued.

A text encoder reads a fixed number of tokens and is not shown what stands behind them.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from cascade.models.checkpoints.parts import find_part
from cascade.models.presets.spec import AnyStageSpec

SHIPPED = Path(__file__).parent / "weights"
CLIP_WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


class Tokens(Protocol):
    """A tokenizer.

    Attributes:
        marks: how many tokens it adds, for beginning and end.
    """

    marks: int

    def rest(self, text: str, count: int) -> str:
        """Return the text behind its first `count` tokens."""
        ...


def unused_text(prompt: str, spec: AnyStageSpec, checkpoints: Path) -> str | None:
    """Return the end of a prompt that the stage's text encoder does not read.

    Args:
        prompt: as the user wrote it; a negative prompt likewise.
        spec: of the stage; `max_prompt_tokens` is its limit.
        checkpoints: folder of local checkpoints.
    Returns:
        The text that is not used, in lower case where the encoder reads it so; empty if all is read. None where that cannot be
        told here: the limit is not known, or the tokenizer or the package that reads it is not on this machine.
    """
    if spec.max_prompt_tokens is None:
        return None
    folder = _tokenizer_folder(spec.text_encoder, checkpoints)
    if folder is None:
        return None
    try:
        tokens = _read_tokens(folder)
    except ImportError:
        return None
    if tokens is None:
        return None
    text = prompt.lower().strip() if spec.options.lowers_prompts else prompt
    return tokens.rest(text, max(spec.max_prompt_tokens - tokens.marks, 0)).strip()


def _tokenizer_folder(name: str, checkpoints: Path) -> Path | None:
    """Find the folder `tokenizer` of a checkpoint: a local one, a shipped one, or one in the hub's cache."""
    for place in (checkpoints, SHIPPED):
        if (place / name).is_dir() and (folder := find_part(place / name, "tokenizer")).is_dir():
            return folder
    try:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError
    except ImportError:
        return None
    files = ("tokenizer.json", "vocab.json", "spiece.model")
    for file in (*(f"tokenizer/{file}" for file in files), *files):
        try:
            found = try_to_load_from_cache(name, file)
        except HFValidationError:
            return None
        if isinstance(found, str):
            return Path(found).parent
    return None


@lru_cache(maxsize=8)
def _read_tokens(folder: Path) -> Tokens | None:
    """Read a tokenizer in one of the forms that checkpoints have. Raises ImportError where its package is missing."""
    try:
        if (folder / "tokenizer.json").is_file():
            return _FastTokens.read(folder / "tokenizer.json")
        if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
            return _FastTokens.clip(folder)
        if (folder / "spiece.model").is_file():
            return _SentencePieces(folder / "spiece.model")
    except ImportError:
        raise
    except (
        Exception
    ):  # a damaged file: each library has its own errors, and whoever loads the checkpoint names it
        return None
    return None


class _FastTokens:
    """A tokenizer of the library `tokenizers`."""

    def __init__(self, tokenizer: object) -> None:
        self._tokenizer = tokenizer
        self.marks = len(tokenizer.encode("").ids)  # type: ignore[attr-defined]

    @classmethod
    def read(cls, file: Path) -> _FastTokens:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(file))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        return cls(tokenizer)

    @classmethod
    def clip(cls, folder: Path) -> _FastTokens:
        """CLIP's byte pairs, as its first checkpoints have them: a vocabulary and merges."""
        from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

        vocabulary = json.loads((folder / "vocab.json").read_text("utf-8"))
        lines = (folder / "merges.txt").read_text("utf-8").splitlines()
        merges = [(left, right) for left, _, right in (line.partition(" ") for line in lines) if right]
        merges = [pair for pair in merges if not pair[0].startswith("#version")]
        first, last = "<|startoftext|>", "<|endoftext|>"
        tokenizer = Tokenizer(
            models.BPE(vocabulary, merges, end_of_word_suffix="</w>", unk_token=last, fuse_unk=False)
        )
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
        )
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(CLIP_WORDS), behavior="removed", invert=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False),
            ]
        )
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{first} $A {last}", special_tokens=[(mark, vocabulary[mark]) for mark in (first, last)]
        )
        return cls(tokenizer)

    def rest(self, text: str, count: int) -> str:
        encoding = self._tokenizer.encode(text)  # type: ignore[attr-defined]
        marked = zip(encoding.offsets, encoding.special_tokens_mask, strict=True)
        starts = [start for (start, _), mark in marked if not mark]
        return text[starts[count] :] if len(starts) > count else ""


class _SentencePieces:
    """A tokenizer of the library `sentencepiece`, as T5 has it: a mark at the end alone."""

    marks = 1

    def __init__(self, file: Path) -> None:
        from sentencepiece import SentencePieceProcessor

        self._processor = SentencePieceProcessor(model_file=str(file))

    def rest(self, text: str, count: int) -> str:
        rest: str = self._processor.DecodePieces(self._processor.EncodeAsPieces(text)[count:])
        return rest
