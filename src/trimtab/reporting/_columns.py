"""The columns of the tables: what they show, what it means, and the text of each cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trimtab.reporting import _formats as formats
from trimtab.reporting._data import Number, ResultRow

__all__ = ["COLUMNS", "MORE", "Cell", "Column"]


@dataclass(frozen=True)
class Cell:
    """One cell: what is read first, the small print under it, and how it was measured."""

    text: str
    detail: str = ""
    method: str = ""


@dataclass(frozen=True)
class Column:
    """One column: its header with unit, what it means in one line, and how a cell is written.

    Attributes:
        key: the measurement it shows.
        one_runtime: whether a Keras model beside a baseline that is a file is left blank.
    """

    header: str
    unit: str
    meaning: str
    cell: Callable[[ResultRow], Cell]
    key: str = ""
    one_runtime: bool = False


def _accuracy(row: ResultRow) -> Cell:
    number = row.numbers.get("accuracy")
    return Cell(formats.percent(row.value("accuracy")), formats.interval(number, 100))


def _difference(row: ResultRow) -> Cell:
    value = row.value("accuracy_difference")
    p = row.value("accuracy_p")
    return Cell(formats.points(value), formats.p_value(p) if value is not None and p is not None else "")


def _deployed(row: ResultRow) -> Cell:
    return Cell(formats.size(row.value("bytes")) if row.kind == "litert" else formats.NOTHING)


def _keras(row: ResultRow) -> Cell:
    size = row.value("bytes") if row.kind == "keras" and row.keras_bytes is None else row.keras_bytes
    return Cell(formats.size(size))


def _non_zeros(row: ResultRow) -> Cell:
    value, parameters = row.value("non_zeros"), row.value("parameters")
    sparse = value is not None and parameters and value < 0.995 * parameters
    of = (
        f"{formats.share(value / parameters)} of {formats.count(parameters)}"
        if sparse and value and parameters
        else ""
    )
    return Cell(formats.count(value), of)


def _latency(row: ResultRow) -> Cell:
    number: Number | None = row.numbers.get("latency_ms")
    return Cell(formats.milliseconds(row.value("latency_ms")), formats.interval(number, digits=None))


def _batch(row: ResultRow) -> Cell:
    """Shows how long a whole batch takes, and the share of one image in it."""
    number = row.numbers.get("batch_ms")
    images, each = row.value("batch_images"), row.value("batch_latency_ms")
    of = f"{images:.0f} images, {formats.milliseconds(each)} each" if images and each is not None else ""
    return Cell(formats.milliseconds(None if number is None else number.value), of)


def _smaller(row: ResultRow) -> Cell:
    """Shows how many times smaller a file is, and by how many percent."""
    value = row.value("size_reduction")
    return Cell(formats.times(value), "" if not value else formats.signed_share(1 / value - 1))


def _training(row: ResultRow) -> Cell:
    return Cell(formats.seconds(row.value("training_seconds")) if row.kind == "keras" else formats.NOTHING)


def _times(key: str) -> Callable[[ResultRow], Cell]:
    def cell(row: ResultRow) -> Cell:
        return Cell(formats.times(row.value(key)))

    return cell


def _three(value: float | None) -> str:
    return formats.NOTHING if value is None else f"{value:.3f}"


def _three_interval(number: Number | None) -> str:
    return formats.interval(number, digits=3)


def _exactly(value: float | None) -> str:
    return formats.NOTHING if value is None else f"{value:,.0f}"


_OTHER_RUNTIME = (
    "A Keras model has none where the baseline is a deployed file: it is another format on another runtime, "
    "so the ratio would say nothing of the model."
)

COLUMNS: tuple[Column, ...] = (
    Column(
        "Accuracy",
        "%",
        "Test images classified rightly, with the 95 % Wilson interval: run on other images of "
        "this kind, it would lie in there 95 times of 100.",
        lambda row: Cell(_accuracy(row).text.removesuffix(" %"), _accuracy(row).detail),
        "accuracy",
    ),
    Column(
        "Against baseline",
        "points",
        "Difference to the baseline on the same images in percentage points; p is "
        "McNemar's test: how often chance alone would differ that much.",
        _difference,
        "accuracy_difference",
    ),
    Column(
        "Keras size",
        "",
        "Bytes of the .keras file that it is, or was made from, without optimizer state.",
        _keras,
    ),
    Column("Deployed size", "", "Bytes of the .tflite file that goes onto the device.", _deployed),
    Column(
        "Gzip",
        "",
        "Bytes of the file compressed with gzip: what a download or an update costs.",
        lambda row: Cell(formats.size(row.value("gzip_bytes"))),
        "gzip_bytes",
    ),
    Column("Non-zeros", "", "Parameters that are not zero, out of all.", _non_zeros, "non_zeros"),
    Column(
        "MACs",
        "",
        "Multiply-accumulates for one image, zeros included: the arithmetic that a dense kernel does.",
        lambda row: Cell(formats.count(row.value("macs"))),
        "macs",
    ),
    Column(
        "Latency",
        "ms/image",
        "Milliseconds for one image, batch 1: the median, with its 95 % bootstrap interval.",
        _latency,
        "latency_ms",
    ),
    Column(
        "Batch latency",
        "ms/batch",
        "Milliseconds for many images at once, and the share of one image in them. Where that is less than "
        "an image alone takes, the runtime gains by doing many together.",
        _batch,
        "batch_latency_ms",
    ),
    Column(
        "Size reduction",
        "",
        "The baseline's bytes divided by this file's, and the change in percent; 1× is the same. "
        f"{_OTHER_RUNTIME}",
        _smaller,
        "size_reduction",
        one_runtime=True,
    ),
    Column(
        "Speed-up",
        "",
        f"Median of paired ratios of the baseline's time to this one's; 1× is the same. {_OTHER_RUNTIME}",
        _times("speed_up"),
        "speed_up",
        one_runtime=True,
    ),
    Column(
        "Training",
        "",
        "Time that this step's own training took, without that of the model it started from.",
        _training,
    ),
)
"""The result table."""

MORE: tuple[Column, ...] = (
    Column(
        "Loss",
        "nats",
        "Mean cross-entropy over the test images, with its 95 % interval: unlike accuracy, it also "
        "counts how sure the model is.",
        lambda row: Cell(_three(row.value("loss")), _three_interval(row.numbers.get("loss"))),
        "loss",
    ),
    Column(
        "McNemar's p",
        "",
        "How often chance alone would make as many images differ between it and the baseline.",
        lambda row: Cell(formats.p_value(row.value("accuracy_p")).removeprefix("p = ").removeprefix("p ")),
        "accuracy_p",
    ),
    Column(
        "Latency p90",
        "ms/image",
        "Nine of ten calls take at most this long.",
        lambda row: Cell(formats.milliseconds(row.value("latency_p90_ms"))),
        "latency_p90_ms",
    ),
    Column(
        "Peak memory",
        "",
        "What loading the file and running it adds to the memory of a process that holds only the runtime; "
        "a Keras model's own share cannot be told from its framework's.",
        lambda row: Cell(formats.size(row.value("peak_memory_bytes"))),
        "peak_memory_bytes",
    ),
    Column(
        "Parameters",
        "",
        "All weights that are stored, zero or not.",
        lambda row: Cell(_exactly(row.value("parameters"))),
        "parameters",
    ),
    Column(
        "File",
        "bytes",
        "The exact size of what was measured: the .keras file of a Keras model, the .tflite file otherwise.",
        lambda row: Cell(_exactly(row.value("bytes"))),
        "bytes",
    ),
)
"""What else was measured, for who asks."""
