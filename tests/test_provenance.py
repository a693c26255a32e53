"""Where hyperparameters come from: what is wrong is found, what is right in any spelling is left alone."""

import json
import re
from pathlib import Path

import pytest
import yaml
from conftest import run
from test_lookup import pdf

EXPERIMENT = "configs/experiment/paper.yaml"
HEAD = "# @package _global_\n"
PAPER = """Attention Networks for Everything
A. Author, B. Author
Abstract
We propose a thing. Our model is simple.
1 Introduction
Recurrent models are state-of-
the-art [12, 13]. We de-
ﬁne an efﬁcient method.
2 Background
See Section 3.2 for details. Published as a conference paper at ICLR 2020
3 Model Architecture
Figure 1: The architecture.
The encoder is composed of a stack of N = 6 identical layers.
3.1 Encoder and Decoder Stacks
y = f (x) (1)
3.2 Attention
3.2.1 Scaled Dot-Product Attention
Attention(Q, K, V ) = softmax(QK T
√dk
)V (2)
5 Training
5.1 Training Data and Batching
We trained on the standard dataset with 4.5 million sentence pairs.
2
5.3 Optimizer
We used the Adam optimizer [20] with β1 = 0.9, β2 = 0.98 and ϵ = 10−9. We varied the learning
rate at each step over the course of training, according to the formula: lrate = d−0.5. This corresponds to increas-
ing the learning rate linearly for the ﬁrst warmup_steps training steps. We used warmup_steps = 4000.
Weight decay is 3 × 10−4. We use a “cosine” schedule.
Label Smoothing During training, we employed label smoothing of value ϵls = 0.1 [36].
T able 3: Variations on the architecture.
TABLE IV
Tables 5–7 show more. Figs. 2 and 3; Eqs. (4) to (6)
Algorithm1 Training procedure
6 Conclusion
7
A Details
A.1 Hyperparameters
We train for 100 epochs
8
with a batch size of 64.
Appendix C. More
"""
IEEE = """I. INTRODUCTION
As shown in Sec. IV-B, TABLE II and Fig. 3.
II. RELATED WORK
III. METHOD
A. Encoder
IV. EXPERIMENTS
"""
REVIEW = """000
001 We use a batch size
002 of 256 and dropout
003 of 0.1.
1 INTRODUCTION
054
Under review
2 M ETHOD
2.1 T RAINING
"""


@pytest.fixture(scope="module")
def ask(_default_bake):
    """Evaluate an expression over ``data`` in a repository, with what ``evidence.paper`` and ``evidence.sources`` define."""

    def ask(expression: str, data: object = None, cwd: Path = _default_bake):
        code = (
            "import json, sys; from my_paper.harness.evidence.paper import *\n"
            "from my_paper.harness.evidence.sources import *; from my_paper.harness.evidence.citations import cited_parts\n"
            f"data = json.loads({json.dumps(data)!r})\n"
            f"print(json.dumps({expression}))\n"
            "assert not {'torch', 'lightning', 'matplotlib'} & set(sys.modules)"
        )
        return json.loads(run("python", "-c", code, cwd=cwd).stdout.splitlines()[-1])

    return ask


@pytest.fixture
def judge(ask, repo):
    """What is said of an experiment: ``{key: Value as a dict}``."""

    def judge(text: str, paper: str | None = None, name: str = "paper") -> dict[str, dict]:
        (repo / f"configs/experiment/{name}.yaml").write_text(HEAD + text)
        if paper is not None:
            (repo / "paper.txt").write_text(paper)
        return {value["key"]: value for value in ask("[vars(v) for v in experiment_values(data)]", name, repo)}

    judge.repo = repo
    return judge


def problem(found: dict[str, dict], key: str) -> str:
    (said,) = found[key]["problems"]
    return said


# Numbers

