"""The building blocks against what people install for the same, and where their own tests would be too long.

Tolerances: 1e-10 in float64 and 1e-5 in float32, unless a test says otherwise.
"""

import copy
import importlib.util
import math
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch.nn.parallel import DistributedDataParallel

ROOM = Path(__file__).resolve().parents[1] / "{{cookiecutter.project_slug}}"
FOLDER = ROOM / "src/{{cookiecutter.package_name}}/components"
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}
FORMS = ["nt_xent", "info_nce", "clip"]


def load(name: str) -> ModuleType:
    """One block, from the template itself, which must stay free of bytecode."""
    spec = importlib.util.spec_from_file_location(f"block_{name}", FOLDER / f"{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = writes
    return module


attention, positional, contrastive = load("attention"), load("positional"), load("contrastive")
MultiHeadAttention, ContrastiveLoss = attention.MultiHeadAttention, contrastive.ContrastiveLoss
RotaryPositionalEmbedding = positional.RotaryPositionalEmbedding


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)
    torch._dynamo.reset()


def close(one: torch.Tensor, other: torch.Tensor, factor: float = 1) -> None:
    torch.testing.assert_close(one, other, rtol=0, atol=factor * TOLERANCE[one.dtype])


def randn(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, dtype=dtype, requires_grad=True)


def make(*args, dtype: torch.dtype = torch.float64, **settings) -> torch.nn.Module:
    """An attention with biases that are not zero, in evaluation."""
    module = MultiHeadAttention(*args, **settings).to(dtype).eval()
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return module


