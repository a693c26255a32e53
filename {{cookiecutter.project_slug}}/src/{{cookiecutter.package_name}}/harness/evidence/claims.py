"""What the paper claims beside what our runs reached: which runs count, and whether they reproduce the claim."""

import json
import math
import statistics
from dataclasses import dataclass, field, replace
from functools import cached_property

from omegaconf import DictConfig, OmegaConf

from ..identity import CONFIGS, ROOT, compose, differences, flat, identity
from .record import best, read
from .targets import AGGREGATES, DECIDE_VERDICT, Target, read_seeds, read_targets
from .trust import why_rejected

# The 97.5 % points of Student's t distribution for 1 to 9 degrees of freedom. From 10 on, a series about the normal
# distribution is exact to three digits (Abramowitz and Stegun, Equation (26.7.5)).
T_975 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262]


@dataclass
class Result:
    """One value of the paper beside the value of our runs, both in the paper's unit."""

    target: Target
    counted: list[dict]  # the records that count, one per seed
    left_out: list[tuple[dict, str]]  # the records that do not count, each with the reason
    seeds: list[int]  # that configs/paper.yaml declares
    compared: dict[int, dict] = field(default_factory=dict)  # by seed, the records of ``target.baseline``
    baseline_seeds: list[int] = field(default_factory=list)  # one, if the baseline draws nothing

    @property
    def missing_seeds(self) -> list[int]:
        """The declared seeds without a run that counts."""
        counted = {record["seed"] for record in self.counted}
        return [seed for seed in self.seeds if seed not in counted]

    @cached_property
    def values(self) -> list[float]:
        """The value of each run that counts."""
        return [self.value_of(record) for record in self.counted]

    def value_of(self, record: dict) -> float:
        """The value of one run; with ``minus`` or ``over``, beside that of the baseline's run with the same seed."""
        value, scale = record["metrics"][self.target.metric], self.target.scale
        if baseline := self.compared.get(record["seed"]):
            other = baseline["metrics"][self.target.metric]
            value = value - other if self.target.minus else value / other if other else math.nan
        return value * scale

    @property
    def ours(self) -> float:
        """The value to compare: our runs, summarised in the way the paper summarises its own."""
        return math.nan if self.diverged else AGGREGATES[self.target.aggregate](self.values)

    @cached_property
    def std(self) -> float | None:
        """The standard deviation over seeds; None for a single seed and for aggregates other than the mean."""
        if self.target.aggregate != "mean" or len(self.values) < 2 or not math.isfinite(self.ours):
            return None
        return statistics.stdev(self.values)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % confidence interval of our mean, by Student's t; None without a standard deviation."""
        if self.std is None:
            return None
        half = t_975(len(self.values) - 1) * self.std / math.sqrt(len(self.values))
        return self.ours - half, self.ours + half

    def within_tolerance(self, value: float) -> bool:
        """Whether ``value``, in the paper's unit, agrees with the claim."""
        below, above = self.target.value - value, value - self.target.ends[-1]
        outside = {"equal": max(below, above), "at least": below, "at most": above}[self.target.claim]
        if self.target.is_strict:
            return outside < -1e-12  # but for rounding
        return outside <= (self.target.tolerance or 0)

    @property
    def interval_agrees(self) -> bool:
        """Whether the whole interval gives the same verdict as the mean."""
        ends = [self.within_tolerance(end) for end in self.interval]
        if self.within_tolerance(self.ours):
            return all(ends)
        low, high = (end < self.target.value for end in self.interval)
        return not any(ends) and low == high

    @property
    def why_no_verdict(self) -> str:
        """Why the runs cannot be judged yet; empty if there is a verdict."""
        target = self.target
        if not self.counted:
            return "no run counts" if self.left_out else "no run yet"
        if target.claim == "none":
            return "not judged"
        if target.value is None:
            return "no paper value"
        if target.claim == "equal" and target.tolerance is None:
            return "no tolerance"
        if target.tolerance and not target.reason.strip():
            return "no reason for the tolerance"
        if self.missing_seeds:
            so_far = "within" if self.within_tolerance(self.ours) else "outside"
            return f"so far {so_far}, seed {', '.join(map(str, self.missing_seeds))} missing"
        return ""

    @property
    def verdict(self) -> str:
        """*(not) reproduced*, or *(not) reached* for a threshold of ours, and what limits it; or why there is no verdict."""
        if self.why_no_verdict:
            return self.why_no_verdict
        target, within, limits = self.target, self.within_tolerance(self.ours), []
        reached = "reproduced" if target.stated_by == "paper" else "reached"
        if within and len(self.counted) == 1 and not target.deterministic:
            limits.append("n = 1")
        if not within and target.claim == "equal":  # beyond a bound, our value can only be worse
            better = self.ours > target.value if target.mode == "max" else self.ours < target.value
            limits += ["better"] if better else []
        if self.interval and not self.interval_agrees:
            limit = "tolerance" if target.tolerance or target.claim == "equal" and target.upper is None else "bound"
            limits.append(f"interval {'exceeds' if within else 'reaches'} {limit}")
        return "not " * (not within) + reached + (f" ({', '.join(limits)})" if limits else "")

    @property
    def diverged(self) -> int:
        """The number of runs whose value is not finite."""
        return sum(not math.isfinite(value) for value in self.values)


