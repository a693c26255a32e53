"""REPORT.html: one file that holds all that is known, in which every text is text."""

import base64
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import ENVIRONMENT, TEMPLATE, run
from test_report import CLAIM, KNOWN, checksum, edit

VOID = {"meta", "img", "br"}
LOADS = {"src", "srcset", "data", "poster", "background", "action", "formaction", "xlink:href"}
SECTIONS = "results figures architecture sources assumed differences parts tests uncounted compute environment left completeness"
HOSTILE = [
    *(TEMPLATE / "tests/titles.txt").read_text(encoding="utf-8").splitlines(),
    "<script>alert(1)</script> &amp; <!-- ]]> </title></style>",
    "\"><img src=x onerror='alert(1)'>",
    "</pre></td></table><h1>no</h1>",
    "p(x | z) || 1",
    "{{ 7 * 7 }} {% for x in y %} {# gone #} ${x}",
    "שלום \u202egnp.exe  \x00\x07 .",
]


class Page(HTMLParser):
    """A page that is well-formed, loads nothing, and has what those need who hear it read aloud."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[list[str]] = []  # tag and text so far
        self.found: list[tuple[str, str]] = []  # tag and text of what was closed
        self.rows: list[list[str]] = []  # of all tables, the text of their cells
        self.ids: list[str] = []
        self.links: list[str] = []
        self.images: list[dict] = []
        self.feed(text)
        self.close()
        assert self.open == [] and text.startswith("<!doctype html>\n")
        assert len(self.ids) == len(set(self.ids))
        assert {link[1:] for link in self.links if link.startswith("#")} == set(self.ids)
        levels = [int(tag[1]) for tag, _ in self.found if re.fullmatch("h[1-6]", tag)]
        assert levels.count(1) == 1 and levels[0] == 1
        assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        assert len(given) == len(attributes) and not [name for name in given if name.startswith("on")]
        assert tag not in {"script", "link", "iframe", "object", "embed", "base", "form", "svg", "input"}
        for name in LOADS & given.keys():
            assert re.match(r"data:image/(svg\+xml|png|jpeg);base64,", given[name]), given[name][:80]
        assert "style" not in given
        self.ids += [given["id"]] if "id" in given else []
        if tag == "a":
            self.links.append(given["href"])
        elif tag == "img":
            assert given["alt"]
            self.images.append(given)
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td"):
            assert tag == "td" or given["scope"] in ("col", "row")
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append([tag, ""])

    def handle_endtag(self, tag):
        assert self.open and self.open[-1][0] == tag, f"</{tag}> at {self.getpos()} closes nothing"
        _, text = self.open.pop()
        assert tag != "style" or not re.search(r"@import|url\(|http", text)
        if tag in ("th", "td"):
            self.rows[-1][-1] = " ".join(text.split())
        self.found.append((tag, " ".join(text.split())))

    def handle_data(self, data):
        for element in self.open:
            element[1] += data

    def texts(self, tag: str) -> list[str]:
        return [text for name, text in self.found if name == tag]

    def row(self, first: str) -> list[str]:
        """The cells of a table's row, by the text of its first one."""
        return next(row for row in self.rows if row[0] == first)

    def answers(self) -> dict[str, str]:
        """Of the checklist, by question."""
        begin = next(position for position, row in enumerate(self.rows) if row[0] == "Are the dependencies specified?")
        return {row[0]: row[1] for row in self.rows[begin:] if row[1] != "answer"}


def page(repo: Path) -> Page:
    run("python", "report.py", cwd=repo)
    return Page((repo / "REPORT.html").read_text(encoding="utf-8"))


def records(repo: Path, template: dict, changes: list[dict]) -> None:
    """Write a record for each of ``changes``, the first of seed 0."""
    digest, config, code = json.loads(run("python", "-c", KNOWN, cwd=repo).stdout)
    (repo / "results").mkdir(exist_ok=True)
    for seed, change in enumerate(changes):
        name = f"paper-{digest}-seed{seed}"
        record = {**template, "experiment": "paper", "digest": digest, "config": config, "code": code, "seed": seed}
        record |= {"run": f"runs/{name}", "status": "finished"} | change
        record.pop("checksum", None)
        text = json.dumps(record | {"checksum": checksum(record)})
        (repo / f"results/{name}.json").write_text(text)


def curve(seed: int) -> dict:
    return {"train/loss": {"steps": [1, 2], "values": [1.0, seed / 1000]}}


