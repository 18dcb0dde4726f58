"""Private names of torch: one module uses them, and does without them where torch lacks them."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import networks
import pytest
import torch
from places import ROOT
from torch import Tensor, fx, nn

from dlrun.components.optimizers import Optimizer
from dlrun.language.component import choose
from dlrun.modules import private_torch
from dlrun.modules.linear import Linear, suits
from dlrun.modules.recurrent.stepwise import PeepholeLstm
from dlrun.training.speed import capture as capturing
from dlrun.training.speed import recording

OWN = Path(private_torch.__file__)
SAMPLES = (
    *(torch, torch.ops, torch.ops.aten, torch.ops.aten.add, torch.ops.aten.add.Tensor, torch.jit, torch.Generator()),
    *(torch.ones(1), nn.Parameter(torch.ones(1)), torch.device("cpu"), torch.float32, torch.autograd.Function),
    *(nn.Module(), nn.LSTM(1, 1), nn.MultiheadAttention(2, 1), nn.BatchNorm1d(1), nn.Conv2d(1, 1, 1)),
    *(fx.Graph(), fx.GraphModule(nn.Module(), fx.Graph()), torch.optim.Adam),
)
"""Objects of torch's whose private attributes nobody may use."""


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


ATTRIBUTES = {name for sample in SAMPLES for name in dir(sample) if is_private(name)}


def root_of(node: ast.expr) -> str:
    """The name that a chain of attributes begins with."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def private_uses(tree: ast.Module) -> Iterator[str]:
    """The private names of torch in a module: imported, as attributes, as text for `getattr`, or overridden."""
    torchs = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.partition(".")[0] == "torch"]
            torchs |= {alias.asname or "torch" for alias in node.names if alias.name in names}
            yield from (name for name in names if any(map(is_private, name.split("."))))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "torch":
            torchs |= {alias.asname or alias.name for alias in node.names}
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name for name in names if any(map(is_private, name.split("."))))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            if node.attr in ATTRIBUTES or root_of(node) in torchs:
                yield ast.unparse(node)
        elif isinstance(node, ast.ClassDef):
            defined = [item.name for item in node.body if isinstance(item, ast.FunctionDef)]
            yield from (f"{node.name}.{name}" for name in defined if name in ATTRIBUTES)
        elif isinstance(node, ast.Call) and root_of(node.func) in ("getattr", "hasattr", "setattr", "attrgetter"):
            texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            yield from (text for text in texts if any(map(is_private, text.split("."))))


def test_one_module_alone_uses_private_names_of_torch() -> None:
    found = {path: [*private_uses(ast.parse(path.read_text()))] for path in (ROOT / "dlrun").rglob("*.py")}
    assert found.pop(OWN)
    assert {path: uses for path, uses in found.items() if uses} == {}


@pytest.mark.parametrize(
    "code",
    [
        "import torch\ntorch._foreach_add(a, b)",
        "import torch\ntorch._C.x(a)",
        "import torch\ntorch.ops.aten._unsafe_view.default",
        "import torch\nhasattr(torch.ops.mkldnn, '_linear_pointwise')",
        "import torch.utils._python_dispatch",
        "from torch import _VF",
        "from torch.utils._python_dispatch import TorchDispatchMode",
        "from torch.utils import data as t\nt._utils.x",
        "x._schema",
        "self._parameters['x']",
        "class A(B):\n    def _apply(self): ...",
    ],
)
def test_a_private_use_is_found(code: str) -> None:
    assert list(private_uses(ast.parse(code)))


@pytest.fixture(scope="module")
def lacking() -> ModuleType:
    """The module as a torch without any of the private functions would have it."""
    spec = importlib.util.spec_from_file_location("lacking", OWN)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in dir(torch) if name.startswith(("_foreach_", "_fused_"))]:
            patch.delattr(torch, name)
        patch.delattr(torch._C, "_jit_to_static_module")
        patch.delattr(torch.jit, "CompilationUnit")
        patch.delattr("torch.utils._python_dispatch.TorchDispatchMode")
        patch.setattr(torch.ops, "mkldnn", SimpleNamespace())
        spec.loader.exec_module(module)
    return module


def lists(count: int, *sizes: int) -> list[list[Tensor]]:
    """Lists of positive tensors; sizes that no vector's width divides."""
    generator = torch.Generator().manual_seed(7)
    return [[torch.rand(size, generator=generator) + 0.1 for size in sizes] for _ in range(count)]


FOREACH: dict[str, tuple[int, tuple[Any, ...], dict[str, Any]]] = {
    "foreach_abs": (1, (), {}),
    "foreach_add": (2, (), {"alpha": 0.3}),
    "foreach_add_": (1, (1e-3,), {}),
    "foreach_addcdiv_": (3, (), {"value": -0.01}),
    "foreach_addcmul": (3, (), {"value": -1}),
    "foreach_addcmul_": (3, (), {"value": 0.01}),
    "foreach_clamp_min_": (2, (), {}),
    "foreach_div": (2, (), {}),
    "foreach_div_": (1, (torch.tensor(0.7, dtype=torch.float64),), {}),
    "foreach_lerp": (2, (0.1,), {}),
    "foreach_lerp_": (2, (0.01,), {}),
    "foreach_mul": (1, (torch.tensor(0.7),), {}),
    "foreach_mul_": (1, (0.99,), {}),
    "foreach_reciprocal_": (1, (), {}),
    "foreach_sign_": (1, (), {}),
    "foreach_sqrt": (1, (), {}),
    "foreach_sqrt_": (1, (), {}),
}
"""How many lists each takes, and what besides."""