def peak(work) -> int:
    """The most bytes that PyTorch held at once for its tensors, beyond those of before."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        work()
    held = most = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


def test_calls_of_the_reference_list():
    x = torch.randn(2, 10, 512)
    mha = MultiHeadAttention(d_model=512, n_heads=8, dropout=0.1)
    assert mha(x, x, x, mask=None).shape == x.shape
    assert mha(x, x, x, torch.ones(10, 10).tril().long()).shape == x.shape
    assert positional.SinusoidalPositionalEncoding(512, max_len=5000)(x).shape == x.shape
    q, k = RotaryPositionalEmbedding(64, max_len=5000, base=10000)(torch.randn(2, 8, 10, 64), torch.randn(2, 8, 10, 64))
    assert q.shape == k.shape == (2, 8, 10, 64)
    assert ContrastiveLoss(temperature=0.07)(x[:, 0], x[:, 1]).shape == ()


def test_standing_alone():
    """Nothing but torch and the standard library, and nothing of each other."""
    for path in FOLDER.glob("*.py"):
        imports = [line.split()[1] for line in path.read_text().splitlines() if line.startswith(("import ", "from "))]
        assert {name.split(".")[0] for name in imports} <= {"math", "torch"}, path


# --- attention


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(
    ("batch", "tq", "tk", "settings"),
    [(1, 1, 1, {}), (3, 5, 7, {}), (2, 67, 129, {}), (2, 5, 7, {"kdim": 6, "vdim": 10}), (2, 33, 33, {"bias": False})],
)
@pytest.mark.parametrize("kind", ["none", "bool", "float", "causal", "padding", "padding and causal"])
def test_attention_equals_torch(kind, batch, tq, tk, settings, dtype):
    ours = make(12, 3, dtype=dtype, **settings)
    theirs = torch.nn.MultiheadAttention(12, 3, batch_first=True, dtype=dtype, **settings)
    parts = [ours.q_proj, ours.k_proj, ours.v_proj]
    with torch.no_grad():
        theirs.out_proj.load_state_dict(ours.out_proj.state_dict())
        if settings.get("bias", True):
            theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        if "kdim" in settings:
            for name, part in zip("qkv", parts, strict=True):
                getattr(theirs, f"{name}_proj_weight").copy_(part.weight)
        else:
            theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
    sizes = [(tq, 12), (tk, settings.get("kdim", 12)), (tk, settings.get("vdim", 12))]
    inputs = [randn(batch, *size, dtype=dtype) for size in sizes]
    hidden, padding, mask = torch.rand(tq, tk) < 0.4, torch.rand(batch, tk) < 0.3, torch.randn(tq, tk, dtype=dtype)
    hidden[:, 0] = padding[:, 0] = False
    future = torch.ones(tq, tk, dtype=torch.bool).triu(1 + tk - tq)  # the queries are the last positions
    call, their_call = {
        "none": ({}, {}),
        "bool": ({"mask": ~hidden}, {"attn_mask": hidden}),
        "float": ({"mask": mask}, {"attn_mask": mask}),
        "causal": ({"is_causal": True}, {"attn_mask": future}),
        "padding": ({"key_mask": ~padding}, {"key_padding_mask": padding}),
        "padding and causal": (
            {"key_mask": (~padding).int(), "is_causal": True},
            {"key_padding_mask": padding, "attn_mask": future},
        ),
    }[kind]
    expected, their_weights = theirs(*inputs, average_attn_weights=False, **their_call)
    output, weights = ours(*inputs, need_weights=True, **call)
    close(weights, their_weights)
    upstream = torch.randn_like(expected)
    gradients = torch.autograd.grad(expected, [*inputs, theirs.out_proj.weight], upstream)
    for one in (output, ours(*inputs, **call)):
        close(one, expected)
        for mine, other in zip(
            torch.autograd.grad(one, [*inputs, ours.out_proj.weight], upstream), gradients, strict=True
        ):
            close(mine, other, factor=10)


@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("kind", ["none", "causal", "bool", "float", "trained", "padding"])
def test_attention_gradcheck(kind, need_weights):
    rotary = RotaryPositionalEmbedding(2)
    module = make(4, 2, n_kv_heads=1, rotary=rotary)
    query, key = randn(2, 3, 4), randn(2, 3, 4)
    allowed = torch.tensor([[True, False, True], [False, False, False], [True, True, True]])
    added = torch.randn(2, 1, 3, 3, dtype=torch.float64).masked_fill(~allowed, -math.inf)
    trained = randn(1, 2, 3, 3)
    call = {
        "none": {},
        "causal": {"is_causal": True},
        "bool": {"mask": allowed},
        "float": {"mask": added},
        "trained": {},
        "padding": {"key_mask": torch.tensor([[True, False, True], [False, False, False]]), "is_causal": True},
    }[kind]

    def output(query, key, trained):
        settings = {"mask": trained} if kind == "trained" else call
        return module(query, key, key, need_weights=need_weights, **settings)

    assert torch.autograd.gradcheck(output, (query, key, trained), check_undefined_grad=False, fast_mode=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("lowest", [-math.inf, torch.finfo(torch.float32).min, None])
def test_a_query_without_keys_gives_zeros_and_no_nan(lowest, need_weights, dtype):
    module = make(16, 2, 0.3, dtype=dtype).train()
    x = randn(2, 5, 16, dtype=dtype)
    mask = torch.ones(2, 1, 5, 5, dtype=torch.bool)
    mask[1, :, 2] = mask[0, :, 4] = False
    given = mask if lowest is None else torch.zeros(mask.shape).masked_fill(~mask, lowest)
    output = module(x, x, x, given, need_weights=need_weights)
    output = output[0] if need_weights else output
    gradients = torch.autograd.grad(output.float().square().sum(), [x, *module.parameters()])
    assert all(torch.isfinite(value).all() for value in [output, *gradients])
    if lowest in (None, -math.inf):  # the lowest finite number is a number: such a row is a uniform average
        assert not output[1, 2].any() and not output[0, 4].any() and output[0, 0].any()


def test_a_head_without_keys():
    """Where one head sees nothing and another does, the first adds nothing."""
    module = make(8, 2)
    x = randn(1, 3, 8)
    mask = torch.tensor([True, False])[None, :, None, None].expand(1, 2, 3, 3)
    half = module(x, x, x, mask)
    module.out_proj.weight.data[:, 4:] = 0  # those that read the second head
    close(half, module(x, x, x))


@pytest.mark.parametrize(("batch", "tq", "tk"), [(0, 3, 3), (2, 0, 3), (2, 3, 0), (0, 0, 0), (1, 1, 1)])
@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_of_nothing(masked, need_weights, batch, tq, tk):
    module = make(8, 2, rotary=RotaryPositionalEmbedding(4))
    query, key = randn(batch, tq, 8), randn(batch, tk, 8)
    call = {"mask": torch.ones(tq, tk, dtype=torch.bool), "key_mask": torch.ones(batch, tk, dtype=torch.bool)}
    output = module(query, key, key, need_weights=need_weights, **(call if masked else {}))
    output = output[0] if need_weights else output
    assert output.shape == (batch, tq, 8)
    assert tk or not output.any()
    gradients = torch.autograd.grad(output.sum(), [query, key, *module.parameters()], allow_unused=True)
    assert all(g is None or torch.isfinite(g).all() for g in gradients)


@pytest.mark.parametrize("need_weights", [False, True])
def test_attention_dropout(need_weights):
    def output(module, x):
        result = module(x, x, x, need_weights=need_weights)
        return result[0] if need_weights else result

    x = randn(1, 4, 8)
    nothing = make(8, 2, 1.0).train()
    close(output(nothing, x), nothing.out_proj.bias.expand(1, 4, 8))
    module = make(8, 2, 0.5)
    expected = output(module, x)
    module.train()
    with torch.no_grad():
        mean = output(module, x.expand(1500, 4, 8)).mean(0, keepdim=True)  # each sample has its own mask
    assert (mean - expected).abs().max() < 0.1  # inverted dropout keeps the mean; unscaled, it is 0.4 away
    if need_weights:  # and the weights are those of the softmax
        torch.testing.assert_close(module(x, x, x, need_weights=True)[1].sum(-1), torch.ones(1, 2, 4).double())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MultiHeadAttention(10, 4), "n_heads must divide d_model"),
        (lambda: MultiHeadAttention(8, 0), "n_heads must divide d_model"),
        (lambda: MultiHeadAttention(8, 4, n_kv_heads=3), "n_kv_heads must divide"),
        (lambda: MultiHeadAttention(8, 4, n_kv_heads=0), "n_kv_heads must divide"),
        (lambda: MultiHeadAttention(8, 4, 1.5), "dropout is a share"),
        (lambda: attend(torch.ones(2, 5).bool()), "key_mask="),
        (lambda: attend(torch.ones(4, 5, 5).bool()), r"mask\[None\]"),
        (lambda: attend(torch.ones(3, 5, 5).bool()), "mask must be"),
        (lambda: attend(torch.ones(1, 2, 4, 5, 5).bool()), "mask must be"),
        (lambda: attend(torch.ones(5, 5).tril()), "mask.bool()"),
        (lambda: attend(None, key_mask=torch.ones(2, 4).bool()), "key_mask must be"),
        (lambda: attend(None, key_mask=torch.ones(2, 5)), "key_mask must be"),
        (lambda: MultiHeadAttention(8, 4)(torch.ones(2, 5, 8), torch.ones(2, 4, 8), torch.ones(2, 5, 8)), "Tk"),
        (lambda: MultiHeadAttention(8, 4, kdim=6)(*[torch.ones(2, 5, 8)] * 3), r"key must be \(B, T, 6\)"),
        (lambda: RotaryPositionalEmbedding(5), "even"),
        (lambda: RotaryPositionalEmbedding(4, base=0), "base"),
        (lambda: RotaryPositionalEmbedding(4).rotate(torch.ones(3, 2)), "4 or more"),
        (lambda: RotaryPositionalEmbedding(4).rotate(torch.ones(3, 4), offset=-1), "offset -1"),
        (lambda: positional.SinusoidalPositionalEncoding(0), "d_model"),
        (lambda: positional.SinusoidalPositionalEncoding(4, 0), "max_len"),
        (lambda: positional.SinusoidalPositionalEncoding(4)(torch.ones(1, 2, 5)), r"\(B, T, 4\)"),
        (lambda: positional.SinusoidalPositionalEncoding(4)(torch.ones(1, 2, 4).long()), "float"),
        (lambda: positional.LearnedPositionalEmbedding(4, 3)(torch.ones(1, 4, 4)), "raise max_len"),
        (lambda: positional.ALiBi(0), "n_heads"),
        (lambda: ContrastiveLoss(-1), "temperature"),
        (lambda: ContrastiveLoss(0.001, learnable=True), "0.01"),
        (lambda: ContrastiveLoss(block_size=0), "block_size"),
        (lambda: ContrastiveLoss()(torch.ones(2, 3, 4), torch.ones(2, 3, 4)), r"\(N, D\)"),
        (lambda: ContrastiveLoss()(torch.ones(2, 3).long(), torch.ones(2, 3).long()), "float"),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def attend(mask, **settings):
    x = torch.ones(2, 5, 8)
    return MultiHeadAttention(8, 4)(x, x, x, mask, **settings)


def test_attention_memory_is_linear():
    def bytes_at(length, **call):
        rotary = RotaryPositionalEmbedding(8, max_len=2048)
        module, x = MultiHeadAttention(16, 2, n_kv_heads=1, rotary=rotary), torch.randn(1, length, 16)

        def work():
            output = module(x, x, x, **call)
            (output[0] if isinstance(output, tuple) else output).sum().backward()

        return peak(work)

    for name, call in {
        "none": lambda n: {},
        "causal": lambda n: {"is_causal": True},
        "padding": lambda n: {"key_mask": torch.ones(1, n).bool()},
    }.items():
        short, long = (bytes_at(n, **call(n)) for n in (512, 2048))
        assert long < 5 * short, (name, short, long)  # 4 is linear, 16 the square
    assert bytes_at(1024, need_weights=True) > 5 * bytes_at(1024)  # the measure can tell


# --- positions


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(("interleaved", "scaling"), [(True, 1.0), (True, 3.0)])
def test_rotary_equals_rotary_embedding_torch(interleaved, scaling, dtype):
    library = pytest.importorskip("rotary_embedding_torch", reason="reference for RoPE")
    theirs = library.RotaryEmbedding(8, theta_rescale_factor=scaling)
    ours = RotaryPositionalEmbedding(8, interleaved=interleaved, scaling=scaling)
    x = randn(2, 3, 17, 8, dtype=dtype)
    expected = theirs.rotate_queries_or_keys(x, offset=4)
    output = ours.rotate(x, offset=4)
    tolerance = 1e-5  # theirs has angles in float32
    torch.testing.assert_close(output, expected.to(dtype), rtol=0, atol=tolerance)
    upstream = torch.randn_like(output)
    mine, other = (torch.autograd.grad(y, x, upstream.to(y.dtype))[0] for y in (output, expected))
    torch.testing.assert_close(mine, other, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_rotary_equals_transformers(dtype):
    llama = pytest.importorskip("transformers.models.llama.modeling_llama", reason="reference for RoPE")
    frequencies = 10000.0 ** (-torch.arange(0, 8, 2, dtype=torch.float64) / 8)
    angles = torch.arange(17, dtype=torch.float64)[:, None] * frequencies
    cos, sin = (f(torch.cat((angles, angles), -1))[None].to(dtype) for f in (torch.cos, torch.sin))
    q, k = randn(2, 4, 17, 8, dtype=dtype), randn(2, 2, 17, 8, dtype=dtype)
    output = RotaryPositionalEmbedding(8, interleaved=False)(q, k)
    expected = llama.apply_rotary_pos_emb(q, k, cos, sin)
    for one, other in zip(output, expected, strict=True):
        close(one, other)
    mine, theirs = (
        torch.autograd.grad(sum(y.square().sum() * (i + 1) for i, y in enumerate(ys)), q)[0]
        for ys in (output, expected)
    )
    close(mine, theirs)


def test_alibi_equals_transformers():
    bloom = pytest.importorskip("transformers.models.bloom.modeling_bloom", reason="reference for ALiBi")
    for heads in (1, 2, 6, 8, 12, 16, 25, 112):
        theirs = bloom.build_alibi_tensor(torch.ones(1, 9), heads, torch.float32).view(1, heads, 1, 9)
        ours = positional.ALiBi(heads)(torch.zeros(1, 9, 4))
        # theirs is + m_h j: the same but for a constant per query, to which a softmax is blind
        allowed = torch.ones(9, 9).tril().bool()
        one, other = (
            bias.expand(1, heads, 9, 9).masked_fill(~allowed, -math.inf).softmax(-1) for bias in (ours, theirs)
        )
        close(one, other)


def test_alibi_in_attention():
    module, alibi, x = make(8, 2), positional.ALiBi(2), randn(1, 5, 8)
    whole = module(x, x, x, alibi(x), is_causal=True)
    last = module(x[:, 3:], x, x, alibi(x[:, 3:], x), is_causal=True)
    close(last, whole[:, 3:])
    assert not torch.allclose(whole, module(x, x, x, is_causal=True))


@pytest.mark.parametrize("interleaved", [False, True])
def test_rotary_gradcheck_and_cache(interleaved):
    rotary = RotaryPositionalEmbedding(4, max_len=3, interleaved=interleaved)
    q, k = randn(2, 5, 6), randn(2, 5, 6)
    assert torch.autograd.gradcheck(lambda q, k: rotary(q, k, offset=1), (q, k))
    whole = rotary(q, k)
    steps = [rotary(q[:, t : t + 1], k[:, t : t + 1], offset=t) for t in range(5)]
    for one, parts in zip(whole, zip(*steps, strict=True), strict=True):
        assert torch.equal(one, torch.cat(parts, 1))
    close(q[..., :4].norm(dim=-1), rotary.rotate(q)[..., :4].norm(dim=-1))  # a rotation


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("far", [0, 100_000])
def test_positions_keep_their_precision_whatever_the_module_went_through(far, dtype):
    """Casts back and forth, inference mode, copies, a meta device: the angles are the same, and each dtype kept."""
    sinusoidal = positional.SinusoidalPositionalEncoding(8, max_len=16)
    rotary = RotaryPositionalEmbedding(8, max_len=16)
    with torch.device("meta"):
        born_elsewhere = RotaryPositionalEmbedding(8, max_len=16)
    x = torch.randn(1, 4, 8).to(dtype)
    exact = RotaryPositionalEmbedding(8).rotate(x.double(), offset=far)
    with torch.inference_mode():
        rotary.half().rotate(x.half(), offset=far)
        sinusoidal(x.half(), offset=far)
    last_digit = {torch.float64: 1e-9, torch.float32: 1e-6}.get(dtype, torch.finfo(dtype).eps)
    for module in (rotary, copy.deepcopy(rotary).bfloat16().float(), born_elsewhere.to_empty(device="cpu")):
        output = module.rotate(x.clone().requires_grad_(), offset=far)
        output.sum().backward()
        assert output.dtype == dtype and not module.state_dict()
        torch.testing.assert_close(output.double(), exact, rtol=last_digit, atol=last_digit)
    angle = torch.tensor([far + t for t in range(4)], dtype=torch.float64)
    encoded = sinusoidal.half().double()(torch.zeros(1, 4, 8, dtype=dtype), offset=far)
    assert encoded.dtype == dtype
    torch.testing.assert_close(encoded[0, :, 1].double(), angle.cos(), rtol=last_digit, atol=last_digit)


@pytest.mark.parametrize("shape", [(0, 3, 8), (2, 0, 8), (1, 1, 8)])
def test_positions_of_nothing(shape):
    x = torch.randn(shape)
    for module in (positional.SinusoidalPositionalEncoding(8), positional.LearnedPositionalEmbedding(8, 3)):
        assert module(x).shape == shape
    for interleaved in (False, True):
        assert RotaryPositionalEmbedding(8, interleaved=interleaved).rotate(x).shape == shape
    assert positional.ALiBi(3)(x).shape == (1, 3, shape[1], shape[1])


# --- contrastive losses


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("block_size", [None, 5, 64])
@pytest.mark.parametrize(("n", "temperature"), [(1, 0.07), (2, 0.5), (17, 0.07), (17, 1.0)])
def test_nt_xent_equals_pytorch_metric_learning(n, temperature, block_size, dtype):
    losses = pytest.importorskip("pytorch_metric_learning.losses", reason="reference for NT-Xent")
    views = [randn(n, 6, dtype=dtype) for _ in range(2)]
    ours = ContrastiveLoss(temperature, block_size=block_size)(*views)
    theirs = losses.NTXentLoss(temperature)(torch.cat(views), torch.arange(n).repeat(2))
    close(ours, theirs.to(dtype))
    for mine, other in zip(torch.autograd.grad(ours, views), torch.autograd.grad(theirs, views), strict=True):
        close(mine, other, factor=10)


@pytest.mark.parametrize("block_size", [None, 5])
def test_clip_equals_transformers(block_size):
    clip = pytest.importorskip("transformers.models.clip.modeling_clip", reason="reference for the CLIP loss")
    views = [randn(17, 6) for _ in range(2)]
    ours = ContrastiveLoss(0.07, form="clip", block_size=block_size)(*views)
    theirs = clip.clip_loss(F.normalize(views[1]) @ F.normalize(views[0]).T / 0.07)
    close(ours, theirs)
    for mine, other in zip(torch.autograd.grad(ours, views), torch.autograd.grad(theirs, views), strict=True):
        close(mine, other)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_contrastive_gradcheck(form, normalize):
    views = randn(3, 2), randn(3, 2)
    for block_size in (None, 2):
        loss = ContrastiveLoss(0.7, form=form, learnable=True, normalize=normalize, block_size=block_size).double()
        assert torch.autograd.gradcheck(lambda z_i, z_j, s, loss=loss: loss(z_i, z_j), (*views, loss.log_scale))
    assert torch.autograd.gradgradcheck(ContrastiveLoss(0.7, form=form, normalize=normalize), views, fast_mode=True)
    blockwise = ContrastiveLoss(0.7, form=form, normalize=normalize, block_size=2)
    with pytest.raises(RuntimeError, match="block_size=None"):  # never a wrong second derivative
        torch.autograd.grad(blockwise(*views), views, create_graph=True)


def test_contrastive_memory_is_linear():
    def bytes_at(n, block_size):
        views = [torch.randn(n, 8, requires_grad=True) for _ in range(2)]
        return peak(lambda: ContrastiveLoss(block_size=block_size)(*views).backward())

    assert bytes_at(1024, 64) < 5 * bytes_at(256, 64)  # 4 is linear, 16 the square
    assert bytes_at(1024, None) > 10 * bytes_at(256, None)  # the measure can tell


def test_blockwise_without_gradients():
    views = [torch.randn(64, 256) for _ in range(2)]
    with torch.no_grad():
        value = ContrastiveLoss(block_size=8)(*views)
    assert not value.requires_grad
    close(value, ContrastiveLoss()(*views))


def test_learned_temperature_survives_two_losses_before_a_step():
    loss = ContrastiveLoss(0.01, learnable=True, form="clip")
    views = [torch.randn(4, 3, requires_grad=True) for _ in range(2)]
    (loss(*views) + loss(*views[::-1])).backward()
    assert torch.isfinite(loss.log_scale.grad)
    assert [name for name, _ in loss.named_parameters()] == ["log_scale"] and not list(ContrastiveLoss().parameters())


# --- everything under torch.compile and autocast

X = (2, 7, 16)
CASES = {
    "attention": (lambda: MultiHeadAttention(16, 4), {}),
    "causal": (lambda: MultiHeadAttention(16, 4), {"is_causal": True}),
    "bool mask": (lambda: MultiHeadAttention(16, 4), {"mask": torch.ones(7, 7).tril(-1).bool()}),
    "float mask": (lambda: MultiHeadAttention(16, 4), {"mask": torch.zeros(7, 7).fill_diagonal_(-math.inf)}),
    "padding": (lambda: MultiHeadAttention(16, 4), {"key_mask": torch.ones(2, 7).bool(), "is_causal": True}),
    "weights": (lambda: MultiHeadAttention(16, 4), {"need_weights": True}),
    "grouped rotary": (
        lambda: MultiHeadAttention(16, 4, n_kv_heads=2, rotary=RotaryPositionalEmbedding(4, max_len=3)),
        {"is_causal": True},
    ),
    "half-split": (
        lambda: MultiHeadAttention(16, 2, rotary=RotaryPositionalEmbedding(4, interleaved=False)),
        {"is_causal": True},
    ),
    "sinusoidal": (lambda: positional.SinusoidalPositionalEncoding(16, max_len=3), {}),
    "learned": (lambda: positional.LearnedPositionalEmbedding(16), {}),
    "alibi": (lambda: positional.ALiBi(3), {}),
    **{
        f"{form} {size}": (lambda form=form, size=size: ContrastiveLoss(form=form, block_size=size), {})
        for form in FORMS
        for size in (None, 3)
    },
    "learned temperature": (lambda: ContrastiveLoss(form="clip", learnable=True), {}),
}


def outputs(module, call, inputs, **autocast):
    """What the module gives, and the gradients for its inputs."""
    with torch.autocast("cpu", torch.bfloat16, **autocast):
        result = module(*([x[0] for x in inputs] if isinstance(module, ContrastiveLoss) else inputs), **call)
    result = result[0] if isinstance(result, tuple) else result
    if not result.requires_grad:
        return [result]
    return [result, *torch.autograd.grad(result.float().square().sum(), inputs)]


def inputs_for(module, dtype=torch.float32):
    many = 3 if isinstance(module, MultiHeadAttention) else 2 if isinstance(module, ContrastiveLoss) else 1
    return [randn(*X, dtype=dtype) for _ in range(many)]


COMPILED = {"padding", "grouped rotary", "clip 3"}  # one of each form of code; the others are slow


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] * (case not in COMPILED)) for case in CASES]
)
def test_compiled_in_one_graph(case):
    """Backend aot_eager: traced forward and backward, without a C++ compiler."""
    make_it, call = CASES[case]
    module = make_it()
    inputs = inputs_for(module)

    compiled = copy.deepcopy(module)
    compiled.compile(backend="aot_eager", fullgraph=True)
    expected = outputs(module, call, inputs, enabled=False)
    for _ in range(2):
        for one, other in zip(outputs(compiled, call, inputs, enabled=False), expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    longer = [torch.cat([x, x], 1) for x in inputs]  # another length: another shape, no break
    if not {"mask", "key_mask"} & call.keys():
        for one, other in zip(
            outputs(compiled, call, longer, enabled=False), outputs(module, call, longer, enabled=False), strict=True
        ):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_autocast(case):
    make_it, call = CASES[case]
    module = make_it()
    inputs = inputs_for(module)
    expected = outputs(module, call, inputs, enabled=False)
    found = outputs(module, call, inputs, enabled=True)
    assert found[0].dtype == (torch.bfloat16 if isinstance(module, MultiHeadAttention) else torch.float32)
    # the loss is computed in full precision, whatever surrounds it
    tolerance = 1e-6 if isinstance(module, ContrastiveLoss) else 0.1
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.float(), other, rtol=tolerance, atol=tolerance)


# --- two processes


def in_each_process(rank: int, folder: str) -> None:
    """Gradients of an encoder and a temperature under DDP, each process with its half of the batch."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    found = {}
    for case, (form, block_size) in enumerate((form, size) for form in FORMS for size in (None, 2)):
        encoder, loss, views = parts(form, block_size, gather=True)
        both = DistributedDataParallel(torch.nn.ModuleDict({"encoder": encoder, "loss": loss}))
        both.module.forward = lambda a, b, m=both.module: m["loss"](m["encoder"](a), m["encoder"](b))
        value = both(*(view.chunk(2)[rank] for view in views))
        value.backward()
        dist.all_reduce(value.data)
        found[case] = [value.detach() / 2, encoder.weight.grad, loss.log_scale.grad]
    if rank == 0:
        torch.save(found, f"{folder}/found")
    try:
        ContrastiveLoss(gather=True)(torch.ones(2 + rank, 3), torch.ones(2 + rank, 3))
    except ValueError as error:
        Path(folder, f"error{rank}").write_text(str(error))
    # A process that leaves first takes the other's connections with it, and PyTorch's own threads now and then abort
    # on the way out ("terminate called without an active exception"): both are done, and then both are gone at once.
    store = dist.FileStore(f"{folder}/done", 2)
    store.set(f"rank{rank}", "done")
    store.wait(["rank0", "rank1"])
    os._exit(0)


def parts(form: str, block_size: int | None, gather: bool):
    torch.manual_seed(1)
    encoder = torch.nn.Linear(5, 3, bias=False).double()
    loss = ContrastiveLoss(0.3, form=form, learnable=True, gather=gather, block_size=block_size).double()
    return encoder, loss, [torch.randn(6, 5, dtype=torch.float64) for _ in range(2)]


def test_gathered_over_two_processes_equals_one_process(tmp_path):
    torch.multiprocessing.spawn(in_each_process, (str(tmp_path),), nprocs=2)
    found = torch.load(tmp_path / "found")
    for case, (form, block_size) in enumerate((form, size) for form in FORMS for size in (None, 2)):
        encoder, loss, views = parts(form, block_size, gather=False)
        value = loss(*(encoder(view) for view in views))
        value.backward()
        for one, other in zip(found[case], [value.detach(), encoder.weight.grad, loss.log_scale.grad], strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    for rank in range(2):
        assert "[2, 3]" in (tmp_path / f"error{rank}").read_text()
