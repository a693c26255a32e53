"""The architecture: what the paper calls its model."""

import math

import torch
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
        dropout: share of each part's output that is dropped in training, in [0, 1).
        rotary: turns queries and keys, if positions are known in this way.

    Shapes:
        x (B, T, D) float; returns the same.
    """

    def __init__(self, d_model: int, n_heads: int, d_ff: int, dropout: float, rotary: nn.Module | None):
        super().__init__()
        self.attention_norm = nn.LayerNorm(d_model, bias=False)
        self.attention = MultiHeadAttention(d_model, n_heads, bias=False, rotary=rotary)
        self.feed_forward_norm = nn.LayerNorm(d_model, bias=False)
        self.feed_forward = nn.Sequential(
            nn.Linear(d_model, d_ff, bias=False), nn.GELU(), nn.Linear(d_ff, d_model, bias=False)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        h = self.attention_norm(x)
        x = x + self.dropout(self.attention(h, h, h, is_causal=True))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))


class PaperModel(nn.Module):
    """A decoder-only Transformer: the next character, from those before it.

    TODO(paper): the paper's architecture, in its notation, with the section or figure that defines it.

    Args:
        vocab_size: V.
        context: T, the most characters it sees.
        d_model: D.
        n_layers: blocks.
        n_heads: H, of D/H features each.
        d_ff: features within the feed-forward parts.
        dropout: in the blocks and on the embedding, in training, in [0, 1).
        positions: ``rotary`` (RoPE, in each attention) or ``sinusoidal`` (added to the embedding).

    Shapes:
        characters (B, up to T) long; returns logits of the next ones, (B, up to T, V) float.

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
        dropout: float = 0.0,
        positions: str = "rotary",
    ):
        super().__init__()
        if positions not in ("rotary", "sinusoidal"):
            raise ValueError(f"positions must be rotary or sinusoidal, got {positions}")
        self.context, self.scale = context, math.sqrt(d_model)
        self.embedding = nn.Embedding(vocab_size, d_model)
        nn.init.normal_(self.embedding.weight, std=1 / self.scale)  # times √D: learned faster than from a std of 1
        self.encoding = SinusoidalPositionalEncoding(d_model, context) if positions == "sinusoidal" else nn.Identity()
        rotary = None
        if positions == "rotary":
            rotary = RotaryPositionalEmbedding(d_model // n_heads, context, interleaved=False)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.Sequential(*(Block(d_model, n_heads, d_ff, dropout, rotary) for _ in range(n_layers)))
        self.norm = nn.LayerNorm(d_model, bias=False)
        self.head = nn.Linear(d_model, vocab_size, bias=False)
        nn.init.normal_(self.head.weight, std=0.02)  # small, so that at first every character is about as likely

    def forward(self, characters: Tensor) -> Tensor:
        x = self.encoding(self.embedding(characters) * self.scale)  # (B, T) -> (B, T, D)
        x = self.blocks(self.dropout(x))
        return self.head(self.norm(x))  # (B, T, D) -> (B, T, V)

    @torch.no_grad()
    def generate(
        self, prompt: Tensor, length: int, temperature: float = 1.0, generator: torch.Generator | None = None
    ) -> Tensor:
        """Go on from a prompt, a character at a time.

        Args:
            prompt: at least one character each.
            length: characters to add.
            temperature: logits are divided by it; 0 always takes the likeliest character.
            generator: of what is drawn.

        Shapes:
            prompt (B, N) long; returns (B, N + length) long.
        """
        for _ in range(length):
            logits = self(prompt[:, -self.context :])[:, -1]  # (B, up to T) -> (B, V)
            if temperature == 0:
                drawn = logits.argmax(-1, keepdim=True)
            else:
                drawn = torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)
            prompt = torch.cat((prompt, drawn), 1)  # (B, N) -> (B, N + 1)
        return prompt