SAME = [
    *((4000, quote) for quote in ("warmup_steps = 4000", "4,000 steps", "4k steps", "4K", "4·10^3")),
    *(
        (1e-3, quote)
        for quote in ("1e-3", "1E-03", "10^-3", "10−3", "10^{-3}", "10⁻³", "1.0 × 10 −3", "10**-3", ".001")
    ),
    *((3e-4, quote) for quote in ("3 × 10−4", "3x10^{-4}", "3·10^-4", r"$3 \times 10^{-4}$", "3e−4", "3*10^(-4)")),
    *((0.1, quote) for quote in ("10 %", "10%", "weights of 1/10", "P_drop = 0.1")),
    *((0.125, quote) for quote in ("1/8", "an eighth, 0.125")),
    *((6, quote) for quote in ("six layers", "a stack of N = 6 identical layers", "6-layer", "Six")),
    *((2**15, quote) for quote in ("32k tokens", "2^15", "32,768")),
    *((5e6, quote) for quote in ("5 million", "5M", "5 × 106")),
    *(([0.9, 0.98], quote) for quote in ("β1 = 0.9, β2 = 0.98", "(0.9,0.98)", "β₁/β₂ = 0.9/0.98")),
    *((1024, quote) for quote in ("sizes of 256, 512 and 1,024", "2^{10}")),
    (-1, "−1"),
    (300, "three hundred"),
    (0.07, "τ=.07"),
    ([0.1, 1], "[0.1, 1]"),
    (90, "decayed at epochs 30, 60 and 90"),
    # numbers that are no quantity, or of something else
    (1e-8, "as in Adam [12]"),
    (0.1, "Table 3 gives it"),
    (0, "no dropout"),
    (0.1, "the two losses are summed"),
    (1.0, "zero mean and unit variance"),
    (0.5, "2D convolutions of ResNet50 (He et al., 2016)"),
    (1, "one of the models with 3 layers"),
    (1.0, "lr = d^{-0.5} · min(s^{-0.5}, s · w^{-1.5})"),
    (1.0, "d−0.5 · min(step−0.5)"),
    (30, "the 30th epoch"),
    # what is not compared
    (True, "5"),
    ("adam", "0.1"),
    (None, "3"),
]
OTHER = [
    (8000, "warmup_steps = 4000"),
    (4, "4,000 steps"),
    (1e-4, "1e-3"),
    (1e-4, "10−3"),
    (1e-3, "3 × 10^-3"),
    (3, "3e-4"),
    (0.2, "10 %"),
    (3, "two layers"),
    (12, "six layers"),
    ([0.9, 0.999], "β1 = 0.9, β2 = 0.98"),
    ([30, 60, 80], "30, 60 and 90"),
    (2, "β1 = 0.9"),
    (200, "100 epochs"),
    (0.3, "0.1 to 0.2"),
    (16, "8 × 8 patches"),
    (4, "one of the models with 3 layers"),
]


def test_numbers_in_every_spelling(ask):
    assert [
        case
        for case, other in zip(SAME, ask("[differing_numbers(v, [q]) for v, q in data]", SAME), strict=True)
        if other
    ] == []
    found = ask("[differing_numbers(v, [q]) for v, q in data]", OTHER)
    assert [case for case, other in zip(OTHER, found, strict=True) if not other] == []


# Quotes and places

