"""Prompt cleaning of the published pixel stages (DeepFloyd IF): markup, links, file names and noise removed."""

from __future__ import annotations

import html
import re
from urllib.parse import unquote_plus

import ftfy
from bs4 import BeautifulSoup

REMOVED = (
    r"\b(?:https?:/{0,2}|www\.)\S+",
    r"@[\w\d]+\b",
    r"[㇀-㇯ㇰ-ㇿ㈀-㋿㌀-㏿㐀-䶿䷀-䷿一-鿿]+",
    r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}",
    r"\d:\d\d\s*$",
    r"\\n",
    r"#\d{1,3}\b",
    r"#\d{5,}\b",
    r"\b\d{6,}\b",
    r"\S+\.(?:png|jpg|jpeg|bmp|webp|eps|pdf|apk|mp4)\b",
    r"\b[a-zA-Z]{1,3}\d{3,15}\b",
    r"\b[a-zA-Z]+\d+[a-zA-Z]+\b",
    r"\b\d+[a-zA-Z]+\d+\b",
    r"\b(?:worldwide\s+)?(?:free\s+)?shipping\b",
    r"\b(?:free\s)?download(?:\sfree)?\b",
    r"\bclick\b\s(?:for|on)\s\w+",
    r"\b(?:image|img|photo)s?(?:\sfrom)?\s\d+\b",
    r"\b\d+(?:[.,]\d+)?\s?[xх×]\s?\d+(?:[.,]\d+)?\b",
)
DASHES = r"[\u002D\u058A\u05BE\u1400\u1806\u2010-\u2015\u2E17\u2E1A\u2E3A\u2E3B\u2E40\u301C\u3030\u30A0\uFE31\uFE32\uFE58\uFE63\uFF0D]+"
QUOTES = {"`": '"', "´": '"', "«": '"', "»": '"', "“": '"', "”": '"', "¨": '"', "‘": "'", "’": "'"}


def clean_caption(text: str) -> str:
    """One pass of cleaning; the published pipelines run it twice, since it uncovers new matches."""
    text = unquote_plus(str(text)).strip().lower()
    text = re.sub("<person>", "person", text)
    text = BeautifulSoup(text, features="html.parser").text
    for pattern in REMOVED[:3]:
        text = re.sub(pattern, "", text)
    text = re.sub(DASHES, "-", text)
    for quote, plain in QUOTES.items():
        text = text.replace(quote, plain)
    text = re.sub(r"&quot;?|&amp", "", text)
    for pattern in REMOVED[3:]:
        text = re.sub(pattern, " ", text)
    text = re.sub(r"[\"\']{2,}", '"', text)
    text = re.sub(r"[.]{2,}|\s+\.\s+", " ", text)
    if len(re.findall(r"[-_]", text)) > 3:
        text = re.sub(r"[-_]", " ", text)
    text = html.unescape(html.unescape(ftfy.fix_text(text)))
    text = re.sub(r"\bpage\s+\d+\b", "", text)
    text = re.sub(r"\b\s+:\s+", ": ", text)
    text = re.sub(r"(\D[,./])\b", r"\1 ", text)
    text = re.sub(r"\s+", " ", text).strip()
    text = re.sub(r"^[\"\']([\w\W]+)[\"\']$", r"\1", text)
    text = re.sub(r"^[\'\_,\-:;]|[\'\_,\-:+]$", "", text)
    return re.sub(r"^\.\S+$", "", text).strip()
