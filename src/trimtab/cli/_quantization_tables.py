"""What the commands about integers and shared values show."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from trimtab._records import to_plain
from trimtab.cli._console import print_json, table, terminal
from trimtab.cli._tables import epoch_table

if TYPE_CHECKING:
    from trimtab.clustering import ClusteringResult, LayerClusters
    from trimtab.quantization import Mixed, QuantizationSensitivity, QuantizeAwareResult

__all__ = ["show_clustering", "show_quantization_sensitivity", "show_quantize_aware"]


def show_quantize_aware(result: QuantizeAwareResult, path: Path, *, as_json: bool) -> None:
    """Shows the epochs, the ranges of the activations, what stays float, and where the model went."""
    if as_json:
        print_json({"model": path, **to_plain(result)})
        return
    console = terminal()
    if result.history is not None:
        console.print(epoch_table(result.history))
    rows = [
        [", ".join(row.layers), f"{row.low:.4g}", f"{row.high:.4g}", f"{row.step:.3g}"]
        for row in result.ranges
    ]
    console.print(table(["activations of", "from", "to", "step"], rows))
    for note in result.notes:
        console.print(note, soft_wrap=True)
    bits, scheme = result.weights_bits, "int8" if result.weights_bits == 8 else "int4"
    console.print(f"Weights of {bits} bits. Next: trimtab export {path} --scheme {scheme}", soft_wrap=True)
    epoch = "" if result.history is None else f" (epoch {result.history.best_epoch})"
    console.print(f"Model{epoch}: {path}", soft_wrap=True)


def show_clustering(result: ClusteringResult, path: Path, *, as_json: bool) -> None:
    """Shows the different values of each layer, what they save, and where the model went."""
    if as_json:
        print_json({"model": path, **to_plain(result)})
        return
    headers = ["layer", "weight", "size", "values", "zeros", "bits a number", "changed"]
    console = terminal()
    console.print(table(headers, [_clusters(row) for row in result.layers], words=2))
    for name, reason in result.skipped:
        console.print(f"{name} was left alone: {reason}")
    if result.history.epochs:
        best = result.history.best
        console.print(f"Validation accuracy: {best.val_accuracy:.1%} (epoch {best.epoch})")
    for note in result.notes:
        console.print(note, soft_wrap=True)
    if result.gzip_before is not None and result.gzip_after is not None:
        console.print(
            f"All weights gzipped: {result.gzip_before / 1000:,.1f} kB before, "
            f"{result.gzip_after / 1000:,.1f} kB after"
        )
    console.print(f"Model: {path}", soft_wrap=True)


def _clusters(row: LayerClusters) -> list[str]:
    """Returns the cells of one weight."""
    changed = "-" if row.error is None else f"{row.error:.1%}"
    numbers = [f"{row.size:,}", f"{row.clusters:,}", f"{row.zeros:,}", f"{row.bits:.2f}", changed]
    return [row.name, row.weight, *numbers]


def show_quantization_sensitivity(
    scan: QuantizationSensitivity, mixed: Mixed | None, picture: Path | None, *, as_json: bool
) -> None:
    """Shows what quantizing each layer costs, and the fewest layers to keep float."""
    if as_json:
        print_json({**scan.to_data(), "mixed": to_plain(mixed), "picture": picture})
        return
    whole = scan.quantized
    rows = [
        [
            layer.name,
            f"{layer.parameters:,}",
            f"{layer.alone.sqnr_db:.1f}",
            f"{layer.alone.accuracy:.1%}",
            f"{layer.without.sqnr_db:.1f}",
            f"{layer.without.accuracy:.1%}",
        ]
        for layer in scan.layers
    ]
    console = terminal()
    console.print(
        f"Validation accuracy: {scan.accuracy:.1%} float ({scan.low:.1%} to {scan.high:.1%}, "
        f"{scan.images:,} images), {whole.accuracy:.1%} {scan.scheme} (SQNR {whole.sqnr_db:.1f} dB)"
    )
    headers = ["layer", "parameters", "alone: SQNR dB", "accuracy", "all but it: SQNR dB", "accuracy"]
    console.print(table(headers, rows))
    for name, reason in scan.kept_float:
        console.print(f"{name} stays float: {reason}")
    for note in scan.notes:
        console.print(note)
    if mixed is not None:
        console.print(_told(mixed), soft_wrap=True)
    if picture is not None:
        console.print(f"Picture: {picture}", soft_wrap=True)


def _told(mixed: Mixed) -> str:
    """Says which layers to keep float, and what that gives."""
    allowed = f"{100 * mixed.max_drop:.3g} points"
    lost, low, high = (100 * drop + 0.0 for drop in (mixed.drop, mixed.drop_low, mixed.drop_high))
    points = f"{lost:.2f} points ({low:.2f} to {high:.2f})"
    if not mixed.met:
        return f"Not even with all layers float is no more than {allowed} lost: {points}."
    if not mixed.keep_float:
        return f"No layer need be kept float to lose at most {allowed}: {mixed.scheme} loses {points}."
    share = mixed.parameters / max(mixed.total_parameters, 1)
    names = " ".join(f"--keep-float {name}" for name in mixed.keep_float)
    return (
        f"To lose at most {allowed}: trimtab export --scheme {mixed.scheme} {names}; this loses {points}, "
        f"with {share:.1%} of the weights float."
    )