SAID = [
    *((PAPER, quote) for quote in (
        "We used the Adam optimizer [20] with β1 = 0.9", "We used the Adam optimizer with β₁ = 0.9", "warmup_steps=4000.",
        "β1 = 0.9, β2 = 0.98 and ε = 10^-9", "state-of-the-art", "define an efficient method", "WE USED THE ADAM",
        "the formula … warmup_steps = 4000", "[...] linearly for the first warmup_steps", "smoothing of value ε_ls = 0.1",
        "Weight decay is 3 × 10^{-4}", "Weight decay is 3x10⁻⁴", "we use a 'cosine' schedule", "increasing the learning rate",
        "We train for 100 epochs with a batch size of 64",
    )),
    ("na¨ıve Poincar´e", "naïve Poincaré"),
    ("``so called'' thing", "“so called” thing"),
    ("a non-\nlinear model", "a nonlinear model"),
    ("we use 4\n\n5\n\f\nheads in all", "we use 4 heads in all"),
]  # fmt: skip
NOT_SAID = [
    *((PAPER, quote) for quote in (
        "We used the SGD optimizer", "warmup_steps = 8000", "β1 = 0.9 and β2 = 0.99", "weight decay is 3 × 10−3",
        "batch size of 128", "warmup_steps = 4000 … according to the formula",
    )),
    (REVIEW, "batch size of 128"),
    ("a rate of 1e-3", "a rate of 1e3"),
]  # fmt: skip
PLACES = [
    *((PAPER, place) for place in (
        "Section 5.3", "Section 3", "Sections 3.1 and 5", "Section 3, Task 1", "Section A.1",
        "Section 3, 2000 steps", "Appendix A", "Appendix A.1", "Appendix C", "Table 3",         "Table IV", "Figure 2", "Figure 1a (left)", "Equation (2)",
        "Algorithm 1, line 9",
    )),
    *((IEEE, place) for place in ("Section IV-B", "Section III", "Table II", "Figure 3")),
    *((REVIEW, place) for place in ("Section 2", "Section 2.1")),
]  # fmt: skip
NO_PLACES = [
    *((PAPER, place) for place in (
        "Section 9", "Section 5.4", "Section 2.1", "Sections 3.1 and 8", "Table 9", "Figure 7", "Equation (9)",
        "Algorithm 2", "Appendix D", "Appendix A.7", "Appendix B.2",
    )),
    *((IEEE, place) for place in ("Section 6", "Table IV")),
    (REVIEW, "Section 5"),
]  # fmt: skip


def test_quotes_are_looked_up_as_a_reader_would(ask):
    found = ask("[has_quote(q, t) for t, q in data]", SAID + NOT_SAID)
    wrong = [
        quote
        for (_, quote), stands, n in zip(SAID + NOT_SAID, found, range(99), strict=False)
        if stands != (n < len(SAID))
    ]
    assert wrong == []


def test_places_are_looked_up_as_a_reader_would(ask):
    found = ask("[all(has_place(p, t) for _, p in list(cited_parts(c)) or 1 / 0) for t, c in data]", PLACES + NO_PLACES)
    wrong = [
        place
        for (_, place), has, n in zip(PLACES + NO_PLACES, found, range(99), strict=False)
        if has != (n < len(PLACES))
    ]
    assert wrong == []


# Comments

FORMS = {
    "paper": ["Section 5.3", "Section 3.1, 2000 steps", "§5", 'Table 3: "x"', '"we use Adam"', "as in Section 3", "Eq. (3)", "p. 4", "Abstract", "Appendix B.2"],
    "code": ["official code, train.py:41", "the authors' code", "Official implementation", "official documentation, Results", "see the official code"],
    "elsewhere": ["https://x.org", "author, e-mail 2024-05-01", "Kingma & Ba 2015", "as in He et al. 2016", "Table 3 of Kingma & Ba (2015)"],
    "assumed": ["assumed: not stated", "Assumed: x", "assumed"],
    "differs": ["differs: Section 5.1 has 200; a laptop is slow", "Differs from Table 3"],
    "": ["ours: x", "guess", "TODO(paper): where is it stated?", "0.05/π", "what is counted: step or epoch", "sectional"],
}  # fmt: skip


def test_forms_of_a_source(ask):
    for kind, sources in FORMS.items():
        assert ask("[source_kind(source) for source in data]", sources) == [kind] * len(sources)


