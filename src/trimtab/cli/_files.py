"""`trimtab export` and `trimtab benchmark`: the files that are shipped, and what they are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from trimtab._choices import FORMAT_ENDINGS, FileFormat, Scheme, Softmax, file_format
from trimtab._quiet import import_backend
from trimtab.cli._options import DataDir, DataName, Json, Limit, ModelFile, Seed, Size, load_images
from trimtab.errors import ConfigError, nearest

__all__ = ["benchmark", "export"]


def export(
    model: ModelFile,
    scheme: Annotated[
        Scheme | None,
        typer.Option(
            "--scheme", help="Numbers of the file. Default: int8 in LiteRT and C, float32 elsewhere."
        ),
    ] = None,
    kind: Annotated[
        FileFormat | None,
        typer.Option("--format", help="What the file is for. Default: by the ending of --out, else litert."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Default: MODEL-SCHEME.tflite beside the model.")
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", help="Images to calibrate int8 and to check the file with.")
    ] = None,
    calibration: Annotated[
        int, typer.Option("--calibration", min=1, help="How many training images calibrate.")
    ] = 200,
    softmax: Annotated[
        Softmax,
        typer.Option("--softmax", help="What int8 does with a model that ends in softmax."),
    ] = "refuse",
    compress: Annotated[bool, typer.Option("--compress", help="Also write a .gz beside the file.")] = False,
    data_dir: DataDir = None,
    size: Size = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Convert a model to a checked file: LiteRT, or another format.

    The file is run beside the model on the same images, and refused if they differ. What was checked is
    written beside it, ending in .json.
    """
    import trimtab
    from trimtab.cli import _tables
    from trimtab.progress import for_terminal

    kind = file_format(out, kind) if out is not None else kind or "litert"
    scheme = scheme or ("int8" if kind in ("litert", "c") else "float32")
    if scheme == "int8" and data is None:
        raise ConfigError("int8 needs images to calibrate on; add --data, or choose another --scheme.")
    images = load_images(data, data_dir, size, None, seed) if data is not None else None
    import_backend()
    network = trimtab.load_model(model)
    artifact = trimtab.export(
        network,
        out or model.with_name(f"{model.stem}-{scheme}{FORMAT_ENDINGS[kind]}"),
        scheme=scheme,
        data=images,
        calibration=calibration,
        softmax=softmax,
        compress=compress,
        seed=seed,
        progress=for_terminal(),
    )
    _tables.show_artifact(artifact, as_json=json)


def benchmark(
    files: Annotated[
        list[Path], typer.Argument(exists=True, help="Any number of .keras, .h5 and .tflite files.")
    ],
    data: DataName,
    baseline: Annotated[
        str | None,
        typer.Option(
            "--baseline", help="The file to compare with. Default: the first .tflite, or else the first."
        ),
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads that run a file.")] = 1,
    data_dir: DataDir = None,
    size: Size = None,
    limit: Limit = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Measure models and files side by side.

    Accuracy, loss, size, speed and memory, each with its uncertainty.
    """
    import trimtab
    from trimtab.cli import _tables
    from trimtab.progress import for_terminal

    subjects = _subjects(files)
    chosen = _subject_name(baseline, subjects) if baseline is not None else _first_file(subjects)
    images = load_images(data, data_dir, size, limit, seed)
    import_backend()
    result = trimtab.benchmark(subjects, images, baseline=chosen, threads=threads, progress=for_terminal())
    _tables.show_benchmark(result, as_json=json)


def _first_file(subjects: Mapping[str, Path]) -> str:
    """Returns the subject that the others are compared with: a deployable file, if there is one."""
    return next((name for name, path in subjects.items() if path.suffix == ".tflite"), next(iter(subjects)))


def _subjects(files: Sequence[Path]) -> dict[str, Path]:
    """Names files for a benchmark: by their names alone where those differ, by their paths otherwise."""
    names = [file.name for file in files]
    return {file.name if names.count(file.name) == 1 else str(file): file for file in files}


def _subject_name(wanted: str, known: Mapping[str, Path]) -> str:
    """Returns the name of the subject that is meant by a name or a path."""
    for name, path in known.items():
        if wanted == name or Path(wanted) == path:
            return name
    raise ConfigError(
        f"--baseline {wanted!r} is none of the files given.{nearest(wanted, known)} "
        f"Files: {', '.join(known)}."
    )
