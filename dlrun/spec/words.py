"""Other libraries' words, and ours for them; near names for misspellings."""

from __future__ import annotations

import re
from collections.abc import Iterable

KINDS: dict[str, dict[str, str]] = {
    "layers": {
        "dense": "linear",
        "fully_connected": "linear",
        "fc": "linear",
        "lazy_linear": "linear",
        "affine": "linear",
        "inner_product": "linear",
        "conv": "conv2d",
        "convolution": "conv2d",
        "convolution2d": "conv2d",
        "conv2d_transpose": "conv_transpose2d",
        "deconv": "conv_transpose2d",
        "deconv2d": "conv_transpose2d",
        "conv_2d": "conv2d",
        "max_pool": "max_pool2d",
        "maxpool": "max_pool2d",
        "max_pooling": "max_pool2d",
        "max_pooling2d": "max_pool2d",
        "avg_pool": "avg_pool2d",
        "average_pooling2d": "avg_pool2d",
        "average_pool2d": "avg_pool2d",
        "global_average_pooling2d": "adaptive_avg_pool2d: 1",
        "global_avg_pool2d": "adaptive_avg_pool2d: 1",
        "global_avg_pool": "adaptive_avg_pool2d: 1",
        "batch_normalization": "batch_norm",
        "batch_norm1d": "batch_norm",
        "batch_norm2d": "batch_norm",
        "batch_norm3d": "batch_norm",
        "bn": "batch_norm",
        "layer_normalization": "layer_norm",
        "drop": "dropout",
        "logistic": "sigmoid",
        "view": "reshape",
        "unflatten": "reshape",
        "skip": "residual",
        "shortcut": "residual",
        "concatenate": "concat",
        "cat": "concat",
        "sum": "add",
        "mul": "multiply",
        "mean": "average",
        "max": "maximum",
        "loop": "repeat",
    },
    "losses": {
        "categorical_crossentropy": "cross_entropy",
        "sparse_categorical_crossentropy": "cross_entropy",
        "categorical_cross_entropy": "cross_entropy",
        "crossentropy": "cross_entropy",
        "cross_entropy_loss": "cross_entropy",
        "ce": "cross_entropy",
        "nll": "cross_entropy",
        "nll_loss": "cross_entropy",
        "negative_log_likelihood": "cross_entropy",
        "log_loss": "binary_cross_entropy",
        "bce": "binary_cross_entropy",
        "bce_loss": "binary_cross_entropy",
        "binary_crossentropy": "binary_cross_entropy",
        "bce_with_logits": "binary_cross_entropy",
        "bce_with_logits_loss": "binary_cross_entropy",
        "mean_squared_error": "mse",
        "mse_loss": "mse",
        "l2": "mse",
        "mean_absolute_error": "l1",
        "mae": "l1",
        "l1_loss": "l1",
    },
    "metrics": {
        "acc": "accuracy",
        "categorical_accuracy": "accuracy",
        "sparse_categorical_accuracy": "accuracy",
        "binary_accuracy": "accuracy",
        "auc": "roc_auc",
        "auroc": "roc_auc",
        "f1_score": "f1",
        "mean_squared_error": "mse",
        "mean_absolute_error": "mae",
        "l1": "mae",
        "r2_score": "r2",
        "r_squared": "r2",
    },
    "regularizers": {"lasso": "l1", "ridge": "l2", "weight_decay": "l2", "l1_l2": "l1"},
    "optimizers": {"gd": "sgd", "gradient_descent": "sgd", "momentum": "sgd", "rms_prop": "rmsprop"},
    "schedules": {
        "step_lr": "step",
        "exponential_lr": "exponential",
        "exponential_decay": "exponential",
        "cosine": "cosine_annealing",
        "cosine_decay": "cosine_annealing",
        "cosine_annealing_lr": "cosine_annealing",
    },
    "initializers": {
        "glorot_uniform": "xavier_uniform",
        "glorot_normal": "xavier_normal",
        "xavier": "xavier_uniform",
        "glorot": "xavier_uniform",
        "he_uniform": "kaiming_uniform",
        "he_normal": "kaiming_normal",
        "he": "kaiming_normal",
        "kaiming": "kaiming_normal",
        "gaussian": "normal",
        "random_normal": "normal",
        "random_uniform": "uniform",
        "zero": "zeros",
    },
    "preprocess": {
        "standard_scaler": "standardize",
        "standard": "standardize",
        "zscore": "standardize",
        "z_score": "standardize",
        "normalize": "standardize",
        "normalization": "standardize",
        "min_max": "minmax",
        "min_max_scaler": "minmax",
        "rescale": "minmax",
        "linear_discriminant_analysis": "lda",
        "principal_component_analysis": "pca",
    },
    "sources": {"sk": "sklearn", "scikit_learn": "sklearn", "numpy": "npz", "file": "csv", "dataset": "sklearn"},
    "trackers": {"none": "off", "disabled": "off", "ml_flow": "mlflow"},
}