def t_975(freedom: int) -> float:
    """The 97.5 % point of Student's t distribution with ``freedom`` degrees of freedom."""
    if freedom <= len(T_975):
        return T_975[freedom - 1]
    z = statistics.NormalDist().inv_cdf(0.975)
    g1, g2, g3 = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + g1 / freedom + g2 / freedom**2 + g3 / freedom**3


@dataclass
class Evidence:
    """The claims of the paper, all records, and which record counts for which claim."""

    paper: DictConfig
    results: list[Result]
    records: list[dict]  # all in results/, the newest first
    configs: dict[str, DictConfig]  # the present configuration of each experiment that a target names
    current: list[dict]  # the authentic records of the present code, whatever their configuration

    @cached_property
    def counted(self) -> dict[str, dict]:
        """The records that count for some target, by file."""
        used = [record for result in self.results for record in [*result.counted, *result.compared.values()]]
        return {record["file"]: record for record in used}

    @property
    def claim_changes(self) -> list[str]:
        """What was changed in targets and seeds, or loosened in the facts, after the counted runs began."""
        changes = {(one.target.experiment, one.target.name): self._changes(one) for one in self.results}
        several = len({experiment for experiment, _ in changes}) > 1
        found = [f"{f'{of}: ' * several}{name} {change}" for (of, name), change in changes.items() if change]
        seeds = read_seeds(self.paper)
        stated = {name: OmegaConf.to_container(cfg.paper).get("facts") or {} for name, cfg in self.configs.items()}
        facts = json.loads(json.dumps(stated))  # as in a record, where keys are text
        for record in self.counted.values():
            targets, claims = self._targets_of(record["experiment"]), record.get("claims", {})
            known = {one.name if one.name in claims else one.other_name for one in targets}
            found += [f"the target {name} of {record['experiment']} is gone" for name in claims if name not in known]
            if record.get("seeds", seeds) != seeds:
                found.append(f"seeds ({record['seeds']} then, {seeds} now)")
            now = flat({"facts": facts[record["experiment"]]})
            then = {key: was for key, was in flat({"facts": record.get("facts", {})}).items() if was not in (None, {})}
            found.append(differences(then, {key: now[key] for key in then if key in now}, "then", "now"))
        return list(dict.fromkeys(filter(None, found)))

    def _targets_of(self, experiment: str) -> list[Target]:
        return [result.target for result in self.results if result.target.experiment == experiment]

    def _changes(self, result: Result) -> str:
        """What was changed in a claim after runs that it is about, also of older code; empty if nothing was."""
        target, before = result.target, {}
        taken = {one.name for one in self._targets_of(target.experiment)}
        names = [target.name, *{target.other_name}.difference(taken)]  # it may have been the paper's then, or ours
        others = [(record, False) for record, _ in result.left_out]
        for record, counts in [*((record, True) for record in result.counted), *others]:
            claims = record.get("claims", {target.name: {}})
            then = next((claims[name] for name in names if name in claims), None)
            if counts and then is None and target.value is not None:
                return "was added"
            if not counts and (then or {}).get("value") is None:  # such as a run of the untouched repository
                continue
            keys = [key for key in DECIDE_VERDICT if key != "mode" or target.claim == "equal"]
            before |= {key: then[key] for key in keys if then and key in then and then[key] != getattr(target, key)}
        return ", ".join(f"{key} ({value} then, {getattr(target, key)} now)" for key, value in before.items())

    @property
    def uncounted(self) -> list[tuple[dict, str]]:
        """The records that count for no target, each with the reason of the first target."""
        reasons = {record["file"]: why for result in reversed(self.results) for record, why in result.left_out}
        return [
            (record, reasons.get(record["file"]) or self._of_no_target(record))
            for record in self.records
            if record["file"] not in self.counted
        ]

    def _of_no_target(self, record: dict) -> str:
        """Why no target uses the record; for a pilot, its validation result and the settings it changed."""
        base, pilot, _ = record["experiment"].partition("-pilot")
        if not pilot or base not in self.configs:
            return f"no target is of {record['experiment']}"
        now = identity(self.configs[base])
        changed = differences(record["config"] | {"ckpt": now["ckpt"]}, now, "in it", f"in {base}") or f"as {base}"
        found = best(record) if now["ckpt"] == "best" else None
        value = found[0] if found else record.get("objective")
        shown = "" if value is None else f", {now['monitor']['metric']} {value:.4g}"
        return f"a pilot{shown}: {changed}"

    def tables(self) -> dict[str, list[Result]]:
        """The results by the paper's table."""
        names = dict.fromkeys(result.target.table for result in self.results)
        return {name: [result for result in self.results if result.target.table == name] for name in names}

    def counted_folders(self) -> list[str]:
        """The run folders of the counted records, as far as they exist on this machine."""
        return [record["run"] for record in self.counted.values() if (ROOT / record["run"] / "checkpoints").is_dir()]

    def commands(self, missing: bool = False) -> list[str]:
        """The commands that train all declared seeds, or only the missing ones; rows with the same seeds share one."""
        seeds: dict[str, dict[int, None]] = {}  # by experiment, of all its rows
        for result in self.results:
            for name in result.target.experiments if not missing or result.missing_seeds else []:
                numbers = result.baseline_seeds if name == result.target.baseline else result.seeds
                seeds.setdefault(name, {}).update(dict.fromkeys(numbers))
        groups: dict[str, list[str]] = {}
        for name, numbers in seeds.items():
            groups.setdefault(",".join(map(str, numbers)), []).append(name)
        return [
            f"python train.py {'-m ' if len(names) > 1 or ',' in seeds else ''}experiment={','.join(names)} seed={seeds}"
            + missing * " resume=auto"
            for seeds, names in groups.items()
        ]


