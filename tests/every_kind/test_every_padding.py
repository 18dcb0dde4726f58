"""Padding never changes a result: each kind that takes padded sequences, and whole networks of them."""

from pathlib import Path

import pytest
import torch

from dlrun.checks.check import check_model
from dlrun.checks.reading import read_spec
from dlrun.components.layers import Container, Layer
from dlrun.errors import SpecError
from dlrun.language.component import choose
from dlrun.language.kinds import find, kinds
from dlrun.modules.attention import real_positions
from dlrun.network.build import build

T, S, E, ADDED = 5, 4, 6, 3
WRITTEN = {
    "additive_attention": {"hidden_size": 4, "memory": "m"},
    "cross_attention": {"num_heads": 2, "memory": "m"},
    "multihead_attention": {"num_heads": 2},
    "transformer_decoder_layer": {"nhead": 2, "dim_feedforward": 8, "dropout": 0, "memory": "m"},
    "transformer_encoder_layer": {"nhead": 2, "dim_feedforward": 8, "dropout": 0},
    "gaussian_noise": {"std": 0.1},
    "linear": {"out_features": 4},
    "maxout": {"out_features": 4, "pieces": 2},
    "select": {"index": -1},
    "threshold": {"threshold": 0.1, "value": 20.0},
    "position_embedding": {"num_embeddings": T + ADDED},
    "lstm": {"hidden_size": 4, "output": "sequence"},
    "gru": {"hidden_size": 4, "output": "sequence"},
    "rnn": {"hidden_size": 4, "output": "sequence"},
}
"""Settings for the kinds that need some."""


def layer_of(kind: str, **settings):
    return choose("layers", {kind: {**WRITTEN.get(kind, {}), **settings}})


def takes_padding(kind: str) -> bool:
    cls = find("layers", kind)
    if issubclass(cls, Container) or cls.accepts == "indices":
        return False
    if cls.padding_is == "refused" and cls.treats_padding is Layer.treats_padding:
        return False
    return layer_of(kind).treats_padding((T, E)) != "refused"


PADDED = [kind for kind in kinds("layers") if takes_padding(kind)]


def padded(x: torch.Tensor, at: str) -> tuple[torch.Tensor, torch.Tensor]:
    """x (N, T, E) with steps of garbage added, and which steps are real."""
    garbage = torch.full((len(x), ADDED, x.shape[2]), 1e4)
    real, not_real = torch.ones(x.shape[:2], dtype=torch.bool), torch.zeros(len(x), ADDED, dtype=torch.bool)
    order = ((garbage, not_real), (x, real)) if at == "front" else ((x, real), (garbage, not_real))
    return torch.cat([a for a, _ in order], 1), torch.cat([b for _, b in order], 1)


@pytest.mark.parametrize("at", ["end", "front"])
@pytest.mark.parametrize("kind", PADDED)
def test_padding_never_changes_what_a_layer_makes_of_the_real_steps(kind: str, at: str) -> None:
    layer = layer_of(kind)
    torch.manual_seed(0)
    others = ((S, E),) if layer.second_inputs else ()
    long = layer.build((T + ADDED, E), *((S + ADDED, E) for _ in others)).eval()
    short = layer.build((T, E), *others).eval()
    if not kind.startswith("positional"):
        short.load_state_dict(long.state_dict())
    x, memory = torch.randn(3, T, E), [torch.randn(3, S, E) for _ in others]
    x_padded, mask = padded(x, at)
    as_validation_error = {"mask": mask}
    memory_padded = []
    for each in memory:
        more, as_validation_error["memory_mask"] = padded(each, at)
        memory_padded.append(more)
    if layer.treats_padding((T + ADDED, E)) == "per_step":
        as_validation_error = {}
    expected = short(x, *memory)
    got = long(x_padded, *memory_padded, **as_validation_error)
    if got.dim() == 3 and got.shape[1] == T + ADDED:
        got = got[:, ADDED:] if at == "front" else got[:, :T]
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("at", ["end", "front"])
@pytest.mark.parametrize("output", ["last", "sequence"])
@pytest.mark.parametrize(
    "kind, settings",
    [
        ("lstm", {"bidirectional": True, "num_layers": 2}),
        ("lstm", {"reverse": True}),
        ("lstm", {"initial_state": "learned", "bidirectional": True}),
        ("lstm", {"peepholes": "diagonal", "bidirectional": True, "num_layers": 2}),
        ("lstm", {"coupled": True, "reverse": True}),
        ("gru", {"reset": "before", "bidirectional": True}),
        ("rnn", {"nonlinearity": "relu", "reverse": True}),
    ],
)
def test_padding_never_changes_what_a_recurrent_layer_reads(kind: str, settings: dict, output: str, at: str) -> None:
    torch.manual_seed(0)
    module = layer_of(kind, output=output, **settings).build((T, E)).eval()
    x = torch.randn(3, T, E)
    x_padded, mask = padded(x, at)
    expected, got = module(x), module(x_padded, mask=mask)
    if output == "sequence":
        got = got[:, ADDED:] if at == "front" else got[:, :T]
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_many_kinds_take_padded_sequences() -> None:
    assert {"linear", "relu", "dropout", "layer_norm", "multihead_attention", "lstm", "gru", "rnn"} <= set(PADDED)


