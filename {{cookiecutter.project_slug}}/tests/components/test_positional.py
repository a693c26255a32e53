"""Positions against their closed formulas: 1e-12 in float64, 1e-6 in float32."""

import math

import pytest
import torch

from {{ cookiecutter.package_name }}.components.attention import MultiHeadAttention
from {{ cookiecutter.package_name }}.components.positional import (
    ALiBi,
    LearnedPositionalEmbedding,
    RotaryPositionalEmbedding,
    SinusoidalPositionalEncoding,
)

TOLERANCE = {torch.float64: {"rtol": 0, "atol": 1e-12}, torch.float32: {"rtol": 0, "atol": 1e-6}}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("d_model", [1, 2, 7, 8])
def test_sinusoidal(d_model, dtype):
    encoding = SinusoidalPositionalEncoding(d_model, max_len=4)
    encoding(torch.zeros(1, 2, d_model, dtype=dtype))  # makes a table of four, which then has to grow
    table = encoding(torch.zeros(1, 9, d_model, dtype=dtype))[0]
    for position in range(9):
        for feature in range(d_model):
            angle = position / 10000 ** (2 * (feature // 2) / d_model)
            expected = math.cos(angle) if feature % 2 else math.sin(angle)
            assert table[position, feature].item() == pytest.approx(expected, rel=0, abs=TOLERANCE[dtype]["atol"])
    shifted = encoding(torch.zeros(1, 4, d_model, dtype=dtype), offset=5)[0]
    assert torch.equal(shifted, table[5:])


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("interleaved", [False, True])
def test_rotation_of_each_pair(interleaved, dtype):
    rotary = RotaryPositionalEmbedding(6, max_len=3, base=100, interleaved=interleaved)
    x = torch.randn(2, 5, 8, dtype=dtype)  # two features are left alone
    rotary.rotate(x[:, :1])  # makes a table of three, which then has to grow
    turned = rotary.rotate(x, offset=2)
    assert turned.dtype == dtype and torch.equal(turned[..., 6:], x[..., 6:])
    for i in range(3):
        a, b = (2 * i, 2 * i + 1) if interleaved else (i, i + 3)
        angles = [(2 + position) * 100 ** (-2 * i / 6) for position in range(5)]
        cos, sin = (torch.tensor([f(angle) for angle in angles], dtype=dtype) for f in (math.cos, math.sin))
        torch.testing.assert_close(turned[..., a], x[..., a] * cos - x[..., b] * sin, **TOLERANCE[dtype])
        torch.testing.assert_close(turned[..., b], x[..., b] * cos + x[..., a] * sin, **TOLERANCE[dtype])


def test_base_of_the_paper():
    slowest = torch.tensor([0.0, 0.0, 1.0, 0.0], dtype=torch.float64).expand(101, 4)  # θ_1 = 10000^(−2/4) = 1/100
    assert RotaryPositionalEmbedding(4).rotate(slowest)[100, 2:].tolist() == pytest.approx([math.cos(1), math.sin(1)])


@pytest.mark.parametrize("interleaved", [False, True])
def test_product_depends_on_the_distance_alone(interleaved):
    rotary = RotaryPositionalEmbedding(8, interleaved=interleaved)
    q, k = torch.randn(8, dtype=torch.float64).expand(2, 20, 8)  # the same vector at each position
    q, k = rotary(q, k, offset=3)
    product = q @ k.T
    for distance in range(-19, 20):
        diagonal = product.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=0, atol=1e-12)
    assert not torch.isclose(product[0, 0], product[0, 1])


def test_scaling_slows_the_slowest_angle_by_that_factor():
    plain, scaled = RotaryPositionalEmbedding(8), RotaryPositionalEmbedding(8, scaling=4.0)
    slow, fast = torch.eye(8, dtype=torch.float64)[[6, 0]]
    long, short = slow.expand(401, 8), slow.expand(101, 8)
    torch.testing.assert_close(scaled.rotate(long)[400], plain.rotate(short)[100])
    torch.testing.assert_close(scaled.rotate(fast.expand(101, 8)), plain.rotate(fast.expand(101, 8)))


def test_half_precision_keeps_the_angles():
    rotary = RotaryPositionalEmbedding(8).half()
    x = torch.randn(4000, 8)
    exact = rotary.rotate(x.half().double())
    torch.testing.assert_close(rotary.rotate(x.half()).double(), exact, rtol=2**-10, atol=1e-6)  # the last rounding


def test_rotary_attention_sees_distances_only():
    attention = MultiHeadAttention(16, 2, rotary=RotaryPositionalEmbedding(8)).double()
    x = torch.randn(1, 6, 16, dtype=torch.float64)
    padded = torch.cat([torch.randn(1, 3, 16, dtype=torch.float64), x], 1)  # three positions later, those hidden
    key_mask = torch.arange(9)[None] >= 3
    later = attention(padded, padded, padded, key_mask=key_mask)[:, 3:]
    torch.testing.assert_close(later, attention(x, x, x), **TOLERANCE[torch.float64])
    assert not torch.allclose(attention(x, x, x).flip(1), attention(*[x.flip(1)] * 3))  # but order counts
    last = attention(x[:, 4:], x, x, is_causal=True)  # the queries are the last positions
    torch.testing.assert_close(last, attention(x, x, x, is_causal=True)[:, 4:], **TOLERANCE[torch.float64])


def test_learned():
    embedding = LearnedPositionalEmbedding(3, max_len=5)
    x = torch.randn(2, 4, 3)
    assert torch.equal(embedding(x, offset=1), x + embedding.weight[1:])
    with pytest.raises(ValueError, match="raise max_len"):
        embedding(x, offset=2)


def test_alibi():
    # the authors' slopes for 8, and for 12: those of 8, then every other one of 16
    assert ALiBi(8).slopes == [2.0**-h for h in range(1, 9)]
    assert ALiBi(12).slopes == [2.0**-h for h in range(1, 9)] + [2.0**-h for h in (0.5, 1.5, 2.5, 3.5)]
    bias = ALiBi(8)(torch.zeros(1, 2, 4), torch.zeros(1, 3, 4))
    expected = -torch.tensor([[1.0, 0.0, 1.0], [2.0, 1.0, 0.0]]) * torch.tensor(ALiBi(8).slopes)[:, None, None]
    assert torch.equal(bias, expected[None])


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="even"):
        RotaryPositionalEmbedding(7)
    with pytest.raises(ValueError, match=r"\(B, T, 8\)"):
        SinusoidalPositionalEncoding(8)(torch.zeros(2, 8))
    with pytest.raises(ValueError, match="d_model / n_heads = 8"):
        MultiHeadAttention(16, 2, rotary=RotaryPositionalEmbedding(16))