def read_evidence() -> Evidence:
    """Compare ``configs/paper.yaml`` with the records in ``results/``.

    Raises:
        UsageError: a target or a record is malformed.
    """
    paper = OmegaConf.load(CONFIGS / "paper.yaml")
    targets, seeds = read_targets(paper), read_seeds(paper)
    records = [read(path) | {"file": path.stem} for path in sorted((ROOT / "results").glob("*-seed*.json"))]
    records.sort(key=lambda record: record.get("started", ""), reverse=True)  # of each seed the first counts
    rejected = why_rejected(records)
    experiments = dict.fromkeys(name for target in targets for name in target.experiments)
    configs = {name: compose(f"experiment={name}") for name in experiments}
    fixed = {(target.experiment, target.metric) for target in targets if target.deterministic}
    results = [_result(target, seeds, configs, records, rejected, fixed) for target in targets]
    return Evidence(paper, results, records, configs, [record for record in records if not rejected[record["file"]]])


def _result(target: Target, seeds: list[int], configs: dict, records: list[dict], rejected: dict, fixed: set) -> Result:
    """Which records of the target's experiment count, and why others do not; of what is ``fixed`` one run is enough."""
    seeds = target.seeds or (seeds[:1] if target.deterministic else seeds)
    result, seed_of_curves, config = Result(target, [], [], seeds), {}, identity(configs[target.experiment])
    for record in records:
        if record["experiment"] != target.experiment:
            continue
        curves = tuple(tuple(curve["values"]) for curve in record.get("curves", {}).values()) or record["file"]
        reason = rejected[record["file"]]
        if reason:
            pass
        elif record["config"] != config:
            reason = f"another configuration: {differences(record['config'], config, 'in it', 'now')}"
        elif target.metric not in record["metrics"]:
            reason = f"no {target.metric} in it; there is {', '.join(record['metrics']) or 'nothing'}"
        elif record["seed"] not in seeds:
            reason = f"seed {record['seed']} is not one of the seeds in configs/paper.yaml"
        elif record["seed"] in seed_of_curves.values():
            reason = "a newer run of this seed counts"
        elif curves in seed_of_curves:
            reason = f"same curves as seed {seed_of_curves[curves]}: it is a copy, or the seed has no effect (deterministic: true)"
        if reason:
            result.left_out.append((record, reason))
        else:
            result.counted.append(record)
            seed_of_curves[curves] = record["seed"]
    result.counted.sort(key=lambda record: record["seed"])
    if target.baseline:
        draws_nothing = (target.baseline, target.metric) in fixed
        alone = replace(target, experiment=target.baseline, minus="", over="", seeds=None, deterministic=draws_nothing)
        other = _result(alone, seeds, configs, records, rejected, fixed)
        result.baseline_seeds = other.seeds
        result.compared = {record["seed"]: record for record in other.counted}
        if draws_nothing and other.counted:
            result.compared = dict.fromkeys(seeds, other.counted[0])
        result.counted = [record for record in result.counted if record["seed"] in result.compared]
        result.left_out += other.left_out
    return result
