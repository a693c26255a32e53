"""The report, from records: what counts, what the verdict is, and what is written where."""

import json
import re
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
from conftest import run
from scipy import stats

CLAIM = {
    "value: null": "value: 94.3",
    "tolerance: null": "tolerance: 0.5",
    "std: null": "std: 0.2",
    'reason: ""': 'reason: "the paper\'s own spread, doubled"',
}
KNOWN = (
    "import json; from my_paper.harness import identity; from my_paper.harness.evidence import record as records\n"
    "cfg = identity.compose('experiment=paper')\n"
    "print(json.dumps([identity.digest(cfg), identity.identity(cfg), records.code_digest()]))"
)
DIGEST = "from my_paper.harness.identity import compose; from my_paper.harness.identity import digest\nprint(digest(compose(%s)))"
CODE = "from my_paper.harness.evidence.record import code_digest; print(code_digest())"


def edit(path: Path, **changes: str) -> None:
    """Set keys of a target in configs/paper.yaml."""
    text = path.read_text()
    for key, value in changes.items():
        text, found = re.subn(rf"(?m)^( *(?:- )?{key}: ).*$", lambda line, value=value: line[1] + value, text)
        assert found, f"there is no {key}"
    path.write_text(text)


def checksum(record: dict) -> str:
    """As a run computes it."""
    text = json.dumps(record | {"checksum": ""})
    return sha256("".join(text.split()).replace('"checksum":""', "").encode()).hexdigest()[:16]


@pytest.fixture
def claimed(repo):
    """A repository whose paper claims 94.3 ± 0.2 %, tolerance 0.5, for the seeds 0 and 1."""
    path = repo / "configs/paper.yaml"
    text = path.read_text()
    for before, after in CLAIM.items():
        assert before in text
        text = text.replace(before, after)
    path.write_text(text)
    edit(path, seeds="[0, 1]")
    return repo


@pytest.fixture(scope="module")
def known(_default_bake) -> list:
    """Digest, settings and code of ``experiment=paper``, which no claim changes."""
    return json.loads(run("python", "-c", KNOWN, cwd=_default_bake).stdout)


@pytest.fixture
def add(claimed, known):
    """Add a record of ``experiment=paper`` with an accuracy in percent; keywords go over its fields.

    Seeds that the claim does not declare are declared.
    """
    digest, config, code = known
    (claimed / "results").mkdir()
    declared = set()

    def add(seed: int, accuracy: float, declare: bool = True, **fields) -> Path:
        name = f"{fields.get('experiment', 'paper')}-{fields.get('digest', digest)}-seed{seed}{fields.pop('again', '')}"
        record = {
            "experiment": "paper",
            "digest": digest,
            "seed": seed,
            "status": "finished",
            "run": f"runs/{name}",
            "git": {"commit": "0" * 40, "dirty": False},
            "code": code,
            "config": config,
            "metrics": {"test/accuracy": accuracy / 100},
            "curves": {"train/loss": {"steps": [1, 2], "values": [1.0, seed / 10]}},
        } | fields
        if declare:
            declared.add(seed)
            edit(claimed / "configs/paper.yaml", seeds=str(sorted(declared)))
        path = claimed / "results" / f"{name}.json"
        path.write_text(json.dumps(record | {"checksum": checksum(record)}))
        return path

    return add


def line(repo) -> str:
    """The line of the table, with single spaces."""
    report = run("python", "report.py", cwd=repo).stdout
    return next(re.sub(" +", " ", text.strip()) for text in report.splitlines() if text.startswith("  paper "))


@pytest.mark.parametrize(
    ("accuracies", "ours", "verdict"),
    [
        ([94.1, 94.3, 93.9], "94.10 ± 0.20 % (n = 3) 93.60 … 94.60", "reproduced (interval exceeds tolerance)"),
        ([94.1], "94.1 % (n = 1) –", "reproduced (n = 1)"),
        ([93.0, 93.2], "93.10 ± 0.14 % (n = 2) 91.8 … 94.4", "not reproduced (interval reaches tolerance)"),
        ([96.0, 96.2], "96.10 ± 0.14 % (n = 2) 94.8 … 97.4", "not reproduced (better)"),
        ([96.0, 96.4], "96.20 ± 0.28 % (n = 2) 93.7 … 98.7", "not reproduced (better, interval reaches tolerance)"),
    ],
)
def test_verdict(claimed, add, accuracies, ours, verdict):
    for seed, accuracy in enumerate(accuracies):
        add(seed, accuracy)
    assert line(claimed) == f"paper test/accuracy – 94.3 ± 0.2 % {ours} ± 0.5 {verdict}"


@pytest.mark.parametrize(
    ("aggregate", "ours", "verdict"),
    [
        ("mean", "92.8 ± 1.5 % (n = 3) 89.0 … 96.6", "not reproduced (interval reaches tolerance)"),
        ("median", "93 % (median of 3) –", "not reproduced"),
        ("max", "94.2 % (max of 3) –", "reproduced"),
        ("min", "91.2 % (min of 3) –", "not reproduced"),
    ],
)
def test_what_the_paper_makes_of_its_runs_is_made_of_ours(claimed, add, aggregate, ours, verdict):
    for seed, accuracy in enumerate([93.0, 91.2, 94.2]):
        add(seed, accuracy)
    edit(claimed / "configs/paper.yaml", aggregate=aggregate, n_runs="30")
    paper = "(n = 30)" if aggregate == "mean" else f"({aggregate} of 30)"
    assert line(claimed) == f"paper test/accuracy – 94.3 ± 0.2 % {paper} {ours} ± 0.5 {verdict}"
    assert "alt=" in (claimed / "REPORT.html").read_text()


@pytest.mark.parametrize("values", [[float("nan"), 94.2], [94.2, float("nan")]])
def test_no_number_is_not_passed_over_by_the_best(claimed, add, values):
    for seed, accuracy in enumerate(values):
        add(seed, accuracy)
    edit(claimed / "configs/paper.yaml", aggregate="max")
    assert line(claimed).endswith("not reproduced")