SETTINGS: dict[str, tuple[str, ...]] = {
    "units": ("out_features", "hidden_size"),
    "out": ("out_features", "out_channels"),
    "size": ("out_features", "hidden_size", "kernel_size", "output_size"),
    "output_dim": ("out_features", "embedding_dim"),
    "num_outputs": ("out_features",),
    "filters": ("out_channels",),
    "num_filters": ("out_channels",),
    "channels": ("out_channels",),
    "kernel": ("kernel_size",),
    "filter_size": ("kernel_size",),
    "pool_size": ("kernel_size",),
    "strides": ("stride",),
    "pad": ("padding",),
    "dilation_rate": ("dilation",),
    "use_bias": ("bias",),
    "rate": ("p",),
    "prob": ("p",),
    "probability": ("p",),
    "dropout_rate": ("p",),
    "alpha": ("negative_slope", "alpha"),
    "slope": ("negative_slope",),
    "epsilon": ("eps",),
    "axis": ("dim",),
    "target_shape": ("shape",),
    "input_dim": ("num_embeddings",),
    "vocab_size": ("num_embeddings",),
    "vocabulary_size": ("num_embeddings",),
    "return_sequences": ("output",),
    "hidden": ("hidden_size",),
    "layers": ("num_layers",),
    "kernel_initializer": ("init",),
    "weight_init": ("init",),
    "initializer": ("init",),
    "bias_initializer": ("bias_init",),
    "kernel_regularizer": ("regularizers",),
    "regularizer": ("regularizers",),
    "activity_regularizer": ("regularizers",),
    "learning_rate": ("lr",),
    "beta_1": ("betas",),
    "beta_2": ("betas",),
    "rho": ("alpha",),
    "decay": ("weight_decay", "gamma"),
    "decay_rate": ("gamma",),
    "t_max": ("T_max",),
    "min_lr": ("eta_min",),
    "eta": ("lr",),
    "warmup_steps": ("warmup",),
    "warmup_epochs": ("warmup",),
    "lambda": ("coefficient",),
    "strength": ("coefficient",),
    "k": ("coefficient", "n_components"),
    "components": ("n_components",),
    "num_components": ("n_components",),
    "file": ("path",),
    "filename": ("path",),
    "sep": ("delimiter",),
    "separator": ("delimiter",),
    "batch": ("batch_size",),
    "num_epochs": ("epochs",),
    "max_epochs": ("epochs",),
    "max_steps": ("steps",),
    "gradient_clip": ("clip_grad_norm",),
    "clipnorm": ("clip_grad_norm",),
    "val": ("validation",),
    "valid": ("validation",),
    "stratified": ("stratify",),
    "label": ("target",),
    "labels": ("target",),
    "y": ("target",),
    "x": ("features",),
    "columns": ("features",),
    "metric": ("monitor",),
    "dataset": ("data",),
    "network": ("model",),
    "architecture": ("model",),
    "optim": ("optimizer",),
    "scheduler": ("schedule",),
    "lr_scheduler": ("schedule",),
    "criterion": ("loss",),
    "objective": ("loss",),
    "training": ("train",),
    "trainer": ("train",),
    "variables": ("vars",),
    "macros": ("blocks",),
    "random_state": ("seed",),
    "input_shape": ("input",),
    "input_size": ("input",),
}

EXPLAINED: dict[str, str] = {
    "in_features": "input sizes are inferred and never written",
    "in_channels": "input sizes are inferred and never written",
    "num_features": "input sizes are inferred and never written",
    "normalized_shape": "input sizes are inferred; `dims` says how many of the last axes are normalised",
    "activation": "an activation is a layer of its own: put it on the next line, `- relu`",
    "mode": "whether more is better follows from the figure that is watched",
    "keep": "`dropout: p` gives the share that is dropped: write p = 1 - keep",
    "keep_prob": "`dropout: p` gives the share that is dropped: write p = 1 - keep",
    "inplace": "dlrun decides by itself what may be overwritten",
    "batch_first": "a sequence is always (batch, time, features) here",
    "affine": "`elementwise_affine` for layer_norm; batch_norm always has its scale and shift",
    "shuffle": "the training rows are shuffled every epoch, decided by `seed`",
}


def snake_case(word: str) -> str:
    """``Conv2D`` -> ``conv2d``, ``BatchNorm2d`` -> ``batch_norm2d``, ``ReLU`` -> ``relu``."""
    word = re.sub(r"[\s.-]+", "_", word.strip())
    word = re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", word)
    return word.lower()


def suggest(word: str, known: Iterable[str], ours: dict[str, str] | dict[str, tuple[str, ...]]) -> str:
    """The known name that somebody who wrote `word` most likely meant, or ''."""
    names = list(known)
    snake = snake_case(word)
    squeezed = snake.replace("_", "")
    for name in names:
        if name.replace("_", "").lower() == squeezed:
            return name
    by_letters = {key.replace("_", ""): meant for key, meant in ours.items()}
    for meant in (ours.get(word), ours.get(snake), by_letters.get(squeezed)):
        for name in (meant,) if isinstance(meant, str) else meant or ():
            if name.split(":")[0] in names:
                return name
    import difflib  # only a mistake pays for it

    close = difflib.get_close_matches(snake[:100], names, 1, 0.7)
    return close[0] if close else ""


def did_you_mean(word: str, known: Iterable[str], ours: dict[str, str] | dict[str, tuple[str, ...]]) -> str:
    """``; did you mean 'x'?``, or ''."""
    meant = suggest(word, known, ours)
    return f"; did you mean '{meant}'?" if meant else ""


def shorten(value: object, limit: int = 60) -> str:
    """What was received, as the user would write it, cut to fit a line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, tuple | list):
        text = "[" + ", ".join(shorten(item, 20) for item in value[:8]) + (", …" if len(value) > 8 else "") + "]"
    elif isinstance(value, dict):
        text = "{" + ", ".join(f"{key}: …" for key in list(value)[:4]) + "}"
    elif isinstance(value, str):
        text = f"'{value}'"
    else:
        text = str(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"