def test_that_nothing_chooses_needs_no_source(judge):
    """That something does, needs one."""
    assert "monitor.metric" not in judge("monitor:\n  metric: null  # there is no validation\n")
    last = "ckpt: last  # Section 2\nmonitor:\n  metric: val/loss\ntrainer:\n  check_val_every_n_epoch: 5\n"
    assert not {"monitor.metric", "trainer.check_val_every_n_epoch"} & judge(last).keys()
    assert "trainer.check_val_every_n_epoch" in judge(last.partition("\n")[2])
    found = judge("monitor:  # Section 2\n  metric: val/loss\n  mode: min\n")
    assert [*found] == ["monitor.metric"], "the mode follows from the metric"
    assert "no source" in problem(judge("monitor:\n  metric: val/loss\n"), "monitor.metric")


def test_the_comment_of_each_value(judge):
    found = judge(
        """defaults:
  - override /optimizer: adam  # Section 1
  # not of a value
model:           # Section 2
  width: 1
  depth: 2       # Section 3
                 # goes on
                # does not
  inner:
    a: "# no comment"  # Section 4
    b: 'it''s # none'
  many: [1,      # Section 6
         2]
  flow: {c: 1, d: 2}  # Section 7
  items:
    - 1          # Section 8
    - 2
loss:
  plain: a#b
  twice: x
    y            # Section 9
  none:          # Section 10
  anchor: &a 3   # Section 11
  alias: *a      # Section 12
  block: |       # Section 13
    words
# Section 14
seed: 1
# differs: Section 15 has 0.1;
#   ours is slow
scheduler:
  warmup_steps: 3
  # assumed: not this one
  gamma: 1     # Section 16
data: {}
trainer:
  devices: 2
  accelerator: gpu
callbacks: {a: {b: 1}}
metrics: {_target_: x, size: "${model.width}", num_workers: 3, teacher: teacher.pt, url: https://a.org/b.npz, sha256: 5e}
"""
    )
    assert {key: value["source"] for key, value in found.items()} == {
        "optimizer": "Section 1",
        "model.width": "Section 2",
        "model.depth": "Section 3 goes on",
        "model.inner.a": "Section 4",
        "model.inner.b": "Section 2",
        "model.many": "Section 6",
        "model.flow.c": "Section 7",
        "model.flow.d": "Section 7",
        "model.items": "Section 8",
        "loss.plain": "",
        "loss.twice": "Section 9",
        "loss.none": "Section 10",
        "loss.anchor": "Section 11",
        "loss.alias": "Section 12",
        "loss.block": "Section 13",
        "data": "",
        "scheduler.warmup_steps": "differs: Section 15 has 0.1; ours is slow",
        "scheduler.gamma": "Section 16",
        "trainer.devices": "",
    } | {key: "" for key in ["data"] if key in found}
    lines = (judge.repo / EXPERIMENT).read_text().splitlines()
    assert all(key.split(".")[-1] in lines[value["line"] - 1] for key, value in found.items())
    assert found["loss.alias"]["value"] == 3


def test_an_experiment_that_inherits(judge):
    judge("model:\n  width: 1  # Section 1\n  depth: 2  # Section 2\n")
    found = judge(
        "defaults:\n  - paper\n  - override /model: paper  # Table 1\nmodel:\n  depth: 3  # Table 2\n",
        name="other",
    )
    said = {key: (Path(value["file"]).stem, value["value"], value["source"]) for key, value in found.items()}
    assert said == {
        "model.width": ("paper", 1, "Section 1"),
        "model": ("other", "paper", "Table 1"),
        "model.depth": ("other", 3, "Table 2"),
    }


# Problems

