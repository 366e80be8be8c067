"""The command line: each command parses its words, calls one verb of the library and shows its result.

Nothing heavy is imported at the top: ``trimtab --help`` and every usage error answer at once.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from trimtab._attempts import checkpoint_of, drop_checkpoints, stopped_training
from trimtab._options import (
    BatchSize,
    DataDir,
    DataName,
    Epochs,
    Json,
    LearningRate,
    Limit,
    ModelFile,
    ModelSettings,
    Seed,
    Settings,
    Size,
    parse_size,
)
from trimtab._quiet import import_backend
from trimtab._version import __version__
from trimtab.errors import ConfigError, TrimtabError

__all__ = ["app", "main"]

app = typer.Typer(
    name="trimtab",
    help="Makes Keras 3 image classifiers small and fast, and proves it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Runs the command line; an error that was raised on purpose is one line and exit code 2."""
    try:
        app(prog_name="trimtab")
    except TrimtabError as error:
        typer.echo(f"Error: {' '.join(str(error).split())}", err=True)
        sys.exit(2)
    except OSError as error:  # a file or folder that nobody foresaw trouble with
        typer.echo(f"Error: {error.filename or 'a file'}: {error.strerror or error}", err=True)
        sys.exit(2)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"trimtab {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop."),
    ] = False,
) -> None:
    """Makes Keras 3 image classifiers small and fast, and proves it."""


@app.command()
def run(
    recipe: Annotated[
        str | None,
        typer.Argument(help="A built-in recipe, a YAML file, or the folder of a run to go on with."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Run folder. Default: runs/RECIPE-DATE-TIME.")
    ] = None,
    data: Annotated[str | None, typer.Option("--data", help="Other images than the recipe says.")] = None,
    data_dir: DataDir = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Another seed than the recipe says.")
    ] = None,
    settings: Settings = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that is in the folder already.")
    ] = False,
    json: Json = False,
) -> None:
    """Carry out a recipe, from data to a report.

    Without a recipe, the built-in ones are listed. Everything goes into one folder; a run that was
    stopped goes on with --resume.
    """
    from trimtab import _console
    from trimtab.pipeline import builtin_recipes, default_folder
    from trimtab.pipeline import run as run_recipe
    from trimtab.progress import for_terminal

    if recipe is None:
        _console.show_recipes(builtin_recipes(), as_json=json)
        return
    progress = for_terminal()
    folder = out or default_folder(recipe)
    with _console.interruptible(lambda: _console.stopped(folder)):
        result = run_recipe(
            recipe,
            folder,
            data=data,
            data_dir=data_dir,
            seed=seed,
            overrides=settings or (),
            resume=resume,
            progress=progress,
        )
    _console.show_run(result, as_json=json)


