"""Attention against the formula and against ``torch.nn.MultiheadAttention``: 1e-12 in float64, 1e-5 in float32."""

import math

import pytest
import torch

from {{ cookiecutter.package_name }}.components.attention import MultiHeadAttention

B, H, T, S, D = 2, 4, 5, 7, 16  # S keys
TOLERANCE = {torch.float64: {"rtol": 0, "atol": 1e-12}, torch.float32: {"rtol": 0, "atol": 1e-5}}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def attention(*args, dtype=torch.float64, **settings) -> MultiHeadAttention:
    module = MultiHeadAttention(*args, **settings).to(dtype).eval()
    for parameter in module.parameters():  # biases too
        torch.nn.init.normal_(parameter, std=0.3)
    return module


def formula(module, query, key, value, allowed=None, added=0.0):
    """softmax(Q Kᵀ / √d_k) V, one batch, head and query at a time; ``allowed`` and ``added`` are (B, H, Tq, Tk)."""
    q, k, v = module.q_proj(query), module.k_proj(key), module.v_proj(value)
    size, shared = q.shape[-1] // module.n_heads, module.n_heads // module.n_kv_heads
    added = torch.as_tensor(added, dtype=q.dtype).expand(len(q), module.n_heads, q.shape[1], k.shape[1])
    heads = torch.zeros_like(q)
    for b in range(len(q)):
        for h in range(module.n_heads):
            mine, theirs = slice(h * size, (h + 1) * size), slice(h // shared * size, (h // shared + 1) * size)
            for t in range(q.shape[1]):
                seen = [s for s in range(k.shape[1]) if allowed is None or allowed[b, h, t, s]]
                if seen:
                    scores = k[b, seen, theirs] @ q[b, t, mine] / math.sqrt(size) + added[b, h, t, seen]
                    heads[b, t, mine] = scores.softmax(0) @ v[b, seen, theirs]
    return module.out_proj(heads)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_equals_torch(dtype):
    ours, theirs = attention(D, H, dtype=dtype), torch.nn.MultiheadAttention(D, H, batch_first=True, dtype=dtype)
    parts = [ours.q_proj, ours.k_proj, ours.v_proj]
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        theirs.out_proj.load_state_dict(ours.out_proj.state_dict())
    inputs = [torch.randn(B, n, D, dtype=dtype, requires_grad=True) for n in (T, S, S)]
    mask = torch.rand(T, S) < 0.6
    mask[:, 0] = True
    expected, weights = theirs(*inputs, attn_mask=~mask, average_attn_weights=False)  # True hides there
    output, our_weights = ours(*inputs, mask, need_weights=True)
    for one in (output, ours(*inputs, mask)):
        torch.testing.assert_close(one, expected, **TOLERANCE[dtype])
        for mine, other in zip(
            torch.autograd.grad(one.square().sum(), inputs, retain_graph=True),
            torch.autograd.grad(expected.square().sum(), inputs, retain_graph=True),
            strict=True,
        ):
            torch.testing.assert_close(mine, other, rtol=0, atol=10 * TOLERANCE[dtype]["atol"])
    torch.testing.assert_close(our_weights, weights, **TOLERANCE[dtype])


@pytest.mark.parametrize("n_kv_heads", [1, 2, 4])
def test_grouped_queries_and_other_sizes(n_kv_heads):
    module = attention(D, H, n_kv_heads=n_kv_heads, kdim=6, vdim=3)
    inputs = [torch.randn(B, n, d, dtype=torch.float64) for n, d in ((T, D), (S, 6), (S, 3))]
    for output in (module(*inputs), module(*inputs, need_weights=True)[0]):
        torch.testing.assert_close(output, formula(module, *inputs), **TOLERANCE[torch.float64])


@pytest.mark.parametrize("shape", [(T, S), (1, S), (B, T, S), (B, 1, T, S), (1, H, T, S), (B, H, T, S), (B, 1, 1, S)])
def test_masks_of_every_shape(shape):
    module = attention(D, H)
    query, key = torch.randn(B, T, D, dtype=torch.float64), torch.randn(B, S, D, dtype=torch.float64)
    mask = torch.rand(shape) < 0.6
    full = (mask[:, None] if len(shape) == 3 else mask).expand(B, H, T, S)
    expected = formula(module, query, key, key, full).masked_fill(~full.any(-1).any(1)[..., None], 0)
    added = torch.zeros(shape, dtype=torch.float64).masked_fill(~mask, -math.inf)
    for form in (mask, mask.long(), added):
        torch.testing.assert_close(module(query, key, key, form), expected, **TOLERANCE[torch.float64])


def test_causal_padding_and_bias_together():
    module = attention(D, H)
    x, bias = torch.randn(B, T, D, dtype=torch.float64), torch.randn(H, T, T, dtype=torch.float64)
    key_mask = torch.ones(B, T, dtype=torch.bool)
    key_mask[1, :2] = False  # so the first two queries of the second sample see nothing
    allowed = torch.ones(T, T).tril().bool() & key_mask[:, None, None, :].expand(B, H, T, T)
    expected = formula(module, x, x, x, allowed, bias)
    expected[1, :2] = 0
    output = module(x, x, x, bias[None], key_mask=key_mask, is_causal=True)
    torch.testing.assert_close(output, expected, **TOLERANCE[torch.float64])


def test_causal_does_not_see_the_future():
    module = attention(D, H)
    x = torch.randn(B, T, D, dtype=torch.float64, requires_grad=True)
    module(x, x, x, is_causal=True)[:, 2].sum().backward()
    assert x.grad[:, :3].abs().sum(-1).min() > 0 and not x.grad[:, 3:].any()
    # the queries are the last positions
    torch.testing.assert_close(module(x[:, 3:], x, x, is_causal=True), module(x, x, x, is_causal=True)[:, 3:])


@pytest.mark.parametrize("additive", [False, True])
@pytest.mark.parametrize("need_weights", [False, True])
def test_a_query_without_keys_gets_zeros(additive, need_weights):
    module = attention(D, H)
    x = torch.randn(B, T, D, dtype=torch.float64, requires_grad=True)
    mask = torch.ones(T, T, dtype=torch.bool)
    mask[1] = False
    form = torch.zeros(T, T).masked_fill(~mask, -math.inf) if additive else mask
    output = module(x, x, x, form, need_weights=need_weights)
    if need_weights:
        output, weights = output
        assert not weights[:, :, 1].any() and weights[:, :, 0].all()
    assert not output[:, 1].any() and output[:, 0].all()
    gradients = torch.autograd.grad(output.sum(), [x, *module.parameters()])
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_dropout_only_in_training():
    module = attention(D, H, 0.5)
    x = torch.randn(B, T, D, dtype=torch.float64)
    assert torch.equal(module(x, x, x), module(x, x, x))
    module.train()
    assert not torch.equal(module(x, x, x), module(x, x, x))


def test_mistakes_are_named():
    module, x = attention(D, H), torch.randn(B, T, D, dtype=torch.float64)
    with pytest.raises(ValueError, match="n_heads must divide d_model"):
        MultiHeadAttention(10, 3)
    with pytest.raises(ValueError, match="key_mask="):
        module(x, x, x, torch.ones(B, T, dtype=torch.bool))
    with pytest.raises(ValueError, match="mask.bool()"):
        module(x, x, x, torch.ones(T, T).tril())
    with pytest.raises(ValueError, match="query must be"):
        module(x[0], x, x)