def test_every_operator_on_lists_has_a_case() -> None:
    assert set(FOREACH) == {name for name in dir(private_torch) if name.startswith("foreach_")}


@pytest.mark.parametrize("name", FOREACH)
def test_a_loop_gives_the_bits_of_the_operator_on_lists(name: str, lacking: ModuleType) -> None:
    count, more, named = FOREACH[name]
    kept = []
    for module in (private_torch, lacking):
        tensors = lists(count, 1, 13, 100, 1031)
        results = getattr(module, name)(*tensors, *more, **named)
        kept.append([*tensors[0], *(() if name.endswith("_") else results)])
    assert getattr(private_torch, name) is not getattr(lacking, name)
    assert all(torch.equal(one, other) for one, other in zip(*kept, strict=True))


@pytest.mark.parametrize(
    "written",
    [
        *("adam", {"adam": {"amsgrad": True, "weight_decay": 0.1}}, "adamw", {"adamw": {"amsgrad": True}}),
        *({"sgd": 0.1}, {"sgd": {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}}),
        *({"sgd": {"lr": 0.1, "momentum": 0.9, "dampening": 0.4}}, "rmsprop"),
        {"rmsprop": {"momentum": 0.5, "centered": True, "weight_decay": 0.1}},
        *({"adagrad": {"lr_decay": 0.1}}, "adadelta", "adamax", "nadam", "radam", {"lion": {"weight_decay": 0.1}}),
    ],
    ids=str,
)
def test_an_optimizer_without_private_names_moves_to_the_same_bits(
    written: Any, lacking: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    optimizer = choose("optimizers", written)
    assert isinstance(optimizer, Optimizer)
    ends = []
    for module in (private_torch, lacking):
        monkeypatch.setitem(sys.modules, private_torch.__name__, module)
        weights, *gradients = lists(4, 1, 13, 1031)
        state = optimizer.begin(weights)
        for grads in gradients:
            optimizer.step(weights, grads, state, optimizer.lr, optimizer.count(state))
        ends.append([*weights, *(tensor for kept in state.values() for tensor in kept)])
    assert all(torch.equal(one, other) for one, other in zip(*ends, strict=True))


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(257, 333), (3, 128, 512)], ids=str)
def test_onednns_product_by_public_calls_has_the_same_bits(
    shape: tuple[int, ...], bias: bool, relu: bool, lacking: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(3)
    layer = Linear(shape[-1], 211, bias)
    layer.relu = relu
    x = torch.randn(shape, requires_grad=True)
    if not suits(x, layer.weight):
        pytest.skip("oneDNN is not used here")
    found = []
    for module in (private_torch, lacking):
        monkeypatch.setattr("dlrun.modules.linear.linear_of_onednn", module.linear_of_onednn)
        y = layer(x)
        found.append([y, *torch.autograd.grad(y.square().sum(), [x, *layer.parameters()])])
    assert private_torch.linear_of_onednn is not lacking.linear_of_onednn
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_a_torch_that_cannot_record_captures_nothing(lacking: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert private_torch.CAN_RECORD and not lacking.CAN_RECORD
    assert lacking.DispatchMode is object
    monkeypatch.setattr(capturing, "CAN_RECORD", lacking.CAN_RECORD)
    assert not capturing.can_capture()


SPEC = """
data: {source: {sklearn: digits}, preprocess: [minmax]}
model: {input: [1, 8, 8], layers: [flatten, {linear: 24}, relu, {dropout: 0.3}, {linear: 10}]}
loss: cross_entropy
metrics: [accuracy]
optimizer: rmsprop
train: {epochs: 4, batch_size: 64, clip_grad_norm: 1.0}
"""


def test_a_training_without_private_functions_ends_in_the_same_bits(
    lacking: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = networks.train(tmp_path, SPEC)
    monkeypatch.setitem(sys.modules, private_torch.__name__, lacking)
    monkeypatch.setattr("dlrun.training.step.foreach_mul", lacking.foreach_mul)
    with pytest.raises(lacking.NotAvailableError):
        lacking.static_runtime(None)
    monkeypatch.setattr(recording, "static_runtime", lacking.static_runtime)
    monkeypatch.setattr(recording, "is_view", lacking._never)
    by_the_interpreter = networks.train(tmp_path, SPEC)
    monkeypatch.setattr(capturing, "CAN_RECORD", False)
    plain = networks.train(tmp_path, SPEC)
    for name, weight in expected.ready.network.state_dict().items():
        assert torch.equal(by_the_interpreter.ready.network.state_dict()[name], weight), name
        assert torch.equal(plain.ready.network.state_dict()[name], weight), name


def test_a_modules_own_parameters_are_the_same_by_public_calls() -> None:
    settings = {"num_layers": 1, "dropout": 0.0, "bidirectional": False, "output": "last", "reverse": False}
    module = PeepholeLstm({"h0": (1, 2), "weight_ih_l0": (8, 3)}, hidden_size=2, state_size=2, **settings)
    found = private_torch._parameters_by_public_calls(module)
    own = private_torch.parameters_of(module)
    assert list(own) == list(found) == ["h0", "weight_ih_l0"]
    assert all(own[name] is found[name] for name in own)