@app.command()
def train(
    data: DataName,
    out: Annotated[Path, typer.Option("--out", help="Where the model goes; ends in .keras.")] = Path(
        "model.keras"
    ),
    model: Annotated[
        Path | None, typer.Option("--model", exists=True, help="Train this model on, instead of a new one.")
    ] = None,
    architecture: Annotated[str, typer.Option("--architecture", help="cnn or resnet.")] = "cnn",
    settings: ModelSettings = None,
    epochs: Epochs = 10,
    batch_size: BatchSize = 128,
    learning_rate: LearningRate = 1e-3,
    patience: Annotated[
        int | None, typer.Option("--patience", min=1, help="Stop after so many epochs without a better one.")
    ] = None,
    data_dir: DataDir = None,
    size: Size = None,
    limit: Limit = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Train a classifier.

    Validation images choose the epoch; the test images are not touched.
    """
    import trimtab
    from trimtab import _console
    from trimtab.progress import for_terminal

    _model_ending(out)
    pixels, options = parse_size(size), _console.settings(settings or ())
    if model is not None and options:
        raise ConfigError(
            "--set changes a new model's architecture; it has no use with --model. Leave one out."
        )
    images = _load_data(data, data_dir, pixels, limit, seed)
    import_backend()
    if model is not None:
        network = trimtab.load_model(model)
    else:
        network = trimtab.zoo.build(
            architecture, images.image_shape, images.classes, **{"seed": seed, **options}
        )
    checkpoint = checkpoint_of(
        out, network, (epochs, batch_size, learning_rate, patience, seed, images.digest)
    )
    with _console.interruptible(lambda: stopped_training(checkpoint)):
        result = trimtab.train(
            network,
            images,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            patience=patience,
            seed=seed,
            checkpoint=checkpoint,
            keep_checkpoint=True,
            progress=for_terminal(),
        )
    trimtab.save_model(result.model, out)
    drop_checkpoints(out)
    _console.show_training(result, out, as_json=json)


@app.command()
def prune(
    model: ModelFile,
    data: DataName,
    out: Annotated[Path, typer.Option("--out", help="Where the pruned model goes.")] = Path("pruned.keras"),
    sparsity: Annotated[
        float, typer.Option("--sparsity", min=0, max=0.9999, help="Share of zeros to reach, such as 0.8.")
    ] = 0.8,
    schedule: Annotated[
        Literal["polynomial", "constant"], typer.Option("--schedule", help="How the share of zeros grows.")
    ] = "polynomial",
    layer: Annotated[
        list[str] | None, typer.Option("--layer", help="Prune only this layer; may be given again.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", help="Leave this layer alone; may be given again.")
    ] = None,
    epochs: Epochs = 5,
    batch_size: BatchSize = 128,
    learning_rate: LearningRate = 1e-3,
    data_dir: DataDir = None,
    size: Size = None,
    limit: Limit = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Set a model's smallest weights to zero.

    The model trains on meanwhile, so that the weights that stay make up for those that go.
    """
    import trimtab
    from trimtab import _console
    from trimtab.progress import for_terminal

    _model_ending(out)
    images = _load_data(data, data_dir, parse_size(size), limit, seed)
    import_backend()
    network = trimtab.load_model(model)
    checkpoint = checkpoint_of(
        out,
        network,
        (sparsity, schedule, layer, exclude, epochs, batch_size, learning_rate, seed, images.digest),
    )
    with _console.interruptible(lambda: stopped_training(checkpoint)):
        result = trimtab.prune(
            network,
            images,
            sparsity=sparsity,
            schedule=schedule,
            layers=tuple(layer) if layer else None,
            exclude=tuple(exclude or ()),
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            seed=seed,
            checkpoint=checkpoint,
            keep_checkpoint=True,
            progress=for_terminal(),
        )
    trimtab.save_model(result.model, out)
    drop_checkpoints(out)
    _console.show_pruning(result, out, as_json=json)


@app.command()
def export(
    model: ModelFile,
    scheme: Annotated[
        Literal["float32", "float16", "dynamic-int8", "int8"],
        typer.Option("--scheme", help="Number format of the file."),
    ] = "int8",
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
        Literal["refuse", "strip", "keep"],
        typer.Option("--softmax", help="What int8 does with a model that ends in softmax."),
    ] = "refuse",
    compress: Annotated[bool, typer.Option("--compress", help="Also write a .gz beside the file.")] = False,
    data_dir: DataDir = None,
    size: Size = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Convert a model to a checked LiteRT file.

    The .tflite file is run beside the model on the same images, and refused if they differ. What was
    checked is written beside it, ending in .tflite.json.
    """
    import trimtab
    from trimtab import _console
    from trimtab.progress import for_terminal

    if scheme == "int8" and data is None:
        raise ConfigError("int8 needs images to calibrate on; add --data, or choose another --scheme.")
    images = _load_data(data, data_dir, parse_size(size), None, seed) if data is not None else None
    import_backend()
    network = trimtab.load_model(model)
    artifact = trimtab.export(
        network,
        out or model.with_name(f"{model.stem}-{scheme}.tflite"),
        scheme=scheme,
        data=images,
        calibration=calibration,
        softmax=softmax,
        compress=compress,
        seed=seed,
        progress=for_terminal(),
    )
    _console.show_artifact(artifact, as_json=json)


@app.command()
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
    from trimtab import _console
    from trimtab.progress import for_terminal

    subjects = _console.subjects(files)
    chosen = _console.subject_name(baseline, subjects) if baseline is not None else _first_file(subjects)
    images = _load_data(data, data_dir, parse_size(size), limit, seed)
    import_backend()
    result = trimtab.benchmark(subjects, images, baseline=chosen, threads=threads, progress=for_terminal())
    _console.show_benchmark(result, as_json=json)


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="A folder that `trimtab run` made.")],
    json: Json = False,
) -> None:
    """Draw the report of a run again.

    Everything is read from the run's folder; nothing is computed.
    """
    import trimtab
    from trimtab import _console

    _console.show_report(trimtab.report(folder), as_json=json)


@app.command()
def data(
    source: Annotated[
        str, typer.Argument(help="digits, mnist, fashion_mnist, cifar10, or a folder, .npz or .zip.")
    ],
    sheet: Annotated[
        Path | None,
        typer.Option(
            "--sheet", help="Where the sheet of sample images goes. Default: NAME-samples.png, here."
        ),
    ] = None,
    data_dir: DataDir = None,
    size: Size = None,
    limit: Limit = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Show what is in a data set.

    Classes, sizes, counts, and a sheet of sample images.
    """
    from trimtab import _console
    from trimtab.data import sample_sheet

    images = _load_data(source, data_dir, parse_size(size), limit, seed)
    target = sheet or Path(f"{images.name}-samples.png")
    sample_sheet(images, target)
    _console.show_data(images, target, as_json=json)


def _load_data(
    source: str, data_dir: Path | None, size: tuple[int, int] | None, limit: int | None, seed: int
) -> Any:
    """Loads images as the options of a command say."""
    from trimtab.data import load_data

    return load_data(source, data_dir=data_dir, size=size, limit=limit, seed=seed)


def _first_file(subjects: Mapping[str, Path]) -> str:
    """Returns the subject that the others are compared with: a deployable file, if there is one."""
    return next((name for name, path in subjects.items() if path.suffix == ".tflite"), next(iter(subjects)))


def _model_ending(path: Path) -> None:
    """Refuses a model file that Keras would not know by its ending, before any work is done."""
    if path.suffix != ".keras":
        raise ConfigError(f"--out needs a name that ends in .keras; received {path}.")
