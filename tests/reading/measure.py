"""How much of what papers state ``read.py`` finds, and how much of what it finds they state: the figures of README.md.

python tests/reading/measure.py              from the words in gold.yaml
python tests/reading/measure.py FOLDER       from whole papers, which are not in this repository: for each name in
                                             gold.yaml FOLDER/<name>/*.tex or FOLDER/<name>.txt, the text of its PDF;
                                             written into README.md
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path

import yaml

HERE = Path(__file__).parent
HARNESS = HERE.parents[1] / "{{cookiecutter.project_slug}}/src/{{cookiecutter.package_name}}/harness"
GOLD = yaml.safe_load((HERE / "gold.yaml").read_text(encoding="utf-8"))


def reader():
    """The package as a bake has it."""
    folder = Path(tempfile.mkdtemp()) / "paper_of_nobody"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "harness").symlink_to(HARNESS)
    sys.path.insert(0, str(folder.parent))
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # a bake would copy it
    from paper_of_nobody.harness.reading import document, find, latex, plain

    sys.dont_write_bytecode = before
    return document, find, latex, plain


def in_words(paper: dict, find) -> tuple[set, set, set]:
    """Stated, found and wrongly found pairs of setting and value, from the quoted words alone."""
    quoted = [entry for entry in paper["stated"]] + paper.get("not stated", [])
    stated = {(name, value) for name, value, _, _ in paper["stated"]}
    found = {(name, ", ".join(values)) for *_, words in quoted for name, values, *_ in find.in_text(words)}
    return (
        stated,
        found & stated,
        {(name, value) for name, value in found - stated if not _part_of(name, value, stated)},
    )


def proposed_in_words(paper: dict, document, find) -> tuple[set, set]:
    """The pairs of setting and value that are proposed and stated, and those that are proposed and not stated."""
    read = document.Document("words")
    for *_, place, words in [*paper["stated"], *paper.get("not stated", [])]:
        read.sentences.append(document.Sentence(words, document.Place(place, "Details")))
    stated = {(name, value) for name, value, _, _ in paper["stated"]}
    proposed = {(one.setting, one.values[0]) for one in find.find(read) if one.certain}
    return proposed & stated, {one for one in proposed - stated if not _part_of(*one, stated)}


def _part_of(name: str, value: str, stated: set) -> bool:
    """Whether a value is one of several that are stated: a quote may hold half of a range."""
    return any(other == name and value in values.split(", ") for other, values in stated)


def in_paper(name: str, paper: dict, folder: Path, modules) -> tuple[list, list, list, list, list]:
    """Stated, found, wrongly found, rightly and wrongly proposed settings of a whole paper, with value and place."""
    document, find, latex, plain = modules
    if (folder / name).is_dir():
        files = {
            path.relative_to(folder / name).as_posix(): path.read_text(errors="replace")
            for path in (folder / name).rglob("*.tex")
        }
        read = document.build(name, latex.marked(files))
    else:
        read = document.build(name, plain.marked((folder / f"{name}.txt").read_text(errors="replace")))
    stated = [tuple(entry[:3]) for entry in paper["stated"]]
    everything = find.find(read)
    found = [(one.setting, ", ".join(one.values), one.where) for one in everything]
    either = [tuple(entry) for entry in paper.get("either", [])]
    right, wrong = [one for one in found if one in stated], [one for one in found if one not in stated + either]
    keyed = [name for name, setting in find.SETTINGS.items() if setting.keys or name in ("beta1", "beta2")]
    proposed = [said for said, one in zip(found, everything, strict=True) if one.certain and one.setting in keyed]
    return stated, right, wrong, [one for one in proposed if one in right], [one for one in proposed if one in wrong]


def table(folder: Path) -> str:
    """Precision and recall for each kind of setting, for the papers of each split."""
    modules, lines = reader(), []
    for split in dict.fromkeys(paper["split"] for paper in GOLD.values()):
        counters = [Counter() for _ in range(5)]
        papers = {name: paper for name, paper in GOLD.items() if paper["split"] == split}
        for name, paper in papers.items():
            for counter, entries in zip(counters, in_paper(name, paper, folder, modules), strict=True):
                counter.update(entry[0] for entry in entries)
        head = "| setting | stated | found | wrong | precision | recall | proposed | wrong |"
        lines += [f"### {split}: {len(papers)} papers\n", head, "|---|---|---|---|---|---|---|---|"]
        names = sorted(counters[0] | counters[2])
        lines += [_row(name, *(counter[name] for counter in counters)) for name in names]
        lines += [_row("**all**", *(counter.total() for counter in counters)), ""]
    return "\n".join(lines)


def _row(name: str, stated: int, right: int, wrong: int, proposed: int, not_stated: int) -> str:
    precision = f"{right / (right + wrong):.0%}" if right + wrong else ""
    recall = f"{right / stated if stated else 0:.0%}"
    return f"| {name} | {stated} | {right} | {wrong} | {precision} | {recall} | {proposed} | {not_stated} |"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        readme = HERE / "README.md"
        text = readme.read_text(encoding="utf-8").split("## Figures")[0]
        readme.write_text(f"{text}## Figures\n\n{table(Path(sys.argv[1]))}", encoding="utf-8")
    else:
        _, finder, _, _ = reader()
        results = [in_words(paper, finder) for paper in GOLD.values()]
        print("stated, found, wrong:", *(sum(map(len, parts)) for parts in zip(*results, strict=True)))