PROBLEMS = [
    ("optimizer: {lr: 1}", "no source"),
    ("optimizer:\n  lr: 1  # TODO(paper): where is it stated?", "no source"),
    ("optimizer:\n  lr: 1  # ours: quicker", "not a known form of a source: # Section 5.3"),
    ("optimizer:\n  lr: 1  # assumed", "without a reason"),
    ("optimizer:\n  lr: 1  # assumed:", "without a reason"),
    ("optimizer:\n  lr: 1  # assumed: {1, 2}", "without a reason"),
    ("optimizer:\n  lr: 1  # assumed: usual; {1}", "hold no other value of the same kind"),
    ("optimizer:\n  lr: 1  # assumed: usual; {1, [}", "hold no other value of the same kind"),
    ("optimizer:\n  lr: 1  # assumed: usual; {}", "hold no other value of the same kind"),
    ("optimizer:\n  lr: 1  # assumed: usual; {a lot}", "hold no other value of the same kind"),
    ('optimizer:\n  lr: 2  # Section 5.3: "warmup_steps = 4000"', "2 is not in the quote"),
    ('optimizer:\n  lr: 1  # official code, train.py:1: "lr=2e-3"', "1 is not in the quote"),
    ('optimizer:\n  lr: 1  # Section 5.3: "a learning rate of 1"', "does not say “a learning rate of 1”"),
    ("optimizer:\n  lr: 1  # Section 9", "no Section 9"),
    ("optimizer:\n  lr: 1  # Section 5.3, Equation (9)", "no Equation (9)"),
    ("optimizer:\n  lr: 1  # differs: ours is quicker", "differs from what?"),
    ('optimizer:\n  lr: 1  # differs: Section 5.3: "a rate of 9"; ours is quicker', "does not say “a rate of 9”"),
    ("defaults:\n  - override /optimizer: sgd  # assumed: usual; {adam, nadam}", "name nadam"),
    (
        'defaults:\n  - override /optimizer: sgd  # Section 5.3: "We used the Adam optimizer"',
        "sgd, but the quote names adam",
    ),
]
FINE = [
    'optimizer:\n  lr: 4e3  # Section 5.3: "warmup_steps = 4000"',
    'optimizer:\n  lr: 1  # official code, train.py:41: "lr=1.0", Section 99 of its manual',
    "optimizer:\n  lr: 1  # assumed: usual; {1, 2, …}",
    'optimizer:\n  lr: 1  # differs: Section 5.3: "warmup_steps = 4000"; too many for a laptop',
    "optimizer:\n  lr: 1  # differs: the official code, train.py:3, has 2",
    "optimizer:\n  lr: 1  # assumed: Section 99 says nothing of it",
    "optimizer:\n  lr: 1  # Table 99 of Kingma & Ba (2015)",
    "optimizer:\n  lr: ${model.width}",
    'defaults:\n  - override /optimizer: adam  # Section 5.3: "We used the Adam optimizer"',
    'defaults:\n  - override /scheduler: inverse_sqrt  # "varied the learning rate at each step"',
    "trainer:\n  accelerator: gpu\n  log_every_n_steps: 1",
    "trainer:\n  max_epochs: -1  # differs: max_steps ends the training",
    "defaults:\n  - override /loss: null\n  - override /metrics: null",
    "trainer:\n  max_epochs: null\n  max_steps: -1",
]  # fmt: skip


def test_problems(judge):
    for text, said in PROBLEMS:
        (value,) = judge(text, PAPER).values()
        assert len(value["problems"]) == 1 and said in value["problems"][0], (text, value)
    for text in FINE:
        assert not [value for value in judge(text, PAPER).values() if value["problems"]], text
    (judge.repo / "paper.txt").unlink()
    (value,) = judge('optimizer:\n  lr: 1  # Section 9: "a rate of 1"').values()
    assert value["problems"] == [] and value["kind"] == "paper"


def test_alternatives(judge):
    for written, value, read in [
        ("{0.0, 0.1, 0.3}", 0.1, [0.0, 0.3]),
        ("{1e-3, 1e-4}", "1e-3", [1e-4]),
        ("{null, 1.0}.", "null", [1.0]),
        ("{[0.9, 0.99], [0.9, 0.999]}", "[0.9, 0.999]", [[0.9, 0.99]]),
        ("{relu, gelu}", "relu", ["gelu"]),
        ("{true, false}", "true", [False]),
        ("{1, 2, …}", 1, []),
        ("{1, 2}, not run: an hour each", 1, [2]),
    ]:
        (found,) = judge(f"optimizer:\n  lr: {value}  # assumed: usual; {written}").values()
        assert (found["alternatives"], found["problems"]) == (read, []), written


