"""The architecture: what the paper calls its model."""

import math

from torch import Tensor, nn

from .components.attention import MultiHeadAttention
from .components.positional import RotaryPositionalEmbedding, SinusoidalPositionalEncoding


class Block(nn.Module):
    """One layer, normalised before each part (pre-norm, Xiong et al. 2020).

        x ← x + Attention(Norm(x)),  x ← x + FeedForward(Norm(x))

    Nothing in it has a bias.

    Args:
        d_model: D.
        n_heads: H.
        d_ff: features within the feed-forward part.
        rotary: turns queries and keys, if positions are known in this way.

    Shapes:
        x (B, T, D) float; returns the same.
    """

    def __init__(self, d_model: int, n_heads: int, d_ff: int, rotary: nn.Module | None):
        super().__init__()
        self.attention_norm = nn.LayerNorm(d_model, bias=False)
        self.attention = MultiHeadAttention(d_model, n_heads, bias=False, rotary=rotary)
        self.feed_forward_norm = nn.LayerNorm(d_model, bias=False)
        self.feed_forward = nn.Sequential(
            nn.Linear(d_model, d_ff, bias=False), nn.GELU(), nn.Linear(d_ff, d_model, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        h = self.attention_norm(x)
        x = x + self.attention(h, h, h, is_causal=True)
        return x + self.feed_forward(self.feed_forward_norm(x))


class PaperModel(nn.Module):
    """A decoder-only Transformer with a causal mask, Appendix A.1.2: the next token, from those before it.

    Args:
        vocab_size: V.
        context: T, the most tokens it sees.
        d_model: D.
        n_layers: blocks.
        n_heads: H, of D/H features each.
        d_ff: features within the feed-forward parts.
        positions: ``rotary`` (RoPE, in each attention) or ``sinusoidal`` (added to the embedding).

    Shapes:
        tokens (B, up to T) long; returns logits of the next ones, (B, up to T, V) float.

    Raises:
        ValueError: ``positions`` is something else.
    """

    def __init__(
        self,
        vocab_size: int,
        context: int,
        d_model: int,
        n_layers: int,
        n_heads: int,
        d_ff: int,
        positions: str,
    ):
        super().__init__()
        if positions not in ("rotary", "sinusoidal"):
            raise ValueError(f"positions must be rotary or sinusoidal, got {positions}")
        self.scale = math.sqrt(d_model)
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=1 / self.scale)  # times √D: learned faster than from a std of 1
        self.encoding = SinusoidalPositionalEncoding(d_model, context) if positions == "sinusoidal" else nn.Identity()
        rotary = None
        if positions == "rotary":
            rotary = RotaryPositionalEmbedding(d_model // n_heads, context, interleaved=False)
        self.blocks = nn.Sequential(*(Block(d_model, n_heads, d_ff, rotary) for _ in range(n_layers)))
        self.norm = nn.LayerNorm(d_model, bias=False)
        self.head = nn.Linear(d_model, vocab_size, bias=False)
        nn.init.normal_(self.head.weight, std=0.02)  # small, so that at first every token is about as likely

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.encoding(self.embedding(tokens) * self.scale)  # (B, T) -> (B, T, D)
        return self.head(self.norm(self.blocks(x)))  # (B, T, D) -> (B, T, V)
