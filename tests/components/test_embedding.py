"""The vector of padding in an embedding: 0 at first and after training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import dlrun
from dlrun.language.kinds import kinds
from dlrun.views.reference.reference import describe_kind

SPEC = """
data: {{source: {{csv: rows.csv}}, target: y}}
model:
  layers:
    - embedding: {{num_embeddings: 8, embedding_dim: 4, padding_idx: 0, name: words{own}}}
    - select: -1
    - linear: 3
{model}
loss: cross_entropy
optimizer: {{adamw: {{lr: 0.1, weight_decay: 0.1}}}}
train: {{epochs: 2, device: cpu}}
"""


WITH_ZEROS = {"zeros", "identity", "sparse", "dirac"}
"""The initializers of which other vectors have zeros too, or that an embedding cannot take."""


@pytest.mark.parametrize("kind", [None, *(kind for kind in kinds("initializers") if kind not in WITH_ZEROS)])
@pytest.mark.parametrize("where", ["own", "model"])
def test_the_vector_of_padding_is_0_whatever_the_other_vectors_start_from(kind, where, tmp_path: Path):
    rows = "".join(f"{row % 7},{row % 5},{row % 3},{'pqr'[row % 3]}\n" for row in range(60))
    (tmp_path / "rows.csv").write_text("a,b,c,y\n" + rows)
    written = f"{{{describe_kind('initializers', kind).example}}}".replace(f"{{{kind}}}", kind) if kind else ""
    init = {"own": f", init: {written}" if kind else "", "model": f"  init: {written}" if kind else ""}
    (tmp_path / "words.yaml").write_text(SPEC.format(**{"own": "", "model": "", where: init[where]}))
    folder = dlrun.train(tmp_path / "words.yaml", "tracking=off", runs=tmp_path).folder
    words = dlrun.load_network(folder, "last").get_parameter("words.weight")
    assert torch.equal(words[0], torch.zeros(4))
    assert words[1:].abs().min() > 0
