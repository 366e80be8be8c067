"""One side of the comparison with TFMOT: makes masks, asks schedules and trains, and writes what it found.

    python _parity_side.py trimtab|tfmot FOLDER NAME

`FOLDER` holds ``cases.json`` and ``images-NET.npz``; ``NAME.npz`` is written there. Weights to begin from
are in ``initial-NET.npz``; the side that comes first makes them. It runs in either environment.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

import _nets
import _parity

Case = dict[str, Any]
_SETTINGS = ("sparsity", "initial", "final", "begin", "end", "power", "frequency")
_POOLING = {"average": "AVG", "max": "MAX"}
_PACKAGES = ("keras", "tf-keras", "tensorflow", "tensorflow-model-optimization", "jax", "torch", "numpy")


class _Side(Protocol):
    """What each side can do."""

    keras: Any

    def mask(self, case: Case, weight: np.ndarray) -> Any:
        """Returns the mask for one tensor; None where it cannot hold such numbers."""

    def half(self, case: Case, weight: np.ndarray) -> tuple[int, int]:
        """Returns how many weights stay at one step of a schedule: run eagerly, and compiled."""

    def schedule(self, case: Case) -> Callable[[int], tuple[bool, float]]:
        """Makes what says of a step whether it has an update, and for which sparsity."""

    def pruned(self, model: Any, optimizer: Any, pruning: Case) -> tuple[Any, Any, Sequence[Any]]:
        """Returns the model, the optimizer and the callbacks of a pruned training."""

    def training(self, model: Any) -> contextlib.AbstractContextManager[Any]:
        """Returns what a training happens inside of."""


class _Trimtab:
    """Trimtab on Keras 3, on the backend that the environment names."""

    def __init__(self) -> None:
        import keras

        self.keras = keras
        self._choosers: dict[Any, Callable[[Any, Any], Any]] = {}

    def mask(self, case: Case, weight: np.ndarray) -> Any:
        ops, granularity = self.keras.ops, _granularity(case)
        tensor = ops.convert_to_tensor(weight)
        if self.keras.backend.standardize_dtype(tensor.dtype) != case["dtype"]:
            return None  # JAX has no float64 unless one asks for it
        key = (granularity, weight.shape, case["dtype"])
        if key not in self._choosers:
            self._choosers[key] = self._chooser(granularity, [-2 if weight.ndim > 1 else None])
        sparsity = ops.convert_to_tensor(np.float32(case["sparsity"]))
        return ops.convert_to_numpy(self._choosers[key](tensor, sparsity))

    def half(self, case: Case, weight: np.ndarray) -> tuple[int, int]:
        from trimtab.pruning import Criterion

        keras, criterion, schedule = self.keras, Criterion(), _schedule(case)

        def stay(step: Any) -> Any:
            return keras.ops.sum(criterion.masks([keras.ops.convert_to_tensor(weight)], schedule.at(step))[0])

        step = keras.ops.convert_to_tensor(case["step"], "int32")
        return int(stay(step)), int(self._compiled(stay)(step))

    def _chooser(self, granularity: Any, axes: list[int | None]) -> Callable[[Any, Any], Any]:
        """Compiles the choice of masks for tensors of one kind, as a training step would."""
        from trimtab.pruning import Criterion

        criterion = Criterion(granularity=granularity)

        def choose(tensor: Any, sparsity: Any) -> Any:
            return criterion.masks([tensor], sparsity, axes=axes)[0]

        return self._compiled(choose)

    def _compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Compiles as the backend does in training; torch does not."""
        backend = self.keras.backend.backend()
        if backend == "tensorflow":
            import tensorflow as tf

            return tf.function(function, autograph=False)  # type: ignore[no-any-return]
        if backend == "jax":
            import jax

            return jax.jit(function)  # type: ignore[no-any-return]
        return function

    def schedule(self, case: Case) -> Callable[[int], tuple[bool, float]]:
        schedule, keras = _schedule(case), self.keras

        def ask(step: Any) -> Any:
            return schedule.updates(step), schedule.at(step)

        compiled = self._compiled(ask)
        return lambda step: _numbers(keras, *compiled(keras.ops.convert_to_tensor(step, "int32")))

    def pruned(self, model: Any, optimizer: Any, pruning: Case) -> tuple[Any, Any, Sequence[Any]]:
        from trimtab.pruning import PruningOptimizer

        granularity = _granularity(pruning)
        schedule = _schedule({**pruning["schedule"], "zeros": pruning.get("zeros")})
        wrapped = PruningOptimizer.for_model(model, optimizer, schedule, granularity=granularity)
        return model, wrapped, ()

    def training(self, model: Any) -> contextlib.AbstractContextManager[Any]:
        from trimtab.training._batch_normalization import fused_batch_normalization

        return fused_batch_normalization(model)