def test_student_t_is_that_of_scipy(repo):
    script = "from my_paper.harness.evidence.claims import t_975; print(*(t_975(n) for n in range(1, 200)))"
    ours = [float(value) for value in run("python", "-c", script, cwd=repo).stdout.split()]
    assert ours == pytest.approx(stats.t.ppf(0.975, range(1, 200)), abs=6e-4)


def test_a_missing_seed_is_no_success(claimed, add):
    add(0, 94.3), add(1, 94.3)
    edit(claimed / "configs/paper.yaml", seeds="[0, 1, 2]")
    assert line(claimed).endswith("so far within, seed 2 missing")
    assert "seeds without a run that counts" in run("python", "report.py", cwd=claimed).stdout
    missing = run("python", "report.py", "--missing", cwd=claimed).stdout
    assert missing == "python train.py -m experiment=paper seed=0,1,2 resume=auto\n"


def test_seeds_are_chosen_beforehand(claimed, add):
    """Of many runs the best ones cannot be shown."""
    add(0, 94.3), add(1, 94.2), add(7, 99.0, declare=False)
    report = run("python", "report.py", cwd=claimed).stdout
    assert "(n = 2)" in report and "seed7 (seed 7 is not one of the seeds in configs/paper.yaml)" in report


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"tolerance": "null"}, "no tolerance"),
        ({"reason": '""'}, "no reason for the tolerance"),
        ({"value": "null"}, "no paper value"),
    ],
)
def test_a_verdict_needs_a_value_a_tolerance_and_its_reason(claimed, add, change, verdict):
    add(0, 94.3), add(1, 94.3)
    edit(claimed / "configs/paper.yaml", **change)
    assert line(claimed).endswith(verdict)


def test_a_tolerance_that_was_widened_after_the_runs_is_seen(claimed, add):
    claim = {"value": 94.3, "claim": "equal", "scale": 100, "mode": "max", "tolerance": 0.1}
    add(0, 94.0, claims={"test/accuracy": claim}), add(1, 94.0, claims={"test/accuracy": claim})
    told = "test/accuracy tolerance (0.1 then, 0.5 now)"
    assert f"Changed after the runs: {told}.\n" in run("python", "report.py", cwd=claimed).stdout
    assert f"Changed after the runs:\n\n- {told}\n" in (claimed / "README.md").read_text()
    edit(claimed / "configs/paper.yaml", tolerance="0.1")
    assert line(claimed).endswith("± 0.1 not reproduced")


def test_seeds_and_targets_that_went_after_the_runs_are_seen(claimed, add):
    add(0, 94.3, seeds=[0, 1, 2], claims={"test/accuracy": {}, "test/loss": {"value": 1}})
    report = run("python", "report.py", cwd=claimed).stdout
    assert "Changed after the runs: the target test/loss of paper is gone; seeds ([0, 1, 2] then, [0] now)." in report


def test_a_tolerance_that_was_chosen_after_runs_of_older_code_is_seen(claimed, add):
    stated = {"value": 94.3, "tolerance": None}
    add(0, 94.3, code="00000000", claims={"test/accuracy": stated})
    assert (
        "Changed after the runs: test/accuracy tolerance (None then, 0.5 now).\n"
        in run("python", "report.py", cwd=claimed).stdout
    )
    add(
        0, 94.3, code="00000000", claims={"test/accuracy": stated | {"value": None}}
    )  # a run of the untouched repository
    assert "Changed after" not in run("python", "report.py", cwd=claimed).stdout


def test_a_threshold_that_became_the_papers_is_seen(claimed, add):
    add(0, 94.3, claims={"test/accuracy (own threshold)": {"value": 94.3, "stated_by": "us"}})
    report = run("python", "report.py", cwd=claimed).stdout
    assert "Changed after the runs: test/accuracy stated_by (us then, paper now).\n" in report


def test_two_rows_that_look_alike_are_refused(claimed):
    path = claimed / "configs/paper.yaml"
    path.write_text(path.read_text().replace("targets:\n", "targets:\n  - {metric: test/accuracy, value: 90}\n"))
    said = "2 targets name test/accuracy of paper. Log it under a second name. A range has upper.\n"
    assert run("python", "report.py", cwd=claimed, ok=False).stderr.endswith(said)
    path.write_text('title: "not closed\n')
    told = run("python", "report.py", cwd=claimed, ok=False).stderr
    assert "paper.yaml" in told and "Traceback" not in told, told


def test_all_mistakes_in_the_claims_are_told_at_once(claimed):
    edit(
        claimed / "configs/paper.yaml",
        metric="train/loss",
        value="94.3 %",
        claim="about",
        mode="largest",
        aggregate="best",
        seeds="3",
    )
    (claimed / "configs/paper.yaml").write_text(
        (claimed / "configs/paper.yaml").read_text().replace("    tolerance:", "    tolerence:")
    )
    told = run("python", "report.py", cwd=claimed, ok=False).stderr
    named = (
        "claim: about is not one of: equal, at least, at most, none.",
        "mode: largest",
        "aggregate: best is not one of: mean, median, max, min.",
        "seeds: 3 is not a list of whole numbers",
    )
    for part in ("value: 94.3 % is not a number", "Did you mean tolerance?", "compute train/loss again", *named):
        assert part in told
    assert "Traceback" not in told


def test_smaller_may_be_better(claimed, add):
    edit(claimed / "configs/paper.yaml", mode="min")
    add(0, 93.0), add(1, 93.02)
    assert line(claimed).endswith("not reproduced (better)")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"digest": "00000000", "config": {"lr": 1}}, "another configuration: callbacks.best._target_ (not in it, "),
        ({"git": {"commit": "0" * 40, "dirty": True}}, "code not committed"),
        ({"code": "00000000"}, "the code has changed since commit 0000000"),
        ({"git": {"commit": None, "dirty": None}}, "code not in git"),
        ({"metrics": {"test/loss": 1.0}}, "no test/accuracy in it; there is test/loss"),
        ({"status": "interrupted"}, "interrupted"),
    ],
)
def test_what_does_not_count(claimed, add, fields, reason):
    """It is shown with its reason, once for all that have the same, and changes no number."""
    add(0, 94.3), add(1, 94.3), add(2, 10.0, **fields), add(3, 10.0, **fields)
    report = run("python", "report.py", cwd=claimed).stdout
    assert "(n = 2)" in report and f"seed2 and 1 more ({reason}" in report


