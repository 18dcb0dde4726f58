"""Attention in all its forms, against torch's own modules and against the formulas."""

from pathlib import Path

import pytest
import torch
from places import NETS
from torch import nn
from torch.nn import functional

from dlrun.checks.check import check_model
from dlrun.checks.reading import read_spec
from dlrun.errors import SpecError
from dlrun.language.component import choose
from dlrun.network.build import build
from dlrun.shapes import ShapeError

T, S, E = 7, 5, 12


def module_of(written, *shapes: tuple[int, ...], seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return choose("layers", written).build(*shapes).eval()


@pytest.fixture
def network(tmp_path: Path):
    def built(text: str, seed: int = 0):
        file = tmp_path / "net.yaml"
        file.write_text(text)
        plan = check_model(file)
        torch.manual_seed(seed)
        return plan, build(plan, read_spec(file).sections["model"]).eval()

    return built


@pytest.mark.parametrize("causal", [False, True])
def test_bare_attention_is_its_formula(causal: bool) -> None:
    x = torch.randn(3, T, E)
    scores = x @ x.transpose(1, 2) / E**0.5
    if causal:
        scores = scores.masked_fill(torch.ones(T, T).triu(1).bool(), -torch.inf)
    got = module_of({"scaled_dot_product_attention": {"causal": causal}}, (T, E))(x)
    torch.testing.assert_close(got, scores.softmax(2) @ x)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_multihead_attention_is_its_formula_head_by_head(causal: bool, bias: bool) -> None:
    module = module_of({"multihead_attention": {"num_heads": 3, "causal": causal, "bias": bias}}, (T, E))
    x = torch.randn(2, T, E)
    offset = module.in_proj_bias if bias else torch.zeros(3 * E)
    q, k, v = (x @ w.T + b for w, b in zip(module.in_proj_weight.chunk(3), offset.chunk(3), strict=True))
    heads = []
    for head in range(3):
        mine = slice(head * 4, head * 4 + 4)
        scores = q[..., mine] @ k[..., mine].transpose(1, 2) / 2
        if causal:
            scores = scores.masked_fill(torch.ones(T, T).triu(1).bool(), -torch.inf)
        heads.append(scores.softmax(2) @ v[..., mine])
    expected = module.out_proj(torch.cat(heads, 2))
    torch.testing.assert_close(module(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["multihead_attention", "transformer_encoder_layer"])
def test_a_causal_layer_gives_the_same_for_a_beginning_whatever_comes_later(kind: str) -> None:
    heads = {"multihead_attention": "num_heads", "transformer_encoder_layer": "nhead"}[kind]
    module = module_of({kind: {heads: 2, "causal": True}}, (T, E))
    x = torch.randn(2, T, E)
    other = x.clone()
    other[:, 4:] = torch.randn(2, T - 4, E)
    torch.testing.assert_close(module(x)[:, :4], module(other)[:, :4])
    assert not torch.allclose(module(x)[:, 4:], module(other)[:, 4:])


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_an_encoder_layer_is_torchs_with_the_same_weights(activation: str, norm_first: bool) -> None:
    settings = {"nhead": 3, "dim_feedforward": 20, "activation": activation, "norm_first": norm_first, "dropout": 0}
    ours = module_of({"transformer_encoder_layer": settings}, (T, E))
    layer = nn.TransformerEncoderLayer(E, 3, 20, 0.0, activation, batch_first=True, norm_first=norm_first)
    stack = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False).eval()
    stack.layers[0].load_state_dict(ours.state_dict())
    x = torch.randn(2, T, E)
    torch.testing.assert_close(ours(x), stack(x), rtol=1e-5, atol=1e-5)
    ours.train(), stack.train()
    torch.testing.assert_close(ours(x), stack(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("written", "activation"),
    [("silu", functional.silu), ({"gelu": "tanh"}, lambda x: functional.gelu(x, approximate="tanh"))],
)
def test_an_encoder_layer_has_the_activation_it_names_also_without_gradients(written, activation) -> None:
    # Without gradients torch has a kernel of its own for relu and the exact gelu alone.
    settings = {"nhead": 2, "dim_feedforward": 20, "activation": written, "dropout": 0, "layer_norm_eps": 0.1}
    ours = module_of({"transformer_encoder_layer": settings}, (T, 6))
    theirs = nn.TransformerEncoderLayer(6, 2, 20, 0.0, activation, 0.1, batch_first=True).eval()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, T, 6)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-5)
    exact = nn.TransformerEncoderLayer(6, 2, 20, 0.0, "gelu", 0.1, batch_first=True).eval()
    exact.load_state_dict(ours.state_dict())
    assert (ours(x) - exact(x)).abs().max() > 1e-5