def claim(repo: Path, seeds: list[int], **changes: str) -> None:
    path = repo / "configs/paper.yaml"
    text = path.read_text()
    for before, after in CLAIM.items():
        text = text.replace(before, after)
    path.write_text(text)
    edit(path, seeds=str(seeds), **changes)


@pytest.fixture(scope="module")
def _trained(_default_bake: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository in which one seed was trained, of three."""
    repo = shutil.copytree(_default_bake, tmp_path_factory.mktemp("trained") / "my-paper", symlinks=True)
    claim(repo, [0, 1, 2], tolerance="10")
    run("git", "add", "--all", cwd=repo)
    run("git", "commit", "--quiet", "--message=Claim", cwd=repo)
    run("python", "train.py", "experiment=paper", "seed=0", cwd=repo)
    record = json.loads(next((repo / "results").glob("*.json")).read_text())
    others = [
        {
            "wall_time_s": 4.0,
            "metrics": {name: value - seed / 1000 for name, value in record["metrics"].items()},
            "curves": {
                name: c | {"values": [v - seed / 1000 for v in c["values"]]} for name, c in record["curves"].items()
            },
            "versions": record["versions"] | ({"torch": "1.0.0"} if seed == 1 else {}),
        }
        for seed in range(3)
    ]
    records(repo, record, others)
    return repo


@pytest.fixture
def trained(_trained: Path, tmp_path: Path) -> Path:
    return shutil.copytree(_trained, tmp_path / "my-paper", symlinks=True)


def test_bare(repo):
    """All sections are there before the first run, and no box is ticked that nothing proves."""
    shown = page(repo)
    assert shown.ids == SECTIONS.split() and shown.images == []
    assert shown.texts("strong")[0] == "Not started"
    assert len(shown.answers()) == 5
    assert [question for question, answer in shown.answers().items() if answer == "yes"] == [
        "Are the dependencies specified?"
    ]
    assert "TODO(paper): every difference, with its reason." in shown.texts("li")
    assert shown.row("TODO(paper)") == ["TODO(paper)", "", "", "", ""]


def test_page_needs_no_torch(repo):
    script = (
        "import sys; from my_paper.harness.reporting import html, report\n"
        "known = report.report(write=False)\n"
        "known.suite.outcomes = {'t::a': 'skipped', 't::b': 'failed', 't::c': 'passed'}\n"
        "known.suite.skipped = {'it needs a GPU': ['t::a']}\n"
        "text = html.html(known, [])\n"
        "assert '<summary>1 failed, 1 skipped</summary>' in text and '<td>failed</td><td>1<small>b</small>' in text\n"
        "assert '<td>it needs a GPU</td><td>1<small>a</small>' in text\n"
        "assert '<details open>\\n<summary>1 failed, ' in text and '>c<' not in text\n"
        "times = [html._time(seconds) for seconds in (None, 91, 150, 3600)]\n"
        "assert times == ['–', '91.0 s', '2 min', '1 h 0 min'], times\n"
        "assert not {'torch', 'lightning', 'matplotlib'} & set(sys.modules)"
    )
    run("python", "-c", script, cwd=repo)


def test_finished(trained):
    """What a record holds stands on the page: numbers, figures, modules, time, and what differs between runs."""
    figures = trained / "docs/figures"
    figures.mkdir(parents=True)
    (figures / "paper-seed0-sample.txt").write_text("<b>To be & or\n  not")
    (figures / "paper-seed0-grid.png").write_bytes(b"\x89PNG")
    (figures / "other-seed0-grid.png").write_bytes(b"\x89PNG")
    record = json.loads(next((trained / "results").glob("*seed0.json")).read_text())
    crashed = trained / "runs/paper-00000000-seed0"
    crashed.mkdir(parents=True)
    (crashed / "record.json").write_text(json.dumps(record | {"status": "crashed", "wall_time_s": 3600}))
    (trained / "runs/broken").mkdir()
    (trained / "runs/broken/record.json").write_text("{")
    shown = page(trained)

    assert shown.texts("strong")[0] == "Trained · 1 of 1 within the tolerance · 3 seeds"
    values = [100 * (record["metrics"]["test/accuracy"] - seed / 1000) for seed in range(3)]
    metric, paper, ours, verdict = shown.row("test/accuracypaper")
    assert paper == "94.3 ± 0.2 %± 10" and ours.startswith(f"{values[1]:.2f} ± 0.10 %(n = 3)95 % interval")
    assert verdict == "ReproducedTolerance: the paper's own spread, doubled"
    assert "python train.py -m experiment=paper seed=0,1,2" in shown.texts("pre")[0]

    names = re.findall(r"docs/figures/([\w.-]+)", " ".join(shown.texts("figcaption")))
    assert names == ["results.svg", "curves-paper.svg", "paper-seed0-grid.png", "paper-seed0-sample.txt"]
    assert shown.texts("pre")[1:] == ["<b>To be & or not"]
    content = [base64.b64decode(image["src"].partition(",")[2]) for image in shown.images]
    assert content == [(figures / name).read_bytes() for name in names[:3]]
    assert f"ours {values[1]:.2f} ± 0.10 %" in shown.images[0]["alt"]

    modules = record["architecture"]
    outer = next(text for text in reversed(shown.texts("li")) if text.startswith("model PaperModel"))
    assert all(module["type"] in outer for module in modules)  # boxes within boxes
    assert "(64, 1, 8, 8) → (64, 10) · 10,026 parameters · 39,583,744 operations" in outer

    arrows = [module["name"] for module in modules if re.fullmatch(r"model\.\w+\.[1-9]", module["name"])]
    assert (trained / "REPORT.html").read_text().count('<li class="follows">') == len(arrows)  # both are Sequential

    times = [row for row in shown.rows if row[0].startswith("runs/")]
    assert [row[1] for row in times] == ["finished"] * 3 + ["its record cannot be read", "crashed"]
    assert "5 runs, counted or not: 1 h 0 min in all." in shown.texts("p")
    assert shown.row("torch")[1] == f"{record['versions']['torch']} (2 runs) · 1.0.0 (1 run)"
    assert shown.row("commit")[1] == record["git"]["commit"]
    assert "Every record in results/ counts or is of an alternative." in shown.texts("p")


def test_a_table_of_values_has_no_picture(repo):
    claim(repo, [0])
    alone = {"name": "model", "type": "ValueTable", "parameters": 0, "flops": None, "in": "?", "out": "?"}
    template = {"git": {"commit": "0" * 40, "dirty": False}, "metrics": {"test/accuracy": 0.943}}
    records(repo, template, [{"architecture": [alone]}])
    shown = page(repo)
    assert (
        "ValueTable has no modules inside it." in shown.texts("p")
        and 'class="modules' not in (repo / "REPORT.html").read_text()
    )


def test_what_does_not_count_is_said(trained):
    path = next((trained / "results").glob("*seed2.json"))
    path.write_text(path.read_text().replace('"epochs": 20', '"epochs": 21'))
    shown = page(trained)
    assert shown.row(f"runs/{path.stem}")[1] == "edited after the run: the checksum does not match the content"
    assert "So far within, seed 2 missing" in shown.texts("strong")


@pytest.mark.parametrize(
    ("value", "tolerance", "verdict", "doubt"),
    [
        ("94.3", "0.5", "reproduced", "(interval exceeds tolerance)"),
        ("94.7", "0.3", "not reproduced", "(interval reaches tolerance)"),
        ("94.3", "2", "reproduced", ""),
    ],
)
def test_doubt_is_said_where_the_verdict_is(repo, value, tolerance, verdict, doubt):
    """Of a mean of 94.1 whose interval is 93.60 … 94.60."""
    claim(repo, [0, 1, 2], value=value, tolerance=tolerance)
    runs = [{"metrics": {"test/accuracy": a}, "curves": curve(seed)} for seed, a in enumerate([0.941, 0.943, 0.939])]
    records(repo, {"git": {"commit": "0" * 40, "dirty": False}}, runs)
    told, said = run("python", "report.py", cwd=repo).stdout, f"{verdict} {doubt}".strip()
    assert re.search(rf"± {tolerance} +{re.escape(said)}\n", told)
    assert f"| {said} |" in (repo / "README.md").read_text()
    assert said.capitalize() in Page((repo / "REPORT.html").read_text()).texts("strong")
    drawn = (repo / "docs/figures/results.svg").read_text()
    assert all(f"<!-- {text} -->" in drawn for text in (verdict, doubt) if text)


def test_the_checklist_follows_the_evidence(trained):
    """Each yes is a no without what it rests on; weights count where they are those of a run that counts."""
    weights = "Are there trained weights?"
    table = "Does the README have a table of results, with the exact commands?"
    stand_ins = {"Is there code to train?": "no", "Is there code to evaluate?": "no"}
    before = page(trained).answers()
    assert before.items() >= (stand_ins | {weights: "no", table: "yes"}).items()
    for path in (trained / "src/my_paper").glob("*.py"):
        path.write_text(path.read_text().replace("TODO(paper)", "done"))
    run("git", "commit", "--quiet", "--all", "--message=Fill in", cwd=trained)
    after = page(trained).answers()
    assert after.items() >= dict.fromkeys(stand_ins, "yes").items()
    (trained / "evaluate.py").unlink(), (trained / "constraints.txt").unlink()
    after = page(trained).answers()
    assert after["Is there code to evaluate?"] == after["Are the dependencies specified?"] == "no"

    checkpoint = next(trained.glob("runs/*/checkpoints/best.ckpt"))
    shutil.copy(checkpoint, trained / "weights.ckpt")
    run("git", "add", "weights.ckpt", cwd=trained)
    assert page(trained).answers()[weights] == "yes"
    (trained / "weights.ckpt").write_bytes(checkpoint.read_bytes() + b" ")
    assert page(trained).answers()[weights] == "no"


def test_many_records(repo):
    """A thousand records: the page stays one that can be read, and says how many more there are."""
    claim(repo, list(range(10)))
    template = {"git": {"commit": "0" * 40, "dirty": False}, "metrics": {"test/accuracy": 0.943}}
    records(repo, template, [{"curves": curve(seed), "wall_time_s": 36} for seed in range(1000)])
    shown = page(repo)
    assert [text for text in shown.texts("p") if text.startswith("…")] == ["… and 940 more.", "… and 950 more."]
    assert "1000 runs, counted or not: 10 h 0 min in all." in shown.texts("p")
    assert len(shown.rows) < 300


def seen(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


HEADLINE = """
import json
from my_paper.harness.reporting import html, markdown, report, terminal
known = report.report(write=False)
known.unverified = []
texts = {path.name: text for path, text in markdown.texts(known, []).items()}
print(json.dumps([known.status, terminal.printed(known), texts["README.md"], texts["__init__.py"], html.html(known, [])]))
"""


@pytest.mark.parametrize(
    ("accuracy", "loss", "status", "look"),
    [
        (0.943, 1, "reproduced 2 of 2 · 1 seed", "good"),
        (0.943, 9, "reproduced 1 of 2 · 1 seed", "begun"),
        (0.9, 9, "reproduced 0 of 2 · 1 seed", "bad"),
    ],
)
def test_there_is_one_headline(repo, accuracy, loss, status, look):
    claim(repo, [0])
    path = repo / "configs/paper.yaml"
    second = "targets:\n  - {metric: test/loss, value: 1, tolerance: 1, reason: x}\n"
    path.write_text(path.read_text().replace("targets:\n", second))
    template = {"git": {"commit": "0" * 40, "dirty": False}}
    records(repo, template, [{"metrics": {"test/accuracy": accuracy, "test/loss": loss}}])
    told, printed, readme, docstring, shown = json.loads(run("python", "-c", HEADLINE, cwd=repo).stdout)
    assert told == status
    assert (
        f"status: {status}\n" in printed
        and f"**Status: {status}**" in readme
        and f"    {status} (README.md" in docstring
    )
    assert Page(shown).texts("strong")[0] == status.capitalize() and f'<div class="status {look}">' in shown


SCRIPT = """
import json, sys
from my_paper.harness.evidence import citations, comments
from my_paper.harness.reporting import html, report, todo
known, texts = report.report(write=False), json.load(sys.stdin)
known.sources = {"paper": [
    comments.Value("configs/paper.yaml", 1, text, text, text, kind="assumed", alternatives=[text], problems=[text]) for text in texts
]}
known.parts = [
    citations.PaperPart(text, [citations.Place(text, 1, text)], {text: "passed"}) for text in texts
]
known.suite.outcomes = {text: text for text in texts}
known.suite.unknown = texts[-3]
known.lost_checks = texts
known.effects = [
    report.Effect(value, value.value, known.rows[0], {"paper": runs}) for value in known.sources["paper"] for runs in ([], known.rows[0].counted)
]
html.steps_left = lambda known: [todo.Step(text, text) for text in texts]
print(html.html(known, []))
"""


def test_text_is_text(repo):
    """Titles of published papers, and worse, in every field: each is shown, and none is markup."""
    sayable = [text for text in HOSTILE if "${" not in text]  # that refers to something
    joined = json.dumps(" § ".join(sayable), ensure_ascii=False)
    claim(repo, list(range(len(HOSTILE))), reason=joined, unit=joined, dataset=joined)
    edit(repo / "configs/paper.yaml", **dict.fromkeys(["title", "venue", "url", "official_code"], joined))
    template = {"git": {"commit": "0" * 40, "dirty": False}, "metrics": {"test/accuracy": 0.943}}
    changes = [
        {
            "curves": curve(seed),
            "versions": {text: text},
            "hardware": {"gpu": text, "devices": text, "peak_memory_mib": text},
            "steps": text,
            "architecture": [
                {"name": text, "type": text, "parameters": 1, "flops": 1, "in": text, "out": text} for text in HOSTILE
            ],
        }
        | ({"status": text} if seed % 2 else {})
        for seed, text in enumerate(HOSTILE)
    ]
    records(repo, template, changes)
    notes = repo / "PAPER.md"
    table = "\n".join(f"| {text.replace('|', chr(92) + '|')} | | | | |" for text in HOSTILE)
    notes.write_text(notes.read_text().replace("| TODO(paper) | | | | |", table))
    figures = repo / "docs/figures"
    figures.mkdir(parents=True)
    (figures / "paper-seed0-<i>&.txt").write_text(joined)
    (figures / 'paper-seed0-"onload=1.png').write_bytes(b"")

    written = subprocess.run(
        ["python", "-c", SCRIPT],
        cwd=repo,
        env=ENVIRONMENT,
        input=json.dumps([*HOSTILE, "half \ud800"]),
        capture_output=True,
        text=True,
    )
    assert written.returncode == 0, written.stderr
    shown, kept = Page(written.stdout), page(repo)
    assert kept.texts("h1") == [seen(json.loads(joined))]
    assert all([seen(text), "", "", "", ""] in kept.rows for text in HOSTILE)  # of PAPER.md
    assert shown.ids == SECTIONS.split()
    cells = [cell for row in shown.rows for cell in row]
    for text in HOSTILE:
        assert sum(seen(text) in cell for cell in cells) >= 13, text
    assert not [link for link in shown.links if not link.startswith("#")]


@pytest.mark.parametrize(
    ("url", "links"),
    [
        ("https://x.org/a?b=1&c=<i>", ["https://x.org/a?b=1&c=<i>"]),
        ("HTTP://x.org", ["HTTP://x.org"]),
        ("javascript:alert(1)", []),
        ("//x.org", []),
        ("data:text/html,x", []),
    ],
)
def test_only_links_are_links(repo, url, links):
    edit(repo / "configs/paper.yaml", url=json.dumps(url))
    assert [link for link in page(repo).links if not link.startswith("#")] == links


LOADED = """
import hydra, json, safetensors.torch, torch
from omegaconf import OmegaConf
{code}
held = torch.load({checkpoint!r}, weights_only=True)["state_dict"]
print(all(held["model." + name].equal(value) for name, value in model.state_dict().items()))
"""


def test_weights_to_hand_on(trained):
    """The weights of the run that counts and lies here; its card loads them, and takes its numbers from the record."""
    result = json.loads(next((trained / "results").glob("*seed0.json")).read_text())
    assert run("python", "report.py", "--weights", cwd=trained).stdout == f"weights/{Path(result['run']).name}\n"
    folder = trained / "weights" / Path(result["run"]).name
    card = (folder / "README.md").read_text()
    assert f"| {100 * result['metrics']['test/accuracy']:.4g} % |" in card and result["tested"]["sha256"] in card
    code = card.partition("```python\n")[2].partition("```")[0]
    checkpoint = str(trained / result["run"] / "checkpoints/best.ckpt")
    script = trained / "script.py"
    script.write_text(LOADED.format(code=code, checkpoint=checkpoint))
    assert run("python", script, cwd=folder, PYTHONPATH=str(trained / "src")).stdout == "True\n"

    shutil.rmtree(trained / "weights")
    other = run("python", "report.py", "--weights=other", cwd=trained, ok=False)
    assert f"Those that do: {folder.name}." in other.stderr
    without = "import lightning, runpy, sys; sys.modules['safetensors.torch'] = None; sys.argv[1:] = ['--weights']\n"
    script.write_text(without + "runpy.run_path('report.py', run_name='__main__')")
    assert 'pip install -e ".[weights]"' in run("python", script, cwd=trained, ok=False).stderr
    script.unlink()
    Path(checkpoint).write_bytes(b"another")
    changed = run("python", "report.py", "--weights", cwd=trained, ok=False)
    assert "is not the checkpoint in the record" in changed.stderr
    assert not (trained / "weights").exists()