@pytest.mark.parametrize(
    ("claim", "accuracies", "shown", "verdict"),
    [
        ("at least", [99.0, 99.5], "≥ 94.3", "reproduced"),
        ("at least", [90.0, 90.5], "≥ 94.3", "not reproduced"),
        ("at most", [90.0, 90.5], "≤ 94.3", "reproduced"),
        ("at most", [99.0, 99.5], "≤ 94.3", "not reproduced"),
    ],
)
def test_a_bound_needs_no_tolerance_and_no_mode(claimed, add, claim, accuracies, shown, verdict):
    """Whatever mode says: what is beyond the bound is never better."""
    then = {"value": 94.3, "claim": claim, "scale": 100, "tolerance": None}
    for seed, accuracy in enumerate(accuracies):
        add(seed, accuracy, claims={"test/accuracy": then | {"mode": "max"}})
    edit(claimed / "configs/paper.yaml", claim=claim, tolerance="null", mode="max" if claim == "at most" else "min")
    told = line(claimed)
    assert shown in told and told.endswith(f"– {verdict}")
    assert "Changed after the runs" not in (claimed / "README.md").read_text()


@pytest.mark.parametrize(
    ("accuracies", "tolerance", "verdict"),
    [
        ([85.0, 85.1], "null", "– reproduced (interval exceeds bound)"),
        ([87.0, 87.1], "null", "– reproduced"),
        ([91.0, 91.01], "null", "– not reproduced (better)"),
        ([91.0, 91.01], "2", "± 2 reproduced"),
        ([80.0, 80.01], "2", "± 2 not reproduced"),
    ],
)
def test_the_paper_may_give_a_range(claimed, add, accuracies, tolerance, verdict):
    for seed, accuracy in enumerate(accuracies):
        add(seed, accuracy)
    edit(
        claimed / "configs/paper.yaml", value='85  # Table 2: "85–90 %"\n    upper: 90', std="null", tolerance=tolerance
    )
    told = line(claimed)
    assert " 85 … 90 % " in told and told.endswith(verdict)
    left = run("python", "report.py", cwd=claimed).stdout.partition("Left to do")[2]
    assert "tolerance" not in left and "quote" not in left
    edit(claimed / "configs/paper.yaml", upper="80")
    said = "upper: a range has the form value: 85, upper: 90, with claim: equal."
    assert said in run("python", "report.py", cwd=claimed, ok=False).stderr


def test_code_is_the_same_whatever_its_comments(repo):
    def digest() -> str:
        return run("python", "-c", CODE, cwd=repo).stdout

    before, path = digest(), repo / "src/my_paper/model.py"
    path.write_text(path.read_text().replace('"""A small', '"""# A tiny').replace("# (B, C, H, W)", "# (B, 1, 8, 8)"))
    assert digest() == before
    path.write_text(path.read_text().replace("nn.ReLU()", "nn.GELU()"))
    assert digest() != before


def test_a_seed_counts_once(claimed, add):
    """Of several runs of one seed the newest that may count, whatever their files are called."""
    add(0, 94.3, started="2026-01-01")
    add(0, 94.1, started="2026-01-02", again="-2")
    report = run("python", "report.py", cwd=claimed).stdout
    assert "94.1 % (n = 1)" in report and "a newer run of this seed counts" in report


@pytest.mark.parametrize(("claim", "value"), [("equal", "nan"), ("at least", "inf"), ("at most", "-inf")])
def test_a_diverged_run_is_no_success(claimed, add, claim, value):
    """Although an infinite number is beyond any bound. The old form of a record, which is no JSON, is still read."""
    edit(claimed / "configs/paper.yaml", claim=claim)
    add(0, 94.3), add(1, float(value))
    assert line(claimed).endswith("diverged in 1 of 2 runs – ± 0.5 not reproduced")
    assert "diverged in 1 of 2 runs" in (claimed / "REPORT.html").read_text()


STRICT = """
import json, math, pathlib
from my_paper.harness.evidence import record
path, inf = pathlib.Path("record.json"), math.inf
texts = {"NaN": 'says "NaN", or "', "text": '"Infinity'}
given = dict.fromkeys(record.NEEDED, 1) | {"metrics": {"a": math.nan, "b": inf}, "config": [-inf, 1.5], **texts}
record.write_json(path, given)
json.loads(path.read_text(), parse_constant=lambda name: 1 / 0)
back = record.read(path)
assert record.checksum(path.read_text()) == back.pop("checksum")
assert math.isnan(back["metrics"].pop("a")) and given["metrics"].pop("a") and back == given, back
"""


CURVES = """
import pathlib
from my_paper.harness.evidence import record
path = pathlib.Path("metrics.csv")
path.write_text("step,train/loss,val/loss\\n0,2,nan\\n1,inf,\\n2,1,nan\\n")
assert record.curves(path) == {"train/loss": {"steps": [1, 3], "values": [2, 1]}}, record.curves(path)
"""


def test_what_is_not_finite_leaves_the_curves(repo):
    run("python", "-c", CURVES, cwd=repo)


def test_any_reader_of_json_reads_a_record(repo):
    run("python", "-c", STRICT, cwd=repo)


def test_code_digest_does_not_depend_on_the_version_of_python(repo):
    """Two spellings of one tree, and fields that some versions leave out: nothing empty is part of it."""
    script = (
        "import ast; from my_paper.harness.evidence.record import _plain\n"
        "tree = ast.parse('def f(x): return x')\n"
        "fewer = ast.parse('def f(x): return x'); f = fewer.body[0]\n"
        "[delattr(f, name) for name in ('type_params', 'type_comment', 'returns') if not getattr(f, name, True)]\n"
        "assert _plain(tree) == _plain(fewer) != _plain(ast.parse('def f(x): return -x'))"
    )
    run("python", "-c", script, cwd=repo)


