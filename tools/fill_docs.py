"""Fill in what the documentation takes from elsewhere: the settings, and every figure of quality.

    python tools/fill_docs.py           # rewrite README.md and docs/
    python tools/fill_docs.py --check   # exit 1 and name what is out of date

Markdown marks a figure or a table, and this script writes what stands between the marks:

    <!-- figure: training/report.json alignment train keyframes all_correct percent -->92 %<!-- /figure -->
    <!-- figure: training/trials.csv autoencoder -->34.0 dB<!-- /figure -->
    <!-- table: settings -->
    <!-- /table -->

Files are named from docs/. A figure of a CSV is the column `value` in the row with that `name`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from docs_tables import DOCS, ROOT, TABLES, figure

BLOCK = re.compile(r"(<!-- (figure|table): (.+?) -->)(.*?)(<!-- /\2 -->)", re.DOTALL)


def pages() -> list[Path]:
    """Return all Markdown files that may hold figures."""
    return [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


def filled(text: str) -> str:
    """Return the text of a page with every marked figure and table as its source has it.

    Raises:
        KeyError: a mark names a file, row or format that does not exist.
    """
    return BLOCK.sub(lambda block: block[1] + _content(block[2], block[3]) + block[5], text)


def _content(kind: str, name: str) -> str:
    return f"\n\n{TABLES[name]()}\n\n" if kind == "table" else figure(name)


def main() -> int:
    """Fill all pages, or check them; return the exit status."""
    check = "--check" in sys.argv[1:]
    stale = [page for page in pages() if filled(page.read_text()) != page.read_text()]
    for page in stale:
        sys.stdout.write(f"{page.relative_to(ROOT)} {'is out of date' if check else 'filled'}\n")
        if not check:
            page.write_text(filled(page.read_text()))
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