def test_what_is_unstated(ask, repo):
    found = ask("values_without_source('paper')", cwd=repo)
    assert (
        "model.width (configs/model/paper.yaml:3)" in found and "optimizer.eps (configs/optimizer/adam.yaml:5)" in found
    )
    assert not re.search(r"_target_|_partial_|num_workers|optimizer\.lr|interval|metrics", " ".join(found))
    path = repo / "configs/model/paper.yaml"
    path.write_text(path.read_text().replace("width: 16", "width: 16  # Section 3"))
    path = repo / EXPERIMENT
    path.write_text(path.read_text().replace("optimizer:\n", "optimizer:\n  eps: 1e-8\n"))
    assert set(found) - set(ask("values_without_source('paper')", cwd=repo)) == {
        "model.width (configs/model/paper.yaml:3)",
        "optimizer.eps (configs/optimizer/adam.yaml:5)",
    }


def test_a_source_beside_the_default_of_a_group_counts(ask, repo):
    path = repo / "configs/model/paper.yaml"
    path.write_text(path.read_text().replace("width: 16", "width: 16  # assumed: not stated; {8}"))
    (value,) = ask("[vars(v) for v in experiment_values('paper') if v.key == 'model.width']", cwd=repo)
    assert (value["kind"], value["alternatives"], value["file"]) == ("assumed", [8], "configs/model/paper.yaml")
    experiment = repo / EXPERIMENT
    experiment.write_text(experiment.read_text() + "model:\n  width: 32\n")
    assert ask("[v.value for v in experiment_values('paper') if v.key == 'model.width']", cwd=repo) == [32]


def test_what_is_never_built_needs_no_source(ask, repo):
    path = repo / "src/my_paper/procedure.py"
    own = "\n    def configure_optimizers(self):\n        return torch.optim.SGD(self.parameters(), lr=1.0)\n"
    path.write_text(f"import torch\n{path.read_text()}{own}")
    paper = repo / "configs/paper.yaml"
    paper.write_text(re.sub("learning_rate: {}.*", "learning_rate: {1: 1e-3}", paper.read_text()))  # a key is a number
    said = ask("[v.key for v in experiment_values('paper') if v.problems] + values_without_source('paper')", cwd=repo)
    assert said and not re.search("optimizer|scheduler", " ".join(said))
    path.write_text(path.read_text().replace("torch.optim.SGD(self.parameters(), lr=1.0)", "self.optimizer([])"))
    said = ask("[v.key for v in experiment_values('paper') if v.problems] + values_without_source('paper')", cwd=repo)
    assert re.search("optimizer", " ".join(said)) and not re.search("scheduler", " ".join(said))
    todos = "__import__('my_paper.harness.reporting.report', fromlist=['']).todos()[data]"
    experiment = repo / EXPERIMENT
    assert len(ask(todos, EXPERIMENT, repo)) == experiment.read_text().count("TODO(paper)") - 2  # of the scheduler
    experiment.write_text(re.sub(r"(override /\w+): \w+", r"\1: null", experiment.read_text()))
    said = ask("[v.key for v in experiment_values('paper') if v.problems] + values_without_source('paper')", cwd=repo)
    assert not re.search("optimizer|scheduler|batch_size|trainer", " ".join(said))
    monitor = experiment.read_text().splitlines().index(next(re.finditer("monitor:.*", experiment.read_text()))[0])
    assert ask(todos, EXPERIMENT, repo) == [monitor + 1]