def test_digests_do_not_depend_on_line_ends_and_explanations(repo):
    """A record that counts here counts in a clone for Windows; a target is explained after the tests have passed."""
    script = (
        "from my_paper.harness.evidence import record, tests; from my_paper.harness.identity import compose, digest\n"
        "print(record.code_digest(), tests.suite_digest(), digest(compose('experiment=paper')))"
    )
    (repo / "tests/reference.txt").write_text("1\n2\n")
    before = run("python", "-c", script, cwd=repo).stdout
    edit(repo / "configs/paper.yaml", reason="the spread of our seeds", unit='"points"')  # which no test reads
    for path in [path for folder in ("src", "configs", "tests") for path in (repo / folder).rglob("*")]:
        if path.is_file() and "__pycache__" not in path.parts:
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert run("python", "-c", script, cwd=repo).stdout == before


@pytest.mark.parametrize("why", ["another owner", "no commit", "no git"])
def test_a_failure_of_git_is_not_read_as_a_state(repo, tmp_path, why: str):
    """Containers and shared disks have another owner; the reason and git's own remedy are said before the training."""
    environment = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"} if why == "another owner" else {}
    if why == "no commit":
        run("git", "update-ref", "-d", "HEAD", cwd=repo)
    if why == "no git":
        environment["PATH"] = str(tmp_path)
    reason = {
        "another owner": f"call: git config --global --add safe.directory {repo}",
        "no commit": "does not have any commits yet",
        "no git": "git is not installed",
    }[why]
    script = "from my_paper.harness.evidence.record import git_state; print(git_state()['failure'])"
    assert reason in run(sys.executable, "-c", script, cwd=repo, **environment).stdout
    missing = run(sys.executable, "report.py", "--missing", cwd=repo, ok=False, **environment)
    assert missing.returncode == 1 and f"{reason}\n" in missing.stderr and "Traceback" not in missing.stderr
    assert reason in run(sys.executable, "report.py", cwd=repo, **environment).stdout


def test_another_experiment_is_no_evidence(claimed, add):
    add(0, 94.3, experiment="smoke")
    assert line(claimed).endswith("no run yet")


def test_digest_is_of_what_decides_the_result(repo):
    def digest(*overrides: str) -> str:
        script = DIGEST % ", ".join(map(repr, ("experiment=paper", *overrides)))
        return run("python", "-c", script, cwd=repo).stdout

    assert len({digest(), digest("seed=3"), digest("trainer=gpu", "logger=wandb"), digest("threads=2")}) == 1
    assert digest("trainer=ddp") == digest("trainer=ddp", "trainer.devices=[0,3]"), "how many, not which"
    assert (
        len(
            {
                digest(),
                digest("optimizer.lr=0.1"),
                digest("trainer.precision=bf16-mixed"),
                digest("loss.smoothing=0.1"),
                digest("trainer=ddp"),
            }
        )
        == 5
    )


def test_report_is_idempotent_and_touches_only_its_places(claimed, add):
    run("git", "commit", "--quiet", "--all", "--message", "Claim", cwd=claimed)
    add(0, 94.3), add(1, 94.2)
    run("python", "report.py", cwd=claimed)
    run("git", "add", "--all", cwd=claimed)
    changed = run("git", "diff", "--cached", "--name-only", cwd=claimed).stdout.split()
    assert {path.split("/")[0] for path in changed} == {"README.md", "PAPER.md", "docs", "results", "src"}
    removed = run("git", "diff", "--cached", "--unified=0", "README.md", "PAPER.md", "src", cwd=claimed).stdout
    removed = [text for text in removed.splitlines() if text.startswith("-") and not text.startswith("---")]
    assert removed == [
        "-- [ ] trained: a run has finished",
        "-**Status: not started**",
        "-    not started: python train.py experiment=paper, then python report.py",
    ]
    run("python", "report.py", cwd=claimed)
    assert run("git", "diff", "--name-only", cwd=claimed).stdout == ""
    assert run("ruff", "format", "--check", ".", cwd=claimed)


def test_status_text_cannot_end_the_docstring(claimed, add):
    edit(claimed / "configs/paper.yaml", dataset='\'""" | \\ `x`\'')
    add(0, 94.3)
    run("python", "report.py", cwd=claimed)
    run("python", "report.py", cwd=claimed)
    run(
        "python",
        "-c",
        "import my_paper; assert 'trained · 1 of 1 within the tolerance · 1 seed' in my_paper.__doc__",
        cwd=claimed,
    )
    table = [text for text in (claimed / "README.md").read_text().splitlines() if text.startswith("| paper ")]
    assert len(table) == 1 and len(re.findall(r"(?<!\\)\|", table[0])) == 8