def test_an_activation_inside_a_layer_keeps_the_shape_and_the_steps_and_has_no_weights(network) -> None:
    text = "model: {{input: [4, 8], layers: [transformer_encoder_layer: {{nhead: 2, activation: {}}}]}}"
    for activation, problem in {
        "{linear: 3}": "an activation with a gradient is expected, such as relu or gelu; received linear",
        "step": "an activation with a gradient is expected, such as relu or gelu; received step",
        "glu": r"the activation glu has another output shape, \(4, 1024\) for \(4, 2048\)",
        "prelu": "the activation prelu has weights of its own",
        "{softmax: 0}": "the activation softmax computes a step from the other steps too",
        "{relu: {name: a}}": "the activation inside a layer has no name; received 'a'",
    }.items():
        with pytest.raises(SpecError, match=problem):
            network(text.format(activation))


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_decoder_layer_is_torchs_with_the_same_weights(norm_first: bool) -> None:
    written = {"nhead": 3, "dim_feedforward": 20, "norm_first": norm_first, "dropout": 0, "causal": True, "memory": "m"}
    ours = module_of({"transformer_decoder_layer": written}, (T, E), (S, E))
    layer = nn.TransformerDecoderLayer(E, 3, 20, 0.0, batch_first=True, norm_first=norm_first).eval()
    layer.load_state_dict(ours.state_dict())
    x, memory = torch.randn(2, T, E), torch.randn(2, S, E)
    mask = nn.Transformer.generate_square_subsequent_mask(T)
    torch.testing.assert_close(ours(x, memory), layer(x, memory, tgt_mask=mask), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("states", [(), (4,)])
def test_additive_attention_is_bahdanaus_formula(states: tuple[int, ...]) -> None:
    module = module_of({"additive_attention": {"hidden_size": 6, "memory": "m"}}, (*states, 9), (S, E))
    query, memory = torch.randn(2, *states, 9), torch.randn(2, S, E)
    expected = torch.zeros(2, *states, E)
    for n in range(2):
        for t in range(states[0] if states else 1):
            q = query[n, t] if states else query[n]
            energy = torch.stack(
                [
                    module.score.weight[0]
                    @ torch.tanh(module.query.weight @ q + module.memory.weight @ m + module.memory.bias)
                    for m in memory[n]
                ]
            )
            context = (energy.softmax(0)[:, None] * memory[n]).sum(0)
            if states:
                expected[n, t] = context
            else:
                expected[n] = context
    torch.testing.assert_close(module(query, memory), expected, rtol=1e-5, atol=1e-5)


TWO = {
    "cross_attention": ({"num_heads": 3, "memory": "m"}, (T, E)),
    "additive_attention": ({"hidden_size": 6, "memory": "m"}, (9,)),
    "transformer_decoder_layer": ({"nhead": 3, "dim_feedforward": 8, "memory": "m"}, (T, E)),
}


@pytest.mark.parametrize("kind", TWO)
def test_a_layer_on_two_values_has_the_weights_it_says_and_trains_all_of_them(kind: str) -> None:
    settings, shape = TWO[kind]
    layer = choose("layers", {kind: settings})
    module = layer.build(shape, (S, E))
    assert {n: tuple(p.shape) for n, p in module.named_parameters()} == layer.weights(shape, (S, E))
    output = module(torch.randn(2, *shape), torch.randn(2, S, E))
    assert tuple(output.shape[1:]) == layer.output_shape(shape, (S, E))
    (output * torch.randn_like(output)).sum().backward()
    assert all(p.grad is not None for p in module.parameters())


def test_two_sequences_of_different_width_are_refused() -> None:
    with pytest.raises(ShapeError, match="same number of features"):
        choose("layers", {"cross_attention": {"num_heads": 3, "memory": "m"}}).output_shape((T, E), (S, 9))


def test_features_that_cannot_be_divided_among_the_heads_are_refused() -> None:
    with pytest.raises(ShapeError, match="5 heads"):
        choose("layers", {"multihead_attention": 5}).output_shape((T, E))


def test_an_encoder_and_a_decoder_are_wired_by_name(network) -> None:
    plan, net = network(
        """
model:
  input: [5, 12]
  layers:
    - transformer_encoder_layer: {nhead: 2, dim_feedforward: 16, name: encoder}
    - select: {start: 0, stop: 3}
    - transformer_decoder_layer: {nhead: 2, dim_feedforward: 16, memory: encoder}
    - select: -1
    - additive_attention: {hidden_size: 4, memory: encoder}
"""
    )
    assert plan.output_shapes["output"] == (12,)
    x = torch.randn(2, 5, 12)
    memory = net.encoder(x)
    expected = net.additive_attention_1(net.transformer_decoder_layer_1(memory[:, :3], memory)[:, -1], memory)
    torch.testing.assert_close(net(x), expected)


def test_a_memory_that_nobody_gives_is_told(network) -> None:
    with pytest.raises(SpecError, match="no earlier layer is called 'encodr'; did you mean 'encoder'"):
        network(
            "model: {input: [5, 12], layers: [{relu: {name: encoder}}, "
            "{cross_attention: {num_heads: 2, memory: encodr}}]}"
        )


def test_positions_are_the_papers_sines_and_cosines() -> None:
    added = module_of("positional_encoding", (50, 8))(torch.zeros(1, 50, 8))[0]
    for t in (0, 1, 17, 49):
        for i in range(4):
            angle = torch.tensor(t / 10000 ** (2 * i / 8), dtype=torch.float64)
            assert added[t, 2 * i].item() == pytest.approx(angle.sin().item(), abs=1e-6)
            assert added[t, 2 * i + 1].item() == pytest.approx(angle.cos().item(), abs=1e-6)


def test_a_tied_weight_is_one_weight_counted_once(network) -> None:
    plan, net = network(
        """
model:
  input: [6]
  layers:
    - embedding: {num_embeddings: 20, embedding_dim: 8, name: words}
    - multihead_attention: 2
    - linear: {out_features: 20, bias: false, tied_to: words}
"""
    )
    assert plan.total == 20 * 8 + (3 * 64 + 24 + 64 + 8)
    assert net.words.weight is net.linear_1.weight
    assert sum(p.numel() for p in net.parameters()) == plan.total
    net(torch.randint(20, (2, 6))).sum().backward()
    assert net.words.weight.grad is not None


def test_a_weight_of_another_size_cannot_be_tied(network) -> None:
    with pytest.raises(SpecError, match=r"'words' has a weight \(20, 8\), and this layer needs \(21, 8\)"):
        network(
            "model: {input: [6], layers: [{embedding: {num_embeddings: 20, embedding_dim: 8, name: words}}, "
            "{linear: {out_features: 21, tied_to: words}}]}"
        )


def test_gpt2_small_has_its_published_count() -> None:
    # 50257*768 + 1024*768 + 12*(12*768**2 + 13*768) + 2*768, the released checkpoint's.
    plan = check_model(NETS / "gpt2_small.yaml")
    assert plan.total == 50257 * 768 + 1024 * 768 + 12 * (12 * 768**2 + 13 * 768) + 2 * 768 == 124_439_808
    assert plan.output_shapes["output"] == (1024, 50257)
