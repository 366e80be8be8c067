"""What the page says of clustering: the values of each layer, and what sharing them buys beside the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from trimtab.reporting import _formats as formats
from trimtab.reporting._against import difference, predictions_of
from trimtab.reporting._clustering import Clustering, LayerValues
from trimtab.reporting._comparing import ancestors
from trimtab.reporting._data import ReportData, ResultRow, Step
from trimtab.reporting._steps import origin

__all__ = ["clustering_sections", "side_by_side"]

_BITS = 32  # of a float
_STARTS = {
    "kmeans++": "k-means, begun far apart (k-means++)",
    "linear": "k-means, begun evenly spread",
    "density": "k-means, begun with as many weights for each",
}
_GRADIENTS = {
    "sum": "the sum of the gradients of its weights",
    "mean": "the mean of the gradients of its weights",
}
_DONE = {
    "prune": "pruned",
    "prune_channels": "fewer channels",
    "cluster": "clustered",
    "quantize_aware": "quantize-aware",
    "distill": "taught",
    "train": "trained on",
}


def clustering_sections(data: ReportData) -> list[dict[str, Any]]:
    """Returns what the template shows of each step that clustered weights."""
    return [_section(step, step.clustering) for step in data.steps if step.clustering is not None]


def _section(step: Step, clustering: Clustering) -> dict[str, Any]:
    return {
        "name": step.name,
        "source": step.source or "the model",
        "facts": _facts(clustering),
        "layers": [_layer(layer) for layer in clustering.layers],
    }


def _facts(clustering: Clustering) -> list[tuple[str, str]]:
    """Returns how values are shared and what it bought, as pairs of words."""
    before, after = clustering.gzip_before, clustering.gzip_after
    bought = ""
    if before and after:
        bought = f"{formats.size(before)} → {formats.size(after)}, {formats.times(before / after)} smaller"
    facts = [
        ("Values", f"{clustering.clusters} a {clustering.per}, zero included" if clustering.clusters else ""),
        ("Found by", _STARTS.get(clustering.init, clustering.init)),
        ("A value learns from", _GRADIENTS.get(clustering.gradients, clustering.gradients)),
        ("Entropy", f"{clustering.bits:.2f} bits a weight" if clustering.bits is not None else ""),
        ("All weights, gzipped", bought),
    ]
    return [(name, value) for name, value in facts if value]


def _layer(layer: LayerValues) -> dict[str, str]:
    """Returns the values of a layer as text."""
    return {
        "name": layer.name,
        "weight": layer.weight,
        "size": f"{layer.size:,}",
        "different": f"{layer.values:,}",
        "zeros": formats.share(layer.zeros / layer.size) if layer.size else formats.NOTHING,
        "bits": formats.NOTHING if layer.bits is None else f"{layer.bits:.2f}",
        "of_float": formats.NOTHING if layer.bits is None else formats.share(layer.bits / _BITS),
        "error": formats.percent(layer.error),
    }


def side_by_side(data: ReportData) -> list[dict[str, Any]]:
    """Returns plain, pruned, clustered and both by gzip size and accuracy: a table for each scheme.

    The tables hold the files of all models that go back to the one which was clustered; where none of a
    clustered model was measured, the Keras models.
    """
    roots = {_line(data, step.name)[-1].name for step in data.steps if step.clustering is not None}
    if not roots:
        return []
    related = [row for row in data.rows if (line := _line(data, row.name)) and line[-1].name in roots]
    shared = [row for row in related if _line(data, row.name)[0].clustering is not None]
    kinds = dict.fromkeys((row.kind, row.scheme) for row in shared if row.kind == "litert")
    kinds = kinds or dict.fromkeys((row.kind, row.scheme) for row in shared)
    predictions = predictions_of(data)
    tables = []
    for kind, scheme in kinds:
        rows = [row for row in related if (row.kind, row.scheme) == (kind, scheme)]
        if len(rows) > 1:
            what = f"{scheme} files" if kind == "litert" else "Keras models"
            tables.append({"title": what, "rows": _rows(data, rows, predictions)})
    return tables


def _rows(
    data: ReportData, rows: list[ResultRow], predictions: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Returns the lines of a table, those with the least done to them first."""
    rows = sorted(rows, key=lambda row: len(_line(data, row.name)))
    plain = next((row for row in rows if len(_line(data, row.name)) == 1), None)
    found = []
    for row in rows:
        packed = row.value("gzip_bytes")
        whole = plain.value("gzip_bytes") if plain is not None else None
        points, p = difference(row, plain, predictions)
        found.append(
            {
                "name": row.name,
                "done": _done(data, row),
                "plain": row is plain,
                "bytes": formats.size(row.value("bytes")),
                "gzip": formats.size(packed),
                "of_plain": formats.share(packed / whole) if packed and whole else formats.NOTHING,
                "accuracy": formats.percent(row.value("accuracy")),
                "between": formats.interval(row.numbers.get("accuracy"), 100),
                "points": points,
                "p": p,
            }
        )
    return found


def _done(data: ReportData, row: ResultRow) -> str:
    """Says what was done to the model of a row since it was first trained."""
    steps = [_DONE.get(step.do, step.do) for step in reversed(_line(data, row.name)[:-1])]
    file = data.step(row.name)
    kept = file is not None and any(name == "kept float" for name, _ in file.remarks)
    told = ", then ".join(steps) or (f"{row.scheme} alone" if row.scheme else "as trained")
    return f"{told}, some layers float" if kept else told


def _line(data: ReportData, name: str) -> list[Step]:
    """Returns the step that made a row's model and those it was made from, nearest first."""
    return ancestors(data.steps, origin(data.steps, name))
