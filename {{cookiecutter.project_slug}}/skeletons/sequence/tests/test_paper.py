"""What this paper's parts must do, known before any training.

TODO(paper): the paper's own claims: its formulas, bounds and known solutions, each named as in ``Equation (3)``.
"""

import math

import pytest
import torch
import torch.nn.functional as F
from lightning import Trainer

from {{ cookiecutter.package_name }}.components.positional import SinusoidalPositionalEncoding
from {{ cookiecutter.package_name }}.data import IGNORED, UNKNOWN, Vocabulary, distinct, split_of, windows
from {{ cookiecutter.package_name }}.harness.training.build import build_procedure, build_trainer
from {{ cookiecutter.package_name }}.loss import PaperLoss
from {{ cookiecutter.package_name }}.metrics import BitsPerCharacter, NGram
from {{ cookiecutter.package_name }}.procedure import SampleText

POSITIONS = pytest.mark.parametrize("positions", ["paper", "sinusoidal"])


def trained_a_little(model):
    """The model with weights that are no longer those of its beginning, at which it says next to nothing."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model.eval()


def characters(cfg, batch_size, length):
    return torch.randint(cfg.model.vocab_size, (batch_size, length), generator=torch.Generator().manual_seed(1))


@POSITIONS
@pytest.mark.parametrize(("batch_size", "length"), [(1, 1), (2, 7), (3, None)])
def test_model_shapes(compose, positions, batch_size, length):
    cfg = compose(f"model={positions}")
    length = length or cfg.model.context
    logits = build_procedure(cfg).model.eval()(characters(cfg, batch_size, length))
    assert logits.shape == (batch_size, length, cfg.model.vocab_size)


@POSITIONS
def test_no_character_sees_a_later_one(compose, positions):
    cfg = compose(f"model={positions}")
    model = trained_a_little(build_procedure(cfg).model)
    one = characters(cfg, 2, cfg.model.context)
    for place in (1, cfg.model.context // 2, cfg.model.context - 1):
        other = one.clone()
        other[:, place] = (one[:, place] + 1) % cfg.model.vocab_size
        change = (model(one) - model(other)).abs().amax((0, 2))  # (B, T, V) -> (T,)
        assert change[:place].max() < 1e-5, f"logits before character {place} know it"
        assert change[place:].min() > 1e-5, f"logits from character {place} on do not depend on it"


@POSITIONS
def test_order_matters(compose, positions):
    """Attention by itself is blind to the order of what it reads: two earlier characters changed places."""
    cfg = compose(f"model={positions}", "model.n_layers=1")  # causality alone tells a second layer of the order
    model = trained_a_little(build_procedure(cfg).model)
    one = torch.tensor([[1, 2, 3, 4]])
    assert (model(one)[0, -1] - model(one[:, [1, 0, 2, 3]])[0, -1]).abs().max() > 1e-3


def test_block_is_its_formula(cfg):
    """Xiong et al. 2020, pre-norm: x ← x + Attention(Norm(x)), x ← x + FeedForward(Norm(x)), causal, with GELU."""
    cfg.model.positions = "sinusoidal"  # which are not the block's affair
    block = trained_a_little(build_procedure(cfg).model).blocks[0]
    x = torch.randn(2, 5, cfg.model.d_model)
    h = F.layer_norm(x, x.shape[-1:], block.attention_norm.weight)
    heads = [
        projection(h).unflatten(-1, (cfg.model.n_heads, -1)).transpose(1, 2)  # (B, T, D) -> (B, H, T, D/H)
        for projection in (block.attention.q_proj, block.attention.k_proj, block.attention.v_proj)
    ]
    read = F.scaled_dot_product_attention(*heads, is_causal=True).transpose(1, 2).flatten(2)  # -> (B, T, D)
    after = x + block.attention.out_proj(read)
    first, _, second = block.feed_forward
    h = F.layer_norm(after, x.shape[-1:], block.feed_forward_norm.weight)
    torch.testing.assert_close(block(x), after + second(F.gelu(first(h))))


@POSITIONS
def test_blocks_read_embedding_times_root_d(compose, positions):
    """Vaswani et al. 2017, Section 3.4; and the sinusoidal positions of Section 3.5 are added to it."""
    cfg = compose(f"model={positions}")
    model, read = build_procedure(cfg).model.eval(), []
    model.blocks.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    model(one := characters(cfg, 2, 7))
    expected = model.embedding(one) * math.sqrt(cfg.model.d_model)
    expected = expected if positions == "paper" else SinusoidalPositionalEncoding(cfg.model.d_model)(expected)
    torch.testing.assert_close(read[0], expected)


def test_positions_are_known_by_name(compose):
    with pytest.raises(Exception, match="rotary or sinusoidal"):
        build_procedure(compose("model.positions=none"))


@POSITIONS
def test_loss_at_initialisation(compose, data, positions):
    """An untrained model knows nothing: its cross-entropy is that of a uniform guess, log V."""
    cfg = compose(f"model={positions}")
    procedure = build_procedure(cfg).eval()
    with torch.no_grad():
        loss = procedure.step(next(iter(data.val_dataloader())), procedure.val_metrics)["loss"]
    assert loss.item() == pytest.approx(math.log(cfg.model.vocab_size), rel=0.05)


def test_loss_is_cross_entropy_of_the_targets():
    logits = torch.tensor([[[0.0, math.log(3.0)], [5.0, 0.0]]])  # softmax of the first: 1/4, 3/4
    loss = PaperLoss()(logits, torch.tensor([[1, IGNORED]]))["loss"]
    assert loss.item() == pytest.approx(-math.log(3 / 4))


def test_bits_per_character_counts_characters_not_batches():
    torch.manual_seed(0)
    logits, targets = torch.randn(5, 7, 11), torch.randint(11, (5, 7))
    targets[4, 2:] = IGNORED
    metric = BitsPerCharacter()
    for part in (slice(0, 3), slice(3, 4), slice(4, 5)):  # the last batches are smaller, and one is nearly empty
        metric.update(logits[part], targets[part])
    bits = [
        -math.log2(logits[b, t].double().softmax(0)[targets[b, t]])
        for b in range(5)
        for t in range(7)
        if targets[b, t] != IGNORED
    ]
    assert len(bits) == 30
    assert metric.compute().item() == pytest.approx(sum(bits) / len(bits), rel=1e-6)


def test_loss_is_that_of_the_bits(cfg, data):
    """Both are means over the characters of the split: val/loss in nats, val/bits_per_character in bits."""
    data.batch_size = 100
    trainer = build_trainer(cfg, enable_progress_bar=False, enable_checkpointing=False)
    procedure = build_procedure(cfg)
    trained_a_little(procedure.model)
    (logged,) = trainer.validate(procedure, data, verbose=False)
    assert logged["val/loss"] / math.log(2) == pytest.approx(logged["val/bits_per_character"], rel=5e-6)


def test_bits_of_the_model_are_those_of_a_loop(cfg, data):
    cfg.model.n_layers = 1
    procedure = build_procedure(cfg).eval()
    data.batch_size = len(data.val) // 4 + 1  # so that the last batch is smaller
    bits, count = 0.0, 0
    with torch.no_grad():
        for batch in data.val_dataloader():
            procedure.step(batch, procedure.val_metrics)
            log_p = procedure.model(batch[0]).double().log_softmax(-1)
            for targets, rows in zip(batch[1], log_p, strict=True):
                predicted = targets != IGNORED
                bits -= rows[predicted, targets[predicted]].sum().item() / math.log(2)
                count += predicted.sum().item()
    assert len(batch[0]) < data.batch_size
    assert count == sum(len(text) - 1 for text in data.topics["val"].values())
    assert procedure.val_metrics.compute()["val/bits_per_character"].item() == pytest.approx(bits / count, rel=1e-5)


def test_ngram_probabilities_sum_to_one(cfg, data):
    ngram = NGram(data.numbers["train"], 5, cfg.model.vocab_size)
    seen, unseen = data.train.tensors[0][:3], characters(cfg, 3, 20)
    for inputs in (seen, unseen, torch.full((1, 8), UNKNOWN)):
        p = ngram(inputs).exp()
        assert p.min() > 0
        assert torch.allclose(p.sum(-1), torch.ones(inputs.shape), atol=1e-5)


def test_ngram_by_hand():
    """Of "aabab", where V = 2: a three times, b twice; after a came a once and b twice, after b came a once."""
    a, b = 0, 1
    p_a, p_b = (3 + 2 * 1 / 2) / (5 + 2), (2 + 2 * 1 / 2) / (5 + 2)
    p_b_after_a = (2 + 2 * p_b) / (3 + 2)
    p_a_after_b = (1 + 1 * p_a) / (1 + 1)
    text = [torch.tensor([a, a, b, a, b])]
    log_p = NGram(text, 2, 2)(torch.tensor([[a, b]]))
    assert log_p[0, 0, b].exp().item() == pytest.approx(p_b_after_a)
    assert log_p[0, 1, a].exp().item() == pytest.approx(p_a_after_b)
    metric = BitsPerCharacter()
    metric.update(log_p, torch.tensor([[b, a]]))
    assert metric.compute().item() == pytest.approx(-(math.log2(p_b_after_a) + math.log2(p_a_after_b)) / 2)
    assert torch.equal(NGram(text, 3, 2)(torch.tensor([[a]])), log_p[:, :1])  # nothing stands before the window


def test_ngram_knows_its_context_and_no_more(cfg, data):
    """The longest context is that of n − 1 characters; what was read is predicted well."""
    ngram = NGram(data.numbers["train"], 5, cfg.model.vocab_size)
    inputs, targets = (tensor[:8] for tensor in data.train.tensors)
    other = inputs.clone()
    other[:, 10] = (other[:, 10] + 1) % cfg.model.vocab_size
    change = (ngram(inputs) - ngram(other)).abs().amax((0, 2))  # (B, T, V) -> (T,)
    assert change.nonzero().flatten().tolist() == [10, 11, 12, 13]
    metric = BitsPerCharacter()
    metric.update(ngram(inputs), targets)
    assert metric.compute() < 2


def test_no_passage_in_two_splits(data):
    """Looked for one by one, as well as any shorter text within another."""
    assert data.passage <= 200
    whole = {split: "\0".join(texts.values()) for split, texts in data.topics.items()}
    passages = {
        split: {text[i : i + data.passage] for text in texts.values() for i in range(len(text) - data.passage + 1)}
        for split, texts in data.topics.items()
    }
    for one, texts in data.topics.items():
        for other in data.topics.keys() - {one}:
            assert not passages[one] & passages[other], f"{one} and {other} share a passage"
            assert not [name for name, text in texts.items() if text in whole[other]]


def test_splits_depend_on_names_alone(data):
    """Written down, so that a change of the rule does not pass unseen: the results would be of another benchmark."""
    names = ["typesseq", "subscriptions", "strings", "objects", "specialnames", "types"]
    assert [split_of(name, 21) for name in names] == ["test", "test", "val", "val", "train", "train"]
    sizes = {split: sum(map(len, texts.values())) for split, texts in data.topics.items()}
    assert all(data.topics.values()) and sizes["train"] > sizes["val"] + sizes["test"]


def test_distinct_keeps_the_longest():
    texts = {"short": "xxabcdexx", "long": "yyyyyyabcdeyyyyyy", "copy": "zzz", "other": "zzz", "near": "abcd1234abce"}
    assert distinct(texts, 5).keys() == {"long", "copy", "near"}


def test_decoded_as_it_was_encoded(data):
    text = "".join(data.topics["train"].values())
    known = "".join(data.vocabulary.characters[UNKNOWN + 1 :])
    assert len(known) < data.vocab_size and data.vocabulary.decode(data.vocabulary.encode(known)) == known
    decoded = data.vocabulary.decode(data.vocabulary.encode(text))
    differ = {one for one, other in zip(text, decoded, strict=True) if one != other}
    assert not differ & set(known)
    assert all(text.count(rare) <= min(map(text.count, known)) for rare in differ), "<unk> is for the rarest"


def test_vocabulary_is_that_of_training(data):
    assert set(data.vocabulary.characters[UNKNOWN + 1 :]) <= set("".join(data.topics["train"].values()))
    assert data.vocabulary.characters == Vocabulary("".join(data.topics["train"].values()), data.vocab_size).characters
    assert data.vocabulary.encode("\0").tolist() == [UNKNOWN]
    assert Vocabulary("bbacaa", 3).characters[1:] == ["a", "b"]


@pytest.mark.parametrize("lead", [0, 1, 3])
@pytest.mark.parametrize("length", [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 29])
def test_each_character_is_predicted_once(length, lead):
    text = torch.arange(100, 100 + length)
    inputs, targets = windows(text, context=5, lead=lead)
    predicted = targets != IGNORED
    assert targets[predicted].tolist() == text[1:].tolist()
    assert torch.equal(inputs[predicted] + 1, targets[predicted])  # the one before it
    known = predicted.int().argmax(1)  # where the first target of a window stands
    assert known[0] == 0 and (known[1:] == lead).all()


@pytest.mark.parametrize("length", [1, 3])
def test_generate(cfg, length):
    model = trained_a_little(build_procedure(cfg).model)
    prompt = characters(cfg, 2, cfg.model.context + 5)  # longer than what it sees
    written = model.generate(prompt, length, generator=torch.Generator().manual_seed(0))
    assert torch.equal(written[:, : prompt.shape[1]], prompt) and written.shape[1] == prompt.shape[1] + length
    again = model.generate(prompt, length, generator=torch.Generator().manual_seed(0))
    assert torch.equal(written, again)
    likeliest = model.generate(prompt, length, temperature=0)
    assert torch.equal(likeliest[:, -1], model(likeliest[:, -1 - cfg.model.context : -1])[:, -1].argmax(-1))
    nearly = model.generate(prompt, length, temperature=1e-4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(nearly, likeliest)


def test_the_test_measures_both_and_writes(cfg, data, tmp_path):
    """The n-gram model is measured on whole topics, though it reads them in windows: the lead gives it its context."""
    sample = SampleText(tmp_path, length=3)
    quiet = {"enable_progress_bar": False, "enable_checkpointing": False, "accelerator": "cpu", "devices": 1}
    trainer = Trainer(callbacks=[sample], logger=False, enable_model_summary=False, **quiet)
    cfg.model.n_layers = 1
    logged = trainer.test(build_procedure(cfg), data, verbose=False)[0]
    assert logged.keys() == {"test/loss", "test/bits_per_character", "test/bits_per_character_5gram"}
    ngram, explicit = NGram(data.numbers["train"], 5, cfg.model.vocab_size), BitsPerCharacter()
    for text in data.numbers["test"]:
        explicit.update(ngram(text[None, :-1]), text[None, 1:])
    assert logged["test/bits_per_character_5gram"] == pytest.approx(explicit.compute().item(), rel=1e-5)
    assert len((tmp_path / "sample.txt").read_text(encoding="utf-8")) == cfg.model.context // 2 + 3 + 1
