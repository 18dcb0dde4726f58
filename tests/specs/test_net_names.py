"""The shipped names of published networks: with the weights of the library that has them, the same outputs.

The peers of tests/named_nets.py have the libraries' names and need neither; where torchvision or transformers is
installed, its own networks are compared too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import named_nets as named
import pytest
import torch
from places import NETS
from plain_nets import draw_weights
from torch import nn

from dlrun.checks.check import check
from dlrun.errors import SpecError
from dlrun.network.build import build
from dlrun.network.weights_file import weights_in

SMALL = ["vars.width=96", "vars.length=20"]
PIXELS = ["model.input=[3, 32, 32]"]
PEERS: dict[str, tuple[str, str, list[str], Callable[[], nn.Module]]] = {
    "resnet18": ("torchvision", "resnet18", [], partial(named.ResNet, 2, 2, 2, 2, bottleneck=False)),
    "resnet34": ("torchvision", "resnet34", [], partial(named.ResNet, 3, 4, 6, 3, bottleneck=False)),
    "resnet50": ("torchvision", "resnet50_torchvision", [], partial(named.ResNet, 3, 4, 6, 3, bottleneck=True)),
    "resnet101": (
        "torchvision",
        "resnet50_torchvision",
        ["vars.conv4=23"],
        partial(named.ResNet, 3, 4, 23, 3, bottleneck=True),
    ),
    "vgg11": ("torchvision", "vgg_a", PIXELS, partial(named.vgg, "a", 32)),
    "vgg13": ("torchvision", "vgg_b", PIXELS, partial(named.vgg, "b", 32)),
    "vgg16": ("torchvision", "vgg_d", PIXELS, partial(named.vgg, "d", 32)),
    "vgg19": ("torchvision", "vgg_e", PIXELS, partial(named.vgg, "e", 32)),
    "alexnet": ("torchvision", "alexnet_torchvision", [], named.alexnet),
    "gpt2": ("transformers", "gpt2_small", SMALL, partial(named.Gpt2, 96, 20)),
    "bert": ("transformers", "bert_base", SMALL, partial(named.Bert, 96, 20, old=False)),
    "bert of 2018": ("transformers", "bert_base", SMALL, partial(named.Bert, 96, 20, old=True)),
}
"""For each network the word, the spec with its overrides, and a peer."""


def loaded(folder: Path, weights: Any, word: str, spec: str, overrides: list[str]) -> tuple[nn.Module, Any]:
    """A shipped network with the weights of a peer, and the check that chose them."""
    torch.save(weights, folder / "peer.pth")
    start = f"model.weights={{from: {folder / 'peer.pth'}, rename: {word}}}"
    checked = check(NETS / f"{spec}.yaml", [start, *overrides])
    assert checked.start is not None
    network = build(checked.plan, checked.experiment.need("model")).eval()
    network.load_state_dict(weights_in((folder / "peer.pth").read_bytes(), checked.start.taken), strict=False)
    return network, checked


def same_outputs(network: nn.Module, checked: Any, peer: Callable[..., torch.Tensor]) -> None:
    torch.manual_seed(1)
    batches = []
    for of, shape in checked.plan.input_shapes.items():
        words = torch.randint(1, 2 if of == "segments" else 65, (2, *shape))
        batches.append(words if checked.plan.indices[of] else torch.randn(2, *shape))
    with torch.no_grad():
        wanted, found = peer(*batches), network(*batches)
    assert wanted.std() > 1e-3
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5 * wanted.abs().max().item())


@pytest.mark.parametrize("name", PEERS)
def test_a_net_takes_the_weights_of_its_peer(name: str, tmp_path: Path) -> None:
    word, spec, overrides, make = PEERS[name]
    torch.manual_seed(0)
    peer: Any = make().eval()
    draw_weights(peer)
    weights = peer.published() if hasattr(peer, "published") else peer.state_dict()
    network, checked = loaded(tmp_path, weights, word, spec, overrides)
    assert not checked.start.missing and not checked.start.unused
    same_outputs(network, checked, peer)


@pytest.mark.parametrize("name", [name for name, peer in PEERS.items() if peer[0] == "torchvision"])
def test_torchvision_has_these_names(name: str, tmp_path: Path) -> None:
    models = pytest.importorskip("torchvision.models", exc_type=ImportError)
    word, spec, overrides, _ = PEERS[name]
    peer = getattr(models, name)(weights=None).eval()
    draw_weights(peer)
    network, checked = loaded(tmp_path, peer.state_dict(), word, spec, [one for one in overrides if one not in PIXELS])
    assert not checked.start.unused
    same_outputs(network, checked, peer)


@pytest.mark.parametrize("name", ["gpt2", "bert"])
def test_transformers_has_these_names(name: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", exc_type=ImportError)
    word, spec, overrides, _ = PEERS[name]
    if name == "gpt2":
        peer = transformers.GPT2LMHeadModel(transformers.GPT2Config(n_embd=96, n_positions=20)).eval()
    else:
        config = transformers.BertConfig(hidden_size=96, max_position_embeddings=20, intermediate_size=384)
        peer = transformers.BertModel(config).eval()
    network, checked = loaded(tmp_path, peer.state_dict(), word, spec, overrides)
    assert checked.start.unused == (("lm_head.weight",) if name == "gpt2" else ())

    def outputs(*batches: torch.Tensor) -> torch.Tensor:
        return peer(batches[0]).logits if name == "gpt2" else peer(batches[0], token_type_ids=batches[1]).pooler_output

    same_outputs(network, checked, outputs)


def test_every_file_of_names_belongs_to_a_net() -> None:
    used = set()
    for file in NETS.glob("*.yaml"):
        names = check(file).experiment.need("model").names or {}
        used |= {(NETS / path).resolve() for path in names.values()}
    assert used == {*(NETS / "names").iterdir()}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            "{from: w.pth, rename: torchvison}",
            r"`model.names` of this network has no 'torchvison'; did you mean 'torchv",
        ),
        ("{from: w.pth, rename: wrong}", "'b part 4 of 3'"),
        ("{from: w.pth, rename: absent}", "absent.yaml"),
        ("{from: w.pth, rename: {a: 'b (*+1)'}}", "a name, and after it perhaps `part 1 of 3` or `transposed`"),
    ],
)
def test_a_wrong_word_or_file_is_an_error_at_its_place(model: str, message: str, tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2)}, tmp_path / "w.pth")
    (tmp_path / "wrong.yaml").write_text("a: b part 4 of 3\n")
    names = "{torchvision: t.yaml, wrong: wrong.yaml, absent: absent.yaml}"
    file = tmp_path / "spec.yaml"
    file.write_text(f"model: {{input: [3], names: {names}, weights: {model}, layers: [linear: 2]}}\n")
    with pytest.raises(SpecError, match=message) as caught:
        check(file)
    assert caught.value.problems[0].place is not None
