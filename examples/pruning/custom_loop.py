"""A custom training loop: the same optimizer in a loop of your own, on TensorFlow, JAX or torch.

    KERAS_BACKEND=jax python examples/pruning/custom_loop.py [mnist]

In TFMOT: the step callback's `set_model`, `on_train_begin` and `on_epoch_end` are called by hand, and
TensorFlow only. Here `optimizer.apply` prunes; nothing else changes.
"""

import sys

import keras
import numpy as np

import trimtab
from trimtab.pruning import PolynomialSparsity, PruningOptimizer, sparsity_table


def train_tensorflow(model, optimizer, loss_of, batches) -> None:
    """A compiled step with a gradient tape."""
    import tensorflow as tf

    optimizer.build(model.trainable_variables)

    @tf.function(reduce_retracing=True)
    def step(images, labels):
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(images, training=True))
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)

    for images, labels in batches:
        step(tf.constant(images), tf.constant(labels))


def train_jax(model, optimizer, loss_of, batches) -> None:
    """A jitted pure step: the masks travel with the optimizer's state."""
    import jax

    optimizer.build(model.trainable_variables)  # before the values are read: it may prune at once

    def forward(trainable, rest, images, labels):
        logits, rest = model.stateless_call(trainable, rest, images, training=True)
        return loss_of(labels, logits), rest

    @jax.jit
    def step(trainable, rest, masks_and_more, images, labels):
        gradients, rest = jax.grad(forward, has_aux=True)(trainable, rest, images, labels)
        trainable, masks_and_more = optimizer.stateless_apply(masks_and_more, gradients, trainable)
        return trainable, rest, masks_and_more

    variables = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    state = tuple([variable.value for variable in part] for part in variables)
    for images, labels in batches:
        state = step(*state, images, labels)
    for part, values in zip(variables, state, strict=True):
        for variable, value in zip(part, values, strict=True):
            variable.assign(value)


def train_torch(model, optimizer, loss_of, batches) -> None:
    """An eager step with `backward`."""
    import torch

    optimizer.build(model.trainable_variables)
    for images, labels in batches:
        model.zero_grad()
        loss_of(keras.ops.convert_to_tensor(labels), model(images, training=True)).backward()
        gradients = [variable.value.grad for variable in model.trainable_variables]
        with torch.no_grad():
            optimizer.apply(gradients, model.trainable_variables)


LOOPS = {"tensorflow": train_tensorflow, "jax": train_jax, "torch": train_torch}


def main(name: str = "digits") -> None:
    """Prunes a CNN from scratch in the loop of the active Keras backend."""
    data = trimtab.load_data(name)
    images, labels = data.train.inputs(), data.train.labels
    epochs, batch_size = (8, 32) if name == "digits" else (1, 128)
    steps = epochs * (len(labels) // batch_size)
    rng = np.random.default_rng(0)
    orders = np.concatenate([rng.permutation(len(labels)) for _ in range(epochs)])
    batches = (
        (images[part], labels[part]) for part in np.split(orders[: steps * batch_size], steps)
    )  # all of one size, so that a step is compiled once

    model = trimtab.zoo.cnn(data.image_shape, data.classes, filters=(16, 32), dense=32)
    schedule = PolynomialSparsity(0.0, 0.8, begin=0, end=2 * steps // 3, frequency=10)
    optimizer = PruningOptimizer.for_model(model, keras.optimizers.Adam(3e-3), schedule)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    LOOPS[keras.backend.backend()](model, optimizer, loss_of, batches)

    zeros = ", ".join(f"{row.name} {row.sparsity:.0%}" for row in sparsity_table(model))
    right = model.predict(data.test.inputs(), verbose=0).argmax(axis=-1) == data.test.labels
    print(f"{keras.backend.backend()}, {steps} steps: {zeros}; {right.mean():.1%} of the test images right")


if __name__ == "__main__":
    main(*sys.argv[1:])
