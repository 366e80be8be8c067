"""`trimtab export` and `trimtab benchmark`: the files that are shipped, and what they are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from trimtab._choices import FORMAT_ENDINGS, FileFormat, Scheme, Softmax, file_format
from trimtab._quiet import import_backend
from trimtab._records import to_plain
from trimtab.cli._behaviour_table import show_behaviour
from trimtab.cli._console import print_json
from trimtab.cli._options import (
    Calibration,
    CalibrationMethod,
    DataDir,
    DataName,
    InputRange,
    Json,
    KeepFloat,
    Limit,
    ModelFile,
    Percentile,
    Seed,
    Size,
    load_images,
    typed,
)
from trimtab.errors import ConfigError, nearest

__all__ = ["benchmark", "export"]


def export(
    model: ModelFile,
    scheme: Annotated[
        Scheme | None,
        typer.Option(
            "--scheme",
            help="Numbers of the file. Default: int8 in LiteRT and C (or what the model was trained for), "
            "float32 elsewhere.",
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
    calibration: Calibration = 200,
    calibration_method: CalibrationMethod = "minmax",
    percentile: Percentile = None,
    keep_float: KeepFloat = None,
    equalize: Annotated[
        bool, typer.Option("--equalize", help="Try cross-layer equalisation, and take it where it helps.")
    ] = False,
    correct_bias: Annotated[
        bool | None,
        typer.Option(help="Try bias correction, and take it where it helps. Usual for int4."),
    ] = None,
    softmax: Annotated[
        Softmax,
        typer.Option("--softmax", help="What int8 does with a model that ends in softmax."),
    ] = "refuse",
    compress: Annotated[bool, typer.Option("--compress", help="Also write a .gz beside the file.")] = False,
    data_dir: DataDir = None,
    size: Size = None,
    input_range: InputRange = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Convert a model to a checked file: LiteRT, or another format.

    The file is run beside the model on the same images, and refused if they differ. What was checked is
    written beside it, ending in .json.
    """
    import trimtab
    from trimtab.cli import _tables
    from trimtab.pipeline import PostTrainingOptions
    from trimtab.progress import for_terminal

    how = PostTrainingOptions.checked(
        typed(),
        calibration=calibration,
        calibration_method=calibration_method,
        percentile=percentile,
        keep_float=tuple(keep_float or ()),
        equalize=equalize,
        correct_bias=correct_bias,
    )
    kind = file_format(out, kind) if out is not None else kind or "litert"
    images = load_images(data, data_dir, size, None, seed, input_range) if data is not None else None
    import_backend()
    network = trimtab.load_model(model)
    scheme = scheme or _usual_scheme(network, kind)
    if kind in ("litert", "c"):
        _check_calibrated(network, scheme, data)
    artifact = trimtab.export(
        network,
        out or model.with_name(f"{model.stem}-{scheme}{FORMAT_ENDINGS[kind]}"),
        scheme=scheme,
        data=images,
        **how.post_training_arguments(),
        softmax=softmax,
        compress=compress,
        seed=seed,
        progress=for_terminal(),
    )
    _tables.show_artifact(artifact, as_json=json)


def _usual_scheme(network: Any, kind: FileFormat) -> Scheme:
    """Returns the scheme where none is named: that of a model with ranges is the one of its bits."""
    from trimtab.quantization._switches import bits_of_weights

    if kind not in ("litert", "c"):
        return "float32"
    return "int4" if bits_of_weights(network) == {4} else "int8"


def _check_calibrated(network: Any, scheme: Scheme, data: str | None) -> None:
    """Refuses a static scheme without images, but for a model that carries its ranges."""
    from trimtab.litert import carries_ranges
    from trimtab.litert import scheme as scheme_of

    if data is None and scheme_of(scheme).static and not carries_ranges(network):
        raise ConfigError(f"{scheme} needs images to calibrate on; add --data, or choose another --scheme.")


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
    behaviour: Annotated[
        bool,
        typer.Option(
            "--behaviour",
            help="Also compare classes, changed answers, calibration and robustness, with the first file "
            "unless --baseline says otherwise.",
        ),
    ] = False,
    data_dir: DataDir = None,
    size: Size = None,
    input_range: InputRange = None,
    limit: Limit = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Measure models and files side by side.

    Accuracy, loss, size, speed and memory, each with its uncertainty; with --behaviour also what accuracy
    hides.
    """
    import trimtab
    from trimtab.cli import _tables
    from trimtab.progress import for_terminal

    subjects = _subjects(files)
    chosen = _subject_name(baseline, subjects) if baseline is not None else _first_file(subjects)
    images = load_images(data, data_dir, size, limit, seed, input_range)
    import_backend()
    shown = for_terminal()
    result = trimtab.benchmark(subjects, images, baseline=chosen, threads=threads, progress=shown)
    if not behaviour:
        _tables.show_benchmark(result, as_json=json)
        return
    compared = trimtab.compare_behaviour(
        subjects,
        images,
        # Speed is compared between files, behaviour with what was there before the file.
        baseline=chosen if baseline is not None else None,
        threads=threads,
        seed=seed,
        predictions=result.predictions,
        progress=shown,
    )
    if json:
        print_json({**to_plain(result), "behaviour": compared})
        return
    _tables.show_benchmark(result, as_json=False)
    show_behaviour(compared)


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
