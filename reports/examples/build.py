"""Renders the example pages from recorded runs; nothing is drawn, trained or read.

`python reports/examples/build.py` rebuilds them from `record.tar.xz`;
`python reports/examples/build.py --record FOLDER` first records a finished `emdiag demo`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from emdiag.demonstration.plan import FILE, DemoMeasurements
from emdiag.demonstration.story import tell
from emdiag.publish.report import result_page
from emdiag.reports.render import write_page
from emdiag.store.files import read_result
from emdiag.store.session import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emdiag.core.records import Result

HERE = Path(__file__).resolve().parent
RECORD = HERE / "record.tar.xz"
FOLDER = "emdiag-demo"
"""What the recorded folder is called: paths in the record begin with it."""

KEPT = ("*.json", "*.jsonl")
LEFT_OUT = ("entropies-", "traces", "pairs", "held_out")
"""Files that no page needs, beside everything that is no text, such as weights."""


def build(target: Path) -> list[Path]:
    """Write every example page into `target`; returns where they are."""
    with recorded() as folder:
        found = read_result(folder / FILE, DemoMeasurements)
        session = open_session(FOLDER, home="home", command=("emdiag", "demo"))
        pages = [tell(found, target / "study.html", session=session)]
        parts: dict[str, Result] = {
            "evaluation": found.scores,
            "sweep": found.sweep,
            "logits": found.logits,
        }
        for name, result in parts.items():
            page = result_page(result, open_session(FOLDER, home="home"))
            pages.append(write_page(page, target / f"{name}.html"))
    return pages


@contextlib.contextmanager
def recorded() -> Iterator[Path]:
    """The recorded folder, with the working directory beside it, as when it was made."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as place:
        with tarfile.open(RECORD) as archive:
            archive.extractall(place, filter="data")
        os.chdir(place)
        try:
            yield Path(place) / FOLDER
        finally:
            os.chdir(before)


def record(folder: Path) -> None:
    """Put what pages need of a finished demonstration into the record, its paths made relative."""
    files = sorted({file for pattern in KEPT for file in folder.rglob(pattern)})
    with tarfile.open(RECORD, "w:xz", preset=9) as archive:
        for file in files:
            relative = file.relative_to(folder)
            if any(part.startswith(LEFT_OUT) for part in relative.parts):
                continue
            if any(part.startswith("logits-") for part in relative.parts) and (
                file.name != "provenance.jsonl"
            ):
                continue
            content = file.read_bytes()
            for place in (folder.parent, HERE.parents[1]):
                content = content.replace(f"{place}/".encode(), b"")
            entry = tarfile.TarInfo(f"{FOLDER}/{relative}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def main() -> None:
    """Record if asked to, then build."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, help="Folder of a finished `emdiag demo`.")
    parser.add_argument("--out", type=Path, default=HERE, help="Folder of the pages.")
    arguments = parser.parse_args()
    if arguments.record is not None:
        record(arguments.record.resolve())
    for _page in build(arguments.out.resolve()):
        pass


if __name__ == "__main__":
    main()