def test_rows_of_several_tables(claimed, add):
    """Defaults, rows grouped by table, seeds of their own, one run of what draws nothing, a threshold of our own."""
    path = claimed / "configs/paper.yaml"
    defaults = "target_defaults: {metric: test/accuracy, scale: 100, unit: '%', tolerance: 0.5, reason: spread}\n"
    targets = """targets:
  - {value: 94.3, table: Table 1}
  - {metric: test/f1, value: 90, table: Table 2, explanation: "no | augmentation"}
  - {metric: test/pca, value: 80, table: Table 1, deterministic: true, tolerance: 1}
  - {metric: test/auc, value: 70, claim: at least, tolerance: null, stated_by: us, seeds: [1]}
  - {metric: test/curve, value: null}
  - {metric: test/other, value: 80, claim: none, tolerance: null}

"""
    path.write_text(re.sub(r"(?ms)^targets:\n.*?\n\n", lambda _: defaults + targets, path.read_text()))
    metrics = {
        "test/accuracy": 0.943,
        "test/f1": 0.8,
        "test/pca": 0.80123456,
        "test/auc": 0.75,
        "test/curve": 0.5,
        "test/other": 0.6,
    }
    add(0, 0, metrics=metrics), add(1, 0, metrics=metrics)
    told = re.sub(" +", " ", run("python", "report.py", cwd=claimed).stdout)
    assert told.index("\nTable 1\n") < told.index("test/pca") < told.index("\nTable 2\n") < told.index("test/f1")
    assert "test/pca – 80 % 80.123 % (deterministic) – ± 1 reproduced\n" in told
    assert "test/auc – – 75 % (n = 1) – ≥ 70 %, our own threshold reached (n = 1)\n" in told
    assert re.search(r"test/curve – – 50.* no paper value\n", told)
    assert re.search(r"test/other – 80 % 60.* not judged\n", told) and "no tolerance" not in told
    assert '<strong class="">Not judged</strong>' in (claimed / "REPORT.html").read_text()
    assert "2 of 3 within the tolerance · 1 of 1 own thresholds reached · 2 seeds\n" in told
    readme = (claimed / "README.md").read_text()
    assert (
        "**Table 2**" in readme
        and "| not reproduced <sup>2</sup> |" in readme
        and "\n2. no \\| augmentation\n" in readme
    )
    commands = re.search("```bash\n(.*?)```", readme, re.DOTALL)[1]
    assert commands == "python train.py -m experiment=paper seed=0,1\n", (
        "one row has other seeds, which the others have, too"
    )
    again = "  - {metric: test/auc, value: 60, claim: at least, tolerance: null, seeds: [1]}\n"
    path.write_text(path.read_text().replace("targets:\n", f"targets:\n{again}", 1))
    told = re.sub(" +", " ", run("python", "report.py", cwd=claimed).stdout)
    assert "test/auc – ≥ 60 % 75 % (n = 1) – – reproduced (n = 1)\n" in told, "the paper's own bound, beside ours"
    run("python", "train.py", "experiment=smoke", cwd=claimed)  # whose record keeps the claims


def test_a_difference_of_two_rows(claimed, add):
    """Of the seeds that both rows have; the interval is that of the paired differences."""
    (claimed / "configs/experiment/base.yaml").write_text(
        "# @package _global_\ndefaults:\n  - paper\noptimizer:\n  lr: 0.5  # assumed: not stated; {0.25}\n"
    )
    digest, config, _ = json.loads(run("python", "-c", KNOWN.replace("=paper", "=base"), cwd=claimed).stdout)
    path = claimed / "configs/paper.yaml"
    target = "targets:\n  - {metric: test/accuracy, minus: base, value: 0, claim: at least, scale: 100, unit: '%'}\n\n"
    path.write_text(re.sub(r"(?ms)^targets:\n.*?\n\n", lambda _: target, path.read_text()))
    base = {"experiment": "base", "digest": digest, "config": config}
    for seed, (ours, theirs) in enumerate([(94, 93), (96, 94), (91, 90)]):
        add(seed, ours, claims={"test/accuracy minus base": {"value": 1}})
        if seed < 2:
            add(seed, theirs, curves={}, **base)
    assert (
        line(claimed)
        == "paper − base test/accuracy – > 0 % 1.50 ± 0.71 % (n = 2; 95 − 93.5) -4.9 … 7.9 – so far within, seed 2 missing"
    )
    assert run("python", "report.py", "--runs", cwd=claimed).stdout == ""
    add(2, 90, curves={"val/loss": {"steps": [1, 2], "values": [1.0, 0.5]}}, **base)
    told = run("python", "report.py", cwd=claimed).stdout
    assert "1.33 ± 0.58 % (n = 3; 93.67 − 92.33)  -0.1 … 2.8     –          reproduced (interval exceeds bound)" in told
    assert "Changed after the runs: test/accuracy minus base value (1 then, 0 now)." in told
    assert "<!-- base, validation -->" in (claimed / "docs/figures/curves-paper.svg").read_text()
    assert "not counted" not in told
    assert "experiment=paper,base seed=0,1,2\n" in (claimed / "README.md").read_text()
    # a row of its own, once its result is known, and a mistyped one
    path.write_text(
        path.read_text().replace("targets:\n", "targets:\n  - {metric: test/accuracy, value: 0.9, claim: at least}\n")
    )
    assert "Changed after the runs: test/accuracy was added; " in run("python", "report.py", cwd=claimed).stdout
    text = path.read_text()
    path.write_text(text.replace("scale: 100", "scale: -100"))
    assert "-1.33 ± 0.58 % (n = 3; -93.67 − (-92.33))" in run("python", "report.py", cwd=claimed).stdout
    # their quotient
    path.write_text(text.replace("minus: base, value: 0,", "over: base, value: 1.01,").replace("100, unit: '%'", "1"))
    told = run("python", "report.py", cwd=claimed).stdout
    assert "paper ÷ base" in told and "> 1.01  1.0144 ± 0.0060 (n = 3; 0.9367 ÷ 0.9233)" in told
    path.write_text(text.replace("minus: base", "minus: base, over: base"))
    assert "minus and over exclude each other" in run("python", "report.py", cwd=claimed, ok=False).stderr
    path.write_text(text)
    path.write_text(path.read_text().replace("minus: base", "minus: bass"))
    said = "minus: configs/experiment/ has no bass. Did you mean base?\n"
    assert run("python", "report.py", cwd=claimed, ok=False).stderr.endswith(said)


def test_a_baseline_that_draws_nothing_runs_once(claimed, add):
    """Such as one that repeats the last value: each seed of ours is compared with its one run."""
    (claimed / "configs/experiment/base.yaml").write_text(
        "# @package _global_\ndefaults:\n  - paper\nckpt: last  # assumed\n"
    )
    digest, config, _ = json.loads(run("python", "-c", KNOWN.replace("=paper", "=base"), cwd=claimed).stdout)
    rows = "  - {metric: test/accuracy, experiment: base, value: 90, deterministic: true, scale: 100, claim: none}\n"
    target = "targets:\n  - {metric: test/accuracy, minus: base, value: 0, claim: at least, scale: 100}\n"
    path = claimed / "configs/paper.yaml"
    path.write_text(re.sub(r"(?ms)^targets:\n.*?\n\n", lambda _: f"{target}{rows}\n", path.read_text()))
    add(0, 94), add(1, 95)
    add(0, 90, experiment="base", digest=digest, config=config)
    assert (
        line(claimed)
        == "paper − base test/accuracy – > 0 4.50 ± 0.71 (n = 2; 94.5 − 90) -1.9 … 10.9 – reproduced (interval exceeds bound)"
    )
    assert "experiment=base seed=0\n" in (claimed / "README.md").read_text()