def test_the_claims_have_sources_too(ask, repo):
    """A value of the paper that is not what stands there."""
    path = repo / "configs/paper.yaml"
    text = path.read_text()
    (repo / "paper.txt").write_text("Table 2: an accuracy of 94.3 %")
    for line, said in {
        "value: 94.3  # Table 2": [],
        'value: 94.3  # Table 2: "accuracy of 94.3"': [],
        'value: 93.4  # Table 2: "accuracy of 94.3"': [
            "93.4 is not in the quote “accuracy of 94.3”. Name its place without a quote"
        ],
        'value: 93.4  # Table 2: "accuracy of 93.4"': ["the paper does not say “accuracy of 93.4”"],
        "value: 94.3  # Table 3": ["the paper has no Table 3"],
        "value: 94.3": ["no source: where does the paper state it?"],
    }.items():
        path.write_text(re.sub("value: null.*", line, text))
        assert ask("[v.problems for v in target_values()]", cwd=repo) == [said], line
    path.write_text(re.sub("value: null.*", "value: 94.3\n    stated_by: us", text))
    assert not ask("[v.key for v in target_values()]", cwd=repo)
    common = "target_defaults: {dataset: digits}  # differs: Table 2 has MNIST\ntargets:"
    path.write_text(re.sub("(?m)^ +dataset: .*\n", "", text).replace("targets:", common, 1))
    assert ask("[(v.key, v.value, v.problems) for v in target_values()]", cwd=repo) == [["data of paper", "digits", []]]


# The paper itself


def test_a_real_pdf(ask, repo):
    lines = [
        "1 Introduction",
        "We train for a long time on all of the data that there is, and then for longer.",
        "5.3 Optimizer",
    ]
    lines += [
        "We used a dropout of 0.3 in each of the lay-",
        "ers, as is usual in networks of this kind and of any other.",
    ]
    pdf(repo / "paper.pdf", *(line.replace("(", r"\(").replace(")", r"\)") for line in lines * 3))
    (repo / EXPERIMENT).write_text(
        HEAD
        + 'model:\n  a: 0.3  # Section 5.3: "dropout of 0.3 in each of the layers"\n  b: 1  # Section 5.4\n  c: 2  # "as is unusual"\n'
    )
    said = "[v.problems for v in experiment_values('paper')]"
    expected = [[], ["the paper has no Section 5.4"], ["the paper does not say “as is unusual”"]]
    assert ask(said, cwd=repo) == expected
    (kept,) = (repo / "runs").glob("paper-*.txt")
    kept.write_text(kept.read_text().replace("5.3", "5.4"))  # it is not read again
    assert ask(said, cwd=repo)[0] == ["the paper has no Section 5.3"]
    (repo / "paper.txt").write_text("\n".join(lines))
    assert ask(said, cwd=repo) == expected


def test_a_pdf_that_cannot_be_read(ask, repo):
    (repo / "paper.pdf").write_bytes(b"%PDF-1.4\nnothing")
    assert "paper.pdf cannot be read" in ask("paper_text()", cwd=repo)[1]
    pdf(repo / "paper.pdf", "a scan")
    assert "may be a scan" in ask("paper_text()", cwd=repo)[1]
    code = "import sys; sys.modules['pypdf'] = None; from my_paper.harness.evidence.sources import *; print(experiment_values('paper')[0].problems, paper_text()[1])"
    assert "pip install pypdf" in run("python", "-c", code, cwd=repo).stdout


def test_a_wrong_source_turns_the_suite_red(repo):
    """One that is missing does not."""
    suite = ["pytest", "-q", "-p", "no:cacheprovider", "tests/checks/test_configs.py", "-k", "sources"]
    assert "1 passed" in run(*suite, cwd=repo).stdout
    path = repo / EXPERIMENT
    text = path.read_text()
    path.write_text(
        text.replace("lr: 1e-3  # TODO(paper): where is it stated?", 'lr: 1e-3  # Section 3: "a rate of 1e-4"')
    )
    assert "0.001 is not in the quote" in run(*suite, cwd=repo, ok=False).stdout
    (repo / "paper.txt").write_text("a rate of 0.001")
    path.write_text(text.replace("lr: 1e-3  # TODO(paper): where is it stated?", 'lr: 1e-3  # "a rate of 1e-3"'))
    assert "the paper does not say" in run(*suite, cwd=repo, ok=False).stdout