def _granularity(case: Case) -> Any:
    from trimtab.pruning import NM, Blocks, Unstructured

    if case.get("zeros"):
        zeros, of = case["zeros"]
        return NM(of - zeros, of)
    if case.get("block"):
        height, width = case["block"]
        return Blocks(height, width, pooling=case["pooling"])
    return Unstructured()


def _schedule(case: Case) -> Any:
    from trimtab.pruning import ConstantSparsity, OneShotSparsity, PolynomialSparsity

    settings = {key: value for key, value in case.items() if key in _SETTINGS}
    if case["kind"] == "once":
        zeros, of = case["zeros"]
        return OneShotSparsity(zeros / of, step=1)
    kinds: dict[str, Any] = {"constant": ConstantSparsity, "polynomial": PolynomialSparsity}
    return kinds[case["kind"]](**settings)


def _numbers(keras: Any, due: Any, sparsity: Any) -> tuple[bool, float]:
    return bool(due), float(keras.ops.convert_to_numpy(sparsity))


class _Tfmot:
    """TFMOT on tf_keras."""

    def __init__(self) -> None:
        import tensorflow_model_optimization as tfmot
        import tf_keras

        self.keras, self._pruning = tf_keras, tfmot.sparsity.keras

    def mask(self, case: Case, weight: np.ndarray) -> Any:
        schedule = self._pruning.ConstantSparsity(case["sparsity"], 1, frequency=1)
        mask, update = self._update(case, weight, schedule, 1)
        update()
        return mask.numpy()

    def half(self, case: Case, weight: np.ndarray) -> tuple[int, int]:
        import tensorflow as tf

        kept = []
        for compile_it in (lambda function: function, tf.function):
            mask, update = self._update(case, weight, self._schedule(case), case["step"])
            compile_it(update)()
            kept.append(int(mask.numpy().sum()))
        return kept[0], kept[1]

    def _update(self, case: Case, weight: np.ndarray, schedule: Any, step: int) -> tuple[Any, Any]:
        """Makes a mask, and what updates it as TFMOT's wrapper of a layer does."""
        import tensorflow as tf
        from tensorflow_model_optimization.python.core.sparsity.keras import pruning_impl

        variables = (tf.Variable(weight), tf.Variable(np.ones_like(weight)), tf.Variable(weight.flat[0]))
        counter = tf.Variable(step, dtype=tf.int64)
        pruning = pruning_impl.Pruning(
            lambda: counter,
            [variables],
            schedule,
            tuple(case.get("block") or (1, 1)),
            _POOLING[case.get("pooling") or "average"],
            tuple(case["zeros"]) if case.get("zeros") else None,
        )
        return variables[1], pruning.conditional_mask_update

    def schedule(self, case: Case) -> Callable[[int], tuple[bool, float]]:
        import tensorflow as tf

        ask = tf.function(self._schedule(case))

        def numbers(step: int) -> tuple[bool, float]:
            due, sparsity = ask(tf.constant(step, tf.int64))
            return bool(due), float(sparsity)

        return numbers

    def pruned(self, model: Any, optimizer: Any, pruning: Case) -> tuple[Any, Any, Sequence[Any]]:
        more: Case = {"block_size": tuple(pruning["block"])} if pruning.get("block") else {}
        if pruning.get("pooling"):
            more["block_pooling_type"] = _POOLING[pruning["pooling"]]
        if pruning.get("zeros"):
            more["sparsity_m_by_n"] = tuple(pruning["zeros"])
        schedule = self._schedule(pruning["schedule"])
        wrapped = self._pruning.prune_low_magnitude(model, pruning_schedule=schedule, **more)
        return wrapped, optimizer, (self._pruning.UpdatePruningStep(),)

    def training(self, model: Any) -> contextlib.AbstractContextManager[Any]:  # noqa: ARG002
        return contextlib.nullcontext()

    def _schedule(self, case: Case) -> Any:
        if case["kind"] == "polynomial":
            return self._pruning.PolynomialDecay(
                case["initial"], case["final"], case["begin"], case["end"], case["power"], case["frequency"]
            )
        if case["kind"] == "constant":
            return self._pruning.ConstantSparsity(
                case["sparsity"], case["begin"], case["end"], case["frequency"]
            )
        return self._pruning.ConstantSparsity(0.5, 1)  # its N:M masks are made at step 1, whatever it says