def test_a_tie_is_not_better(claimed, add):
    (claimed / "configs/experiment/base.yaml").write_text(
        "# @package _global_\ndefaults:\n  - paper\nckpt: last  # assumed\n"
    )
    digest, config, _ = json.loads(run("python", "-c", KNOWN.replace("=paper", "=base"), cwd=claimed).stdout)
    target = "targets:\n  - {metric: test/accuracy, minus: base, value: 0, claim: at least, scale: 100}\n\n"
    path = claimed / "configs/paper.yaml"
    path.write_text(re.sub(r"(?ms)^targets:\n.*?\n\n", lambda _: target, path.read_text()))
    add(0, 30), add(0, 30, experiment="base", digest=digest, config=config, curves={})
    assert line(claimed) == "paper − base test/accuracy – > 0 0 (n = 1; 30 − 30) – – not reproduced"
    path.write_text(path.read_text().replace("value: 0,", "value: 0, tolerance: 0.5, reason: a seed's spread,"))
    assert line(claimed).endswith("– ± 0.5 reproduced (n = 1)") and "– ≥ 0 " in line(claimed)


def test_an_alternative_of_both_rows_changes_their_difference(claimed, add):
    """The baseline inherits the assumed value, so that it has the alternative, too."""
    path = claimed / "configs/experiment/paper.yaml"
    path.write_text(re.sub("max_epochs: 20 .*", "max_epochs: 20  # assumed: not stated; {10}", path.read_text()))
    (claimed / "configs/experiment/base.yaml").write_text(
        "# @package _global_\ndefaults:\n  - paper\nckpt: last  # assumed\n"
    )
    target = "targets:\n  - {metric: test/accuracy, minus: base, value: 0, claim: at least, scale: 100, unit: '%'}\n\n"
    path = claimed / "configs/paper.yaml"
    path.write_text(re.sub(r"(?ms)^targets:\n.*?\n\n", lambda _: target, path.read_text()))
    for experiment, value, changed in [("paper", 94, 92), ("base", 90, 91)]:
        for override, accuracy in [("", value), ("', 'trainer.max_epochs=10", changed)]:
            known = KNOWN.replace("=paper", f"={experiment}{override}")
            digest, config, _ = json.loads(run("python", "-c", known, cwd=claimed).stdout)
            if (experiment, changed) == ("base", accuracy):
                run("python", "report.py", cwd=claimed)
                assert "experiment=paper,base sweep=ambiguities" in (claimed / "REPORT.html").read_text()
            add(0, accuracy, experiment=experiment, digest=digest, config=config, curves={})
    told = run("python", "report.py", cwd=claimed).stdout
    assert re.search(r"paper − base: trainer.max_epochs=10 +test/accuracy +-3 % \(n = 1\)", told), told
    assert "not counted" not in told and "sweep=ambiguities" not in (claimed / "REPORT.html").read_text()


def test_what_differs_on_purpose_stands_beside_the_result(claimed, add):
    path = claimed / "configs/experiment/paper.yaml"
    said = "max_epochs: 20  # differs: Section 5 has 200; ours fits a laptop"
    path.write_text(re.sub("max_epochs: 20 .*", said, path.read_text()))
    path = claimed / "configs/paper.yaml"
    said = "dataset: digits  # differs: Section 4 has CIFAR-10; needs no download"
    path.write_text(re.sub("dataset: .*", said, path.read_text(), count=1))
    add(0, 94.3)
    said = "seeds: [0]  # differs: Section 5 has ten runs"
    path.write_text(re.sub("(?m)^seeds: .*", said, path.read_text()))
    told = [
        "seeds = [0] (Section 5 has ten runs)",
        "data = digits (Section 4 has CIFAR-10; needs no download)",
        "trainer.max_epochs = 20 (Section 5 has 200; ours fits a laptop)",
    ]
    printed = run("python", "report.py", cwd=claimed).stdout
    assert f"Unlike the paper: {'; '.join(told)}." in printed and " of 1 within the tolerance on other data" in printed
    assert "over all seeds, on other data\n" in (claimed / "PAPER.md").read_text()
    readme = (claimed / "README.md").read_text().replace("\\", "")
    assert "Unlike the paper:\n\n" + "\n".join(f"- {item}" for item in told) in readme
    assert (claimed / "REPORT.html").read_text().count(
        "Section 5 has 200; ours fits a laptop"
    ) == 3  # and where it is set


def test_what_rows_inherit_is_told_once_where_it_comes_from(claimed):
    path = claimed / "configs/paper.yaml"
    for row in ("one", "two"):
        (claimed / f"configs/experiment/{row}.yaml").write_text("# @package _global_\ndefaults:\n  - paper\n")
    rows = "target_defaults: {metric: test/accuracy}\ntargets:\n  - {experiment: one}\n  - {experiment: two}\n\n"
    path.write_text(re.sub(r"(?ms)^targets:\n.*?\n\n", rows, path.read_text()))
    told = run("python", "report.py", cwd=claimed).stdout.splitlines()
    (line,) = [line for line in told if "without a source" in line]
    assert line.strip().startswith("configs/experiment/paper.yaml ")


def test_what_is_missed_wants_an_explanation(claimed, add):
    add(0, 90)
    path, said = claimed / "configs/paper.yaml", "missed without an explanation: test/accuracy of paper"
    run("python", "report.py", cwd=claimed)
    assert said in (claimed / "REPORT.html").read_text()
    path.write_text(path.read_text().replace("    reason:", "    explanation: the budget\n    reason:", 1))
    run("python", "report.py", cwd=claimed)
    assert said not in (claimed / "REPORT.html").read_text()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, True),
        ({"steps": 3}, False),  # the last validation was another
        ({"tested": {"checkpoint": "last", "step": 2, "sha256": ""}}, False),  # as the paper does
        ({"curves": {"val/accuracy": {"steps": [2], "values": [0.9]}}}, False),  # the only validation
    ],
)
def test_a_training_that_still_improved_is_named(claimed, add, change, said):
    curves = {"val/accuracy": {"steps": [1, 2], "values": [0.8, 0.9]}}
    add(0, 94.3, **({"steps": 2, "curves": curves, "tested": {"checkpoint": "best", "step": 2, "sha256": ""}} | change))
    told = run("python", "report.py", cwd=claimed).stdout
    note = "Best at the last validation, so that training may not have converged"
    assert (f"{note}: paper (seed 0)." in told) is (note in (claimed / "README.md").read_text()) is said


