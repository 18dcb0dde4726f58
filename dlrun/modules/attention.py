"""Attention over (N, T, E) that returns one tensor, as other layers do, and positions for its steps.

`mask` (N, T) and `memory_mask` (N, S) are True where a step is real; no real step attends to padding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


def hidden(x_NTE: torch.Tensor, causal: bool, mask: torch.Tensor | None) -> torch.Tensor | None:
    """The steps (columns) that each step (row) must not attend to: (T, T) or (N, T, T) of True; None: it may use all.

    Each step may attend to itself, even if it is padding: a softmax over nothing would be NaN, and NaN spreads.
    """
    steps = x_NTE.shape[1]
    later = torch.ones(steps, steps, dtype=torch.bool, device=x_NTE.device).triu(1) if causal else None
    if mask is None:
        return later
    itself = torch.eye(steps, dtype=torch.bool, device=x_NTE.device)
    padding = ~mask[:, None, :] & ~itself
    return padding if later is None else padding | later


def hidden_memory(queries: int, mask: torch.Tensor) -> torch.Tensor:
    """The steps of a memory that each of `queries` steps must not attend to (N, T, S); none if all are padding."""
    padding = ~mask & mask.any(1, keepdim=True)
    return padding[:, None, :].expand(-1, queries, -1)


def for_heads(hidden: torch.Tensor | None, heads: int) -> torch.Tensor | None:
    """The mask in the shape that torch's modules require: (N*heads, T, S)."""
    return hidden.repeat_interleave(heads, 0) if hidden is not None and hidden.dim() == 3 else hidden


class ScaledDotProductAttention(nn.Module):
    """softmax(X X^T / sqrt(E)) X, without weights."""

    def __init__(self, causal: bool, dropout: float):
        super().__init__()
        self.causal, self.dropout = causal, dropout

    def forward(self, x_NTE: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        dropout = self.dropout if self.training else 0.0
        unseen = hidden(x_NTE, self.causal, mask)
        seen = None if unseen is None else ~unseen
        if seen is not None and seen.dim() == 3:
            seen = seen.unsqueeze(1)
        x_N1TE = x_NTE.unsqueeze(1)  # one head: other programs read no attention without an axis of heads
        return functional.scaled_dot_product_attention(x_N1TE, x_N1TE, x_N1TE, seen, dropout_p=dropout).squeeze(1)


class MultiheadAttention(nn.MultiheadAttention):
    """torch's multi-head attention, of a sequence to itself or to a memory (N, S, E)."""

    def __init__(self, features: int, heads: int, dropout: float, bias: bool, causal: bool):
        super().__init__(features, heads, dropout, bias, batch_first=True)
        self.causal = causal

    def forward(  # type: ignore[override]
        self,
        x_NTE: torch.Tensor,
        memory_NSE: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        memory_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        if memory_NSE is None:
            memory_NSE, unseen = x_NTE, hidden(x_NTE, self.causal, mask)
        else:
            unseen = None if memory_mask is None else hidden_memory(x_NTE.shape[1], memory_mask)
        unseen = for_heads(unseen, self.num_heads)
        y_NTE, _ = super().forward(x_NTE, memory_NSE, memory_NSE, need_weights=False, attn_mask=unseen)
        return y_NTE


class AdditiveAttention(nn.Module):
    """Bahdanau's attention of states (N, Q) or (N, T, Q) to a memory (N, S, M)."""

    def __init__(self, queries: int, features: int, width: int):
        super().__init__()
        self.query = nn.Linear(queries, width, bias=False)
        self.memory = nn.Linear(features, width)
        self.score = nn.Linear(width, 1, bias=False)

    def forward(
        self,
        query: torch.Tensor,
        memory_NSM: torch.Tensor,
        mask: torch.Tensor | None = None,
        memory_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        one = query.dim() == 2
        query_NTQ = query.unsqueeze(1) if one else query
        hidden_NTSA = torch.tanh(self.query(query_NTQ).unsqueeze(2) + self.memory(memory_NSM).unsqueeze(1))
        score_NTS = self.score(hidden_NTSA).squeeze(3)
        if memory_mask is not None:
            score_NTS = score_NTS.masked_fill(hidden_memory(query_NTQ.shape[1], memory_mask), -torch.inf)
        gathered_NTM = score_NTS.softmax(2) @ memory_NSM
        return gathered_NTM.squeeze(1) if one else gathered_NTM


class TransformerEncoderLayer(nn.TransformerEncoderLayer):
    """torch's encoder layer with a causal mask of its own, if wanted."""

    def __init__(self, *args: Any, activation: nn.Module, causal: bool, **kwargs: Any):
        if isinstance(activation, nn.GELU) and activation.approximate != "none":
            # Without gradients torch computes the whole layer in one kernel, which takes any nn.GELU for the exact one.
            activation = nn.Sequential(activation)
        super().__init__(*args, activation=activation, **kwargs)
        self.causal = causal

    def forward(self, x_NTE: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:  # type: ignore[override]
        unseen = for_heads(hidden(x_NTE, self.causal, mask), self.self_attn.num_heads)
        return super().forward(x_NTE, src_mask=unseen)


class TransformerDecoderLayer(nn.TransformerDecoderLayer):
    """torch's decoder layer with a causal mask of its own, if wanted."""

    def __init__(self, *args: Any, causal: bool, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.causal = causal

    def forward(  # type: ignore[override]
        self,
        x_NTE: torch.Tensor,
        memory_NSE: torch.Tensor,
        mask: torch.Tensor | None = None,
        memory_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        heads = self.self_attn.num_heads
        unseen = for_heads(hidden(x_NTE, self.causal, mask), heads)
        memory = None if memory_mask is None else for_heads(hidden_memory(x_NTE.shape[1], memory_mask), heads)
        return super().forward(x_NTE, memory_NSE, tgt_mask=unseen, memory_mask=memory)


class PositionalEncoding(nn.Module):
    """Adds fixed sines and cosines to x (N, T, E); with a mask (N, T), positions count the real steps alone."""

    encoding: torch.Tensor

    def __init__(self, steps: int, features: int, base: float):
        super().__init__()
        position = torch.arange(steps, dtype=torch.float64)[:, None]
        pair = torch.arange(0, features, 2, dtype=torch.float64)
        angle = position / base ** (pair / features)
        encoding = torch.stack((angle.sin(), angle.cos()), dim=2).flatten(1)[:, :features]
        self.register_buffer("encoding", encoding.float())

    def forward(self, x_NTE: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return x_NTE + (self.encoding if mask is None else self.encoding[real_positions(mask)])


class PositionEmbedding(nn.Embedding):
    """Adds a trained vector for each position to x (N, T, E); with a mask (N, T), only the real steps are counted."""

    def forward(self, x_NTE: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:  # type: ignore[override]
        if mask is None:
            return x_NTE + self.weight[: x_NTE.shape[1]]
        return x_NTE + functional.embedding(real_positions(mask), self.weight)


def real_positions(mask: torch.Tensor) -> torch.Tensor:
    """The position of each step (N, T) among the real steps of its sequence, from 0; padding has position 0."""
    return (mask.cumsum(1) - 1).masked_fill(~mask, 0)