# Sweeping over what is assumed


def digests(ask, repo, *overrides: str) -> str:
    code = (
        "__import__('hydra').initialize_config_dir(str(CONFIGS), version_base='1.3').__enter__() and None or "
        "__import__('my_paper.harness.identity', fromlist=['x']).digest(__import__('hydra').compose('train', data))"
    )
    return ask(code, list(overrides), repo)


def test_sweep_over_what_is_assumed(ask, repo):
    text = (repo / EXPERIMENT).read_text()
    for before, after in {
        "batch_size: 64  # TODO(paper): where is it stated?": "batch_size: 64  # assumed: usual; {64, 128}",
        "scheduler: constant  # TODO(paper): where is it stated?": "scheduler: constant  # assumed: none; {constant, cosine}",
        "max_epochs: 20": "max_epochs: 1",
    }.items():
        assert before in text
        text = text.replace(before, after)
    (repo / EXPERIMENT).write_text(text)
    run("git", "commit", "-qam", "State what is assumed", cwd=repo)
    sweep = ["python", "train.py", "-m", "experiment=paper", "sweep=ambiguities", "callbacks.progress=null"]
    run(*sweep, "seed=0", cwd=repo)
    expected = [digests(ask, repo, *also) for also in ([], ["data.batch_size=128"], ["scheduler=cosine"])]
    names = {f"paper-{digest}-seed0" for digest in expected}
    assert len(names) == 3 and {path.stem for path in (repo / "results").glob("*.json")} == names
    again = run(*sweep, "seed=0,1", "data.batch_size=64", cwd=repo).stdout  # who sets a value wants no other
    assert again.count("is finished already") == 2 and "To train it again" not in again
    assert {path.name for path in (repo / "runs").glob("paper-*")} == names | {
        f"paper-{digest}-seed1" for digest in (expected[0], expected[2])
    }
    told = run("python", "report.py", cwd=repo).stdout
    assert re.search(
        r"What an alternative changes:\n(?: .*\n)* +paper: data.batch_size=128 +test/accuracy +[-+]\S+ % \(n = 1\)",
        told,
    )
    assert "not counted" not in told, "a run is listed once"


def test_sweep_without_alternatives(repo):
    """One line, and nothing run; the same where they cannot be read."""
    sweep = ["python", "train.py", "-m", "experiment=paper", "sweep=ambiguities"]
    path = repo / EXPERIMENT
    for said in ("dropout: 0.1  # assumed: not stated; {0.0, 0.1, 0.3}", "hold no other value"):
        done = run(*sweep, cwd=repo, ok=False)
        assert done.returncode == 1 and said in done.stderr and done.stderr.count("\n") == 1
        path.write_text(
            path.read_text().replace("lr: 1e-3  # TODO(paper): where is it stated?", "lr: 1e-3  # assumed: x; {a}")
        )
    assert not list(repo.glob("runs/paper-*"))


def test_an_unknown_form_of_a_source_does_not_stop_a_sweep(repo):
    """The experiment "smoke" has comments that are no sources."""
    done = run("python", "train.py", "-m", "experiment=smoke", "sweep=ambiguities", cwd=repo, ok=False)
    assert done.returncode == 1 and done.stderr.startswith("No assumed value has alternatives")


def test_every_baked_value_has_a_comment(bake):
    for task in ("classification", "contrastive", "generative", "physics", "sequence"):
        folder = bake(task=task, project_slug=task, package_name="my_paper", max_epochs="2000 steps @ Section 3")
        code = "from my_paper.harness.evidence.sources import *; print([v.key for v in experiment_values('paper') if not v.source])"
        assert run("python", "-c", code, cwd=folder).stdout == "[]\n"
        assert yaml.safe_load((folder / EXPERIMENT).read_text())["trainer"]["max_epochs"] == -1