@pytest.fixture
def network(tmp_path: Path):
    def built(layers: str):
        file = tmp_path / "net.yaml"
        file.write_text(f"model:\n  input: [{T + ADDED}]\n  layers:\n" + layers)
        plan = check_model(file)
        torch.manual_seed(0)
        return build(plan, read_spec(file).sections["model"]).eval()

    return built


def test_positions_count_the_real_steps() -> None:
    mask = torch.tensor([[True, True, True], [False, True, True], [True, False, True], [False, False, False]])
    assert real_positions(mask).tolist() == [[0, 1, 2], [0, 0, 1], [0, 0, 1], [0, 0, 0]]


EMBEDDING = "    - embedding: {num_embeddings: 9, embedding_dim: 6, padding_idx: 0}\n"
NETWORKS = {
    "lstm": "    - lstm: 5\n    - linear: 3\n",
    "both ways": "    - lstm: {hidden_size: 5, bidirectional: true, num_layers: 2}\n    - linear: 3\n",
    "gru to transformer": "    - gru: {hidden_size: 6, output: sequence}\n    - residual: [{linear: 6}, relu]\n"
    "    - transformer_encoder_layer: {nhead: 2, dim_feedforward: 8}\n    - select: -1\n",
    "encoder and attention": "    - layer_norm: {name: m}\n    - select: 0\n"
    "    - additive_attention: {hidden_size: 4, memory: m}\n",
    "positions": "    - position_embedding\n    - positional_encoding\n"
    "    - transformer_encoder_layer: {nhead: 2, dim_feedforward: 8}\n    - select: -1\n",
}


@pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS)
def test_padding_never_changes_what_a_network_gives(network, layers: str) -> None:
    net = network(EMBEDDING + layers)
    words = torch.randint(1, 9, (4, T))
    nothing = torch.zeros(4, ADDED, dtype=torch.long)
    end, front = net(torch.cat((words, nothing), 1)), net(torch.cat((nothing, words), 1))
    torch.testing.assert_close(end, front, rtol=1e-5, atol=1e-5)
    middle = torch.cat((words[:, :2], nothing, words[:, 2:]), 1)
    torch.testing.assert_close(net(middle), end, rtol=1e-5, atol=1e-5)
    assert torch.isfinite(net(torch.zeros(2, T + ADDED, dtype=torch.long))).all()


def test_a_layer_that_cannot_keep_padding_out_is_refused_with_the_embedding(network) -> None:
    with pytest.raises(SpecError) as caught:
        network(EMBEDDING + "    - relu\n    - permute: [1, 0]\n    - conv1d: {out_channels: 3, kernel_size: 2}\n")
    assert "permute: cannot keep padding out" in str(caught.value)
    assert "the padding comes from here" in str(caught.value)


def test_without_a_padding_index_nothing_is_masked(network) -> None:
    net = network(EMBEDDING.replace(", padding_idx: 0", "") + "    - flatten\n    - linear: 2\n")
    assert not any(node.target is torch.ne for node in net.graph.nodes)


def test_the_mask_is_computed_once_for_all_layers(network) -> None:
    net = network(EMBEDDING + "    - multihead_attention: 2\n    - multihead_attention: 2\n    - select: -1\n")
    assert sum(node.target is torch.ne for node in net.graph.nodes) == 1
