"""What a person waits for before any work begins, each beside its floor, interleaved in one run.

``python benchmarks/startup.py`` prints a table of medians and ratios. The floors: a Hydra application with the same
configs and nothing else, and cookiecutter on a template of one file.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parents[1]
BARE_HYDRA = """import hydra
from omegaconf import OmegaConf
OmegaConf.register_new_resolver("root", lambda: "")
OmegaConf.register_new_resolver("run_dir", lambda: "")
hydra.main(version_base="1.3", config_path="configs", config_name="train")(lambda cfg: None)()
"""


def seconds(command: list[str], cwd: Path) -> float:
    begin = time.perf_counter()
    subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True)
    return time.perf_counter() - begin


def bake(template: Path, folder: Path) -> float:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return seconds(["cookiecutter", str(template), "--no-input"], folder)


def compare(runs: int) -> dict[str, dict[str, list[float]]]:
    """Seconds of ours and of the floor, by what is measured; the first round warms up and is dropped."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one_file = folder / "floor" / "{{cookiecutter.slug}}"
        one_file.mkdir(parents=True)
        (one_file / "README.md").write_text("# {{cookiecutter.slug}}\n")
        (folder / "floor" / "cookiecutter.json").write_text('{"slug": "floor"}')
        bake(TEMPLATE, folder / "repository")
        repository = folder / "repository" / "my-paper"
        (repository / "bare.py").write_text(BARE_HYDRA)

        measured: dict[str, dict[str, list[float]]] = {}
        for _ in range(runs + 1):
            for name, arguments in {
                "--cfg job": ["--cfg", "job"],
                "mistyped": ["seeed=1"],
                "--help": ["--help"],
            }.items():
                times = measured.setdefault(f"train.py {name}", {"ours": [], "floor": []})
                times["ours"].append(seconds(["python", "train.py", *arguments], repository))
                times["floor"].append(seconds(["python", "bare.py", *arguments], repository))
            times = measured.setdefault("cookiecutter --no-input", {"ours": [], "floor": []})
            times["ours"].append(bake(TEMPLATE, folder / "ours"))
            times["floor"].append(bake(folder / "floor", folder / "one-file"))
    return {what: {side: values[1:] for side, values in times.items()} for what, times in measured.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--json", type=Path, help="where the raw seconds go")
    arguments = parser.parse_args()
    measured = compare(arguments.runs)
    print(f"{'seconds, medians':<26}{'ours':>7}{'floor':>8}{'ratio':>8}")
    for what, times in measured.items():
        ours, floor = statistics.median(times["ours"]), statistics.median(times["floor"])
        print(f"{what:<26}{ours:>7.2f}{floor:>8.2f}{ours / floor:>8.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(measured, indent=2))


ENVIRONMENT = {
    **os.environ,
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    "PYTHONPATH": "src",
}

if __name__ == "__main__":
    main()
