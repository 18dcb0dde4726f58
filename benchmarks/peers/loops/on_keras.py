"""Keras, on the backend that KERAS_BACKEND names, with `compile` and `fit` as its guides write them.

The initial weights have torch's distributions, and the optimizers have torch's constants, so that the losses can be
compared. On JAX the small work runs all steps of an epoch in one call (`steps_per_execution`), as the documentation
advises for small models.
"""

from __future__ import annotations

import sys

import keras
import numpy as np
from _interface import Arguments, Clock, report
from keras import initializers, layers

FAN_IN = {"kernel_initializer": initializers.VarianceScaling(1 / 3, "fan_in", "uniform", seed=1)}


def even(fan_in: int) -> initializers.Initializer:
    """torch's bounds: one over the square root of the number of inputs."""
    return initializers.RandomUniform(-(fan_in**-0.5), fan_in**-0.5, seed=2)


def dense(inputs: int, units: int, activation: str | None = None) -> layers.Layer:
    return layers.Dense(units, activation, bias_initializer=even(inputs), **FAN_IN)


def conv(channels: int, filters: int) -> layers.Layer:
    return layers.Conv2D(filters, 3, padding="same", activation="relu", bias_initializer=even(9 * channels), **FAN_IN)


def network(name: str) -> list[layers.Layer]:
    """The layers of a work."""
    if name == "tabular":
        return [
            *(dense(20, 64, "relu"), layers.Dropout(0.5)),
            *(dense(64, 64, "relu"), layers.Dropout(0.5), dense(64, 1)),
        ]
    if name == "mlp":
        return [dense(784, 512, "relu"), dense(512, 512, "relu"), dense(512, 10)]
    if name == "cnn":
        pool = layers.MaxPooling2D
        return [conv(3, 32), pool(2), conv(32, 16), pool(2), layers.Flatten(), dense(1024, 10)]
    start = even(512)
    lstm = layers.LSTM(
        512, kernel_initializer=start, recurrent_initializer=start, bias_initializer=start, unit_forget_bias=False
    )
    vectors = initializers.RandomNormal(0, 1, seed=3)
    return [layers.Embedding(80, 256, embeddings_initializer=vectors), lstm, dense(512, 80)]


class Stamps(keras.callbacks.Callback):
    """Records the end of each epoch."""

    def on_train_begin(self, logs: object = None) -> None:
        self.clock = Clock()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.clock.epoch((logs or {})["loss"])


def main() -> None:
    arguments, stamps = Arguments.read(), Stamps()
    keras.utils.set_random_seed(1)
    x, y = arguments.arrays()
    if arguments.name == "cnn":
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    if arguments.name == "tabular":
        y = y.astype(np.float32)[:, None]
        loss: keras.losses.Loss = keras.losses.BinaryCrossentropy(from_logits=True)
        optimizer: keras.optimizers.Optimizer = keras.optimizers.RMSprop(1e-3, rho=0.99, epsilon=1e-8)
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        optimizer = keras.optimizers.Adam(1e-3, epsilon=1e-8)
    model = keras.Sequential([keras.Input(x.shape[1:], dtype=x.dtype.name), *network(arguments.name)])
    steps = -(-arguments.rows // arguments.batch) if "--together" in sys.argv else 1
    model.compile(optimizer, loss, steps_per_execution=steps)
    model.fit(x, y, batch_size=arguments.batch, epochs=arguments.epochs, shuffle=True, verbose=0, callbacks=[stamps])
    report(stamps.clock, sum(int(np.prod(w.shape)) for w in model.trainable_weights), version=keras.__version__)


if __name__ == "__main__":
    main()