def test_far_numbers_are_powers_of_ten(claimed, add):
    for seed, accuracy in enumerate([1e9, 2e9, 4e9]):
        add(seed, accuracy)
    assert "2.3·10⁹ ± 1.5·10⁹ % (n = 3) -1.5·10⁹ … 6.1·10⁹ ± 0.5 not reproduced" in line(claimed)


@pytest.mark.parametrize("content", ["{", "[]", "{}", "1"])
def test_a_broken_record_is_named(claimed, add, content):
    (claimed / "results/paper-1-seed0.json").write_text(content)
    done = run("python", "report.py", cwd=claimed, ok=False)
    assert done.returncode == 1 and "paper-1-seed0.json is not a record" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_left_to_do_names_file_and_line(repo):
    report = run("python", "report.py", cwd=repo).stdout
    marks = dict(re.findall(r"^  (\S+):([\d,]+) +\d+ × TODO\(paper\)$", report, flags=re.MULTILINE))
    assert {"configs/paper.yaml", "configs/experiment/paper.yaml", "src/my_paper/model.py", "PAPER.md"} <= marks.keys()
    for name, numbers in marks.items():
        lines = (repo / name).read_text().splitlines()
        assert all("TODO(paper)" in lines[int(number) - 1] for number in numbers.split(","))


def test_the_order_of_what_is_left_is_that_of_the_claims(claimed):
    """And so the same each time: REPORT.html does not change without a reason."""
    path, experiment = claimed / "configs/paper.yaml", claimed / "configs/experiment/paper.yaml"
    stated = experiment.read_text().replace(
        "lr: 1e-3  # TODO(paper): where is it stated?", "lr: 1e-3  # assumed: x; {1e-2}"
    )
    before, target, after = re.split(r"(?ms)^targets:\n(.*?\n)\n", path.read_text())
    names = ["e", "a", "d", "b", "c"]
    for name in names:
        experiment.with_name(f"{name}.yaml").write_text(stated)
    targets = [target.replace("experiment: paper", f"experiment: {name}") for name in names]
    path.write_text(f"{before}targets:\n{''.join(targets)}\n{after}")
    script = "from my_paper.harness.reporting.report import report; from my_paper.harness.reporting.todo import steps_left; known = report(write=False); known.suite.outcomes, known.suite.rows = {'t': 'passed'}, ['e']; print([step.where for step in steps_left(known)])"
    told = run("python", "-c", script, cwd=claimed).stdout
    assert re.findall(r"experiment=(\S+) sweep=ambiguities", told) == [",".join(names)]
    assert "EXPERIMENT=a pytest tests/checks" in told, "the checks have run on e alone"


