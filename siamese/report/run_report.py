"""Write the report of a run: one HTML file that needs nothing else, and its pictures as PNG."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from siamese.errors import UserError
from siamese.report.curves import draw_loss, draw_metrics
from siamese.report.drawing import to_png
from siamese.report.encoder_diagram import draw_encoder
from siamese.report.pair_plots import (
    draw_precision_recall,
    draw_reliability,
    draw_roc,
    draw_similarities,
)
from siamese.report.run_contents import RunContents, read_run
from siamese.report.run_page import page
from siamese.storage.filesystem import path_of
from siamese.storage.folder import Folder
from siamese.storage.local_copy import naming
from siamese.storage.output import saving
from siamese.training.run_folder import RunFolder


def write_report(run: str | Path) -> str | Path:
    """Write `report.html` and `pictures/*.png` into a run's folder.

    A run that still trains gets a report of its epochs so far. The same folder gives the same
    bytes. Each file is written whole or not at all, the page last.

    Args:
        run: the run's folder, a path or URI.

    Returns:
        The path or URI of `report.html`.

    Raises:
        UserError: it is not the folder of a run, or the run has no finished epoch yet, or a file
            of it is missing or damaged, or its `pictures` is a link that leads out of it.
    """
    contents = _read(run)
    panels, pictures = _draw(contents)
    files = {f"pictures/{name}.png": picture for name, picture in pictures.items()}
    files["report.html"] = page(contents, panels).encode()
    for name, content in files.items():
        with saving(_inner(run, name)) as beside:
            beside.write_bytes(content)
    return _inner(run, "report.html")


def _read(run: str | Path) -> RunContents:
    path = path_of(run)
    if path is not None:
        contents = read_run(path)
        if not (path / "pictures").resolve().is_relative_to(path.resolve()):
            raise UserError(f"{path / 'pictures'}: is a link out of the run's folder. Remove it.")
        return contents
    folder = RunFolder.open(str(run))  # a copy, which goes with the object
    with naming(str(run), folder.path):
        return replace(read_run(folder.path), name=Folder(run).name)


def _inner(run: str | Path, name: str) -> str | Path:
    path = path_of(run)
    return str(Folder(run) / name) if path is None else path / name


def _draw(run: RunContents) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Draw the page's panels, one by one so that a phone can stack them, and the pictures."""
    best = run.encoder.metrics
    judged: dict[str, Any] = {
        "scores": run.scores,
        "labels": run.labels,
        "threshold": run.encoder.threshold,
    }
    loss = partial(draw_loss, lines=run.train, best_step=best["step"])
    metrics = partial(
        draw_metrics,
        evaluations=run.evaluations,
        best_epoch=best["epoch"],
        chosen=run.recipe.evaluation.metric,
    )
    similarities = partial(draw_similarities, **judged, similarity=run.recipe.evaluation.similarity)
    roc, precision = partial(draw_roc, **judged), partial(draw_precision_recall, **judged)
    reliability = partial(draw_reliability, **judged, calibrator=run.encoder.calibrator)
    wide, square = (5.2, 4.4), (4.5, 5.2)
    # Those of a single panel are the same in both.
    single = {
        "similarities": to_png([similarities], 5.6, 4.4),
        "reliability": to_png([reliability], 5.2, 4.4),
        "encoder": draw_encoder(run.encoder),
    }
    panels = {
        "loss": to_png([loss], *wide),
        "metrics": to_png([metrics], *wide),
        "roc": to_png([roc], *square),
        "precision": to_png([precision], *square),
        **single,
    }
    pictures = {
        "curves": to_png([loss, metrics], *wide),
        "roc_pr": to_png([roc, precision], *square),
        **single,
    }
    return panels, pictures