def main() -> None:
    """Does what the cases ask."""
    side_name, folder, name = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    cases = json.loads((folder / "cases.json").read_text("utf-8"))
    _one_thread()
    side: _Side = _Tfmot() if side_name == "tfmot" else _Trimtab()
    found: dict[str, Any] = {"half": np.array(side.half(_parity.HALF, _parity.values(_parity.HALF)))}
    for index, case in enumerate(cases["masks"]):
        weight = _parity.values(case)
        found[f"digest/{index}"] = np.array(_parity.digest(weight))
        mask = side.mask(case, weight)
        if mask is not None:
            found[f"mask/{index}"] = np.packbits(np.asarray(mask) != 0)
    for index, case in enumerate(cases["schedules"]):
        ask = side.schedule(case)
        due, sparsity = zip(*(ask(step) for step in range(1, case["steps"] + 1)), strict=True)
        found[f"due/{index}"], found[f"sparsity/{index}"] = np.array(due), np.array(sparsity, np.float32)
    for index, case in enumerate(cases["trainings"]):
        model = _train(side, case, folder)
        for kind, weights in (("trained", "trainable_weights"), ("moving", "non_trainable_weights")):
            arrays = [weight.numpy() for layer in model.layers for weight in getattr(layer, weights)]
            found |= {f"{kind}/{index}/{at}": array for at, array in enumerate(arrays)}
    np.savez(folder / f"{name}.npz", **found)
    versions = {package: version for package in _PACKAGES if (version := _version(package))}
    (folder / f"{name}.json").write_text(json.dumps(versions), "utf-8")


def _train(side: _Side, case: Case, folder: Path) -> Any:
    """Trains one net, and returns it: without wrappers, which hold the layers of the net itself."""
    keras = side.keras
    keras.utils.set_random_seed(0)
    model = _nets.build(keras, case["net"], 0.25)
    _begin(model, folder / f"initial-{case['net']}.npz")
    with np.load(folder / f"images-{case['net']}.npz") as images:
        data = _batches(images["pixels"], images["labels"], case["steps"])
    made = {
        "sgd": lambda: keras.optimizers.SGD(0.05),
        "momentum": lambda: keras.optimizers.SGD(0.02, momentum=0.9),
        "adam": lambda: keras.optimizers.Adam(1e-3),
    }
    optimizer, trained = made[case["optimizer"]](), model
    callbacks: Sequence[Any] = ()
    if case["pruning"] is not None:
        trained, optimizer, callbacks = side.pruned(model, optimizer, case["pruning"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    with side.training(model):
        trained.compile(optimizer, loss, jit_compile=False)
        trained.fit(data, epochs=case["epochs"], shuffle=False, verbose=0, callbacks=list(callbacks))
    return model


def _begin(model: Any, path: Path) -> None:
    """Gives a model the weights in a file, or writes the file."""
    if not path.exists():
        np.savez(path, *[array for layer in model.layers for array in layer.get_weights()])
        return
    with np.load(path) as saved:
        arrays = [saved[name] for name in saved.files]
    for layer in model.layers:
        count = len(layer.get_weights())
        layer.set_weights(arrays[:count])
        arrays = arrays[count:]


def _batches(pixels: np.ndarray, labels: np.ndarray, steps: int) -> Any:
    """Returns the same batches, in the same order, in each epoch."""
    import tensorflow as tf

    count = steps * _parity.BATCH
    data = tf.data.Dataset.from_tensor_slices((pixels[:count], labels[:count])).batch(_parity.BATCH)
    options = tf.data.Options()
    options.autotune.enabled = False
    return data.with_options(options)


def _one_thread() -> None:
    """Makes sums come out in one order."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