def false_claims(repo: Path) -> str:
    """What ``report.py --check`` says of a repository with a false claim in it."""
    done = run("python", "report.py", "--check", cwd=repo, ok=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    return done.stderr


def test_check_is_content_from_the_start(repo):
    """An untouched repository passes its own continuous integration."""
    assert run("python", "report.py", "--check", cwd=repo).stdout == "Up to date: not started\n"
    run("python", "report.py", cwd=repo)
    assert run("git", "status", "--porcelain", cwd=repo).stdout == ""


def test_check_sees_a_number_that_was_typed(claimed, add):
    add(0, 94.1), add(1, 94.3)
    assert "README.md does not say" in false_claims(claimed)
    run("python", "report.py", cwd=claimed)
    run("python", "report.py", "--check", cwd=claimed)
    for name in ("README.md", "src/my_paper/__init__.py", "docs/figures/results.svg"):
        path = claimed / name
        before = path.read_text()
        path.write_text(
            before.replace("94.20 ±", "94.30 ±").replace("1 of 1", "2 of 1").replace("<path d=", "<path  d=", 1)
        )
        assert path.read_text() != before, f"{name} has no such number"
        assert name in false_claims(claimed)
        path.write_text(before)
    figure, gone, own = (claimed / f"docs/figures/curves-{name}.svg" for name in ("paper", "gone", "own"))
    gone.write_text(figure.read_text()), own.write_text("<svg/>")
    assert "docs/figures/curves-gone.svg shows what is no longer claimed" in false_claims(claimed)
    run("python", "report.py", cwd=claimed)
    assert own.exists() and not gone.exists()
    figure.unlink()
    assert "docs/figures/curves-paper.svg is missing" in false_claims(claimed)


def test_check_sees_newer_evidence(claimed, add):
    add(0, 94.1), add(1, 94.3)
    run("python", "report.py", cwd=claimed)
    add(0, 93.0, started="2026-01-02", again="-2")
    told = false_claims(claimed)
    assert "README.md does not say" in told and "docs/figures/results.svg does not show" in told


def test_check_misses_its_marks(claimed, add):
    path = claimed / "README.md"
    path.write_text(path.read_text().replace("<!-- status:begin", "<!-- begin"))
    assert "README.md has lost the marks" in false_claims(claimed)


def test_a_configuration_that_is_not_what_its_digest_says(claimed, add):
    """Another run under the digest of the paper's."""
    add(0, 94.3, config={"optimizer": {"lr": 1}})
    assert "(another configuration: " in run("python", "report.py", cwd=claimed).stdout


def test_an_edited_record_does_not_count(claimed, add):
    path = add(0, 94.1)
    add(1, 93.3)
    path.write_text(path.read_text().replace("0.941", "0.949"))
    report = run("python", "report.py", cwd=claimed).stdout
    assert "(edited after the run: the checksum does not match the content)" in report and "(n = 1)" in report


def test_an_edited_record_is_not_what_its_run_wrote(claimed, add):
    """Also when its checksum was computed again."""
    path = add(0, 94.1)
    beside = claimed / json.loads(path.read_text())["run"]
    beside.mkdir(parents=True)
    (beside / "record.json").write_text(path.read_text())
    add(0, 94.9)
    assert "(its run wrote other numbers, in runs/paper-" in run("python", "report.py", cwd=claimed).stdout


def commit(repo: Path, message: str) -> str:
    run("git", "add", "--all", cwd=repo)
    run("git", "commit", "--quiet", f"--message={message}", cwd=repo)
    return run("git", "rev-parse", "HEAD", cwd=repo).stdout.strip()


def test_git_shows_a_record_that_was_forged(claimed, add):
    """In a clone without runs/, with the checksum computed again; committed or not, under its own id or another."""
    before = commit(claimed, "Claim")
    git = {"commit": before, "dirty": False}
    add(0, 94.1, git=git, id="a")
    first = commit(claimed, "Record")
    assert "(n = 1)" in line(claimed), "an honest record counts"
    add(0, 94.9, git=git, id="a")
    forged = f"(edited or replaced after it was committed in {first[:7]})"
    assert forged in run("python", "report.py", cwd=claimed).stdout
    commit(claimed, "Forge")
    assert forged in run("python", "report.py", cwd=claimed).stdout
    next(claimed.glob("results/*seed0.json")).unlink()
    commit(claimed, "Remove")
    add(0, 94.9, git=git, id="b")
    commit(claimed, "Add")
    assert forged in run("python", "report.py", cwd=claimed).stdout
    add(0, 94.2, git=git, id="c", started=time.strftime("%Y-%m-%dT%H:%M:%S%z"))
    assert "94.2 % (n = 1)" in line(claimed), "who deletes results/ may train again"


def test_git_shows_a_record_that_is_older_than_its_code(claimed, add):
    git = {"commit": commit(claimed, "Claim"), "dirty": False}
    add(0, 94.9, git=git, started="2020-01-01T00:00:00+0000")
    add(1, 94.9, git=git, started="2020-01-01T00:00:00+0000", resumed=True)
    add(2, 94.9, git=git, started=time.strftime("%Y-%m-%dT%H:%M:%S%z"))
    told = run("python", "report.py", cwd=claimed).stdout
    assert f"seed0 (started before {git['commit'][:7]}, the code that it names, was committed)" in told
    assert "(n = 2)" in told


def test_a_seed_that_was_trained_again_on_other_code_counts(claimed, add):
    git = {"commit": commit(claimed, "Claim"), "dirty": False}
    add(0, 90.0, git=git, code="00000000")
    commit(claimed, "Record")
    add(0, 94.3, git=git)
    assert "94.3 % (n = 1)" in line(claimed)


def test_curves_end_where_metrics_begin(claimed, add):
    curves = {"val/loss": {"steps": [1, 2], "values": [1.0, 0.5]}}
    add(0, 94.3, steps=2, curves=curves, metrics={"test/accuracy": 0.943, "val/loss": 0.5})
    assert "(n = 1)" in line(claimed)
    add(0, 94.3, steps=2, curves=curves, metrics={"test/accuracy": 0.943, "val/loss": 0.4})
    told = run("python", "report.py", cwd=claimed).stdout
    assert "(the curve of val/loss ends at another value than its metric)" in told


def test_facts_that_were_loosened_after_the_runs_are_seen(claimed, add):
    add(0, 94.3, facts={"overfit_one_batch": 0.1, "stop_gradient": False, "flops": None, "splits": {"train": 2}})
    add(1, 94.3, facts={"overfit_one_batch": 0.5})
    told = run("python", "report.py", cwd=claimed).stdout
    assert "after the runs: facts.overfit_one_batch (0.1 then, 0.5 now), facts.splits.train (2 then, " in told


def test_a_renamed_record_does_not_count(claimed, add):
    path = add(1, 94.3)
    path.rename(path.with_name(path.name.replace("seed1", "seed0")))
    assert "(renamed: it is the record of paper-" in run("python", "report.py", cwd=claimed).stdout


def test_a_copied_record_is_not_another_seed(claimed, add):
    add(0, 94.3)
    add(1, 94.3, curves={"train/loss": {"steps": [1, 2], "values": [1.0, 0.0]}})  # those of seed 0
    assert "(same curves as seed 0: it is a copy, or the seed has no effect (deterministic: true))" in (
        run("python", "report.py", cwd=claimed).stdout
    )


@pytest.mark.parametrize(("last", "panels"), [(0.1, ["loss"]), (0.05, ["loss", "learning rate"])])
def test_a_learning_rate_is_drawn_where_it_moves(claimed, add, last, panels):
    rate = {"steps": [1, 2], "values": [0.1, last]}
    add(0, 94.1, curves={"train/loss": {"steps": [1, 2], "values": [1.0, 0.0]}, "train/learning rate": rate})
    run("python", "report.py", cwd=claimed)
    drawn = (claimed / "docs/figures/curves-paper.svg").read_text()
    assert [name for name in ("loss", "learning rate") if f"<!-- {name} -->" in drawn] == panels


def test_a_smoke_run_is_shown_as_what_it_is(claimed, add):
    """Under its own name, and renamed: the configuration is what counts."""
    add(0, 94.3, experiment="smoke", digest="12345678", config={"trainer": {"max_steps": 20}})
    assert "(no target is of smoke)" in run("python", "report.py", cwd=claimed).stdout
    add(0, 94.3, digest="12345678", config={"trainer": {"max_steps": 20}})
    assert "(another configuration: " in run("python", "report.py", cwd=claimed).stdout


def test_what_was_verified(claimed, add):
    """Reproduced is said where nothing is left to fill in and the tests have passed on this very code; else, it runs."""
    add(0, 94.1), add(1, 94.3)
    assert "status: trained · 1 of 1 within the tolerance · 2 seeds\nNot verified: stand-ins" in (
        run("python", "report.py", cwd=claimed).stdout
    )
