"""Names of layers and weights: which are visible from where, which are reserved, which match a pattern."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field

from dlrun.components.layers import Layer
from dlrun.errors import Place


@dataclass(slots=True)
class Scope:
    """The names inside one container."""

    prefix: str
    parent: Scope | None
    named: dict[str, tuple[int, Layer | None, Place]] = field(default_factory=dict)
    """Given names: the value, the layer and the place of each; an input has no layer."""
    taken: set[str] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)

    def find(self, name: str) -> tuple[int, Layer | None, str] | None:
        """The value, the layer and the full name of the nearest thing with this name, here or further out."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.named:
                value, layer, _ = scope.named[name]
                return value, layer, f"{scope.prefix}{name}"
            scope = scope.parent
        return None

    def known(self) -> list[str]:
        """Every name that is visible from here."""
        return [*self.named, *(self.parent.known() if self.parent else ())]


def matches(weight: str, pattern: str) -> bool:
    """Whether a pattern names a weight: by its full name, or by a layer that it lies in."""
    return fnmatch.fnmatchcase(weight, pattern) or fnmatch.fnmatchcase(weight, f"{pattern}.*")


RESERVED = frozenset(
    [
        "add_module",
        "add_submodule",
        "apply",
        "bfloat16",
        "buffers",
        "call_super_init",
        "children",
        "code",
        "compile",
        "cpu",
        "cuda",
        "delete_all_unused_submodules",
        "delete_submodule",
        "double",
        "dump_patches",
        "eval",
        "extra_repr",
        "float",
        "forward",
        "get_buffer",
        "get_extra_state",
        "get_parameter",
        "get_submodule",
        "graph",
        "half",
        "input",
        "ipu",
        "load_state_dict",
        "meta",
        "modules",
        "mtia",
        "named_buffers",
        "named_children",
        "named_modules",
        "named_parameters",
        "parameters",
        "preprocess",
        "print_readable",
        "recompile",
        "register_backward_hook",
        "register_buffer",
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "register_full_backward_pre_hook",
        "register_load_state_dict_post_hook",
        "register_load_state_dict_pre_hook",
        "register_module",
        "register_parameter",
        "register_state_dict_post_hook",
        "register_state_dict_pre_hook",
        "requires_grad_",
        "set_extra_state",
        "set_submodule",
        "shape_env",
        "share_memory",
        "state_dict",
        "to",
        "to_empty",
        "to_folder",
        "train",
        "training",
        "type",
        "xpu",
        "zero_grad",
    ]
)
"""Names that torch's own modules use, and two of the plan's own."""
