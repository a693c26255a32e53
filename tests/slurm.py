"""The commands of SLURM that submitit calls, as far as one machine goes: each job is started at once, on this one.

``slurm.py sbatch|srun|scontrol|sacct …``; keeps its state in the folder ``$SLURM_STAND_IN``.
"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

STATE = Path(os.environ["SLURM_STAND_IN"])


def sbatch(script: str) -> None:
    asked = dict(re.findall(r"^#SBATCH --([a-z-]+)=(\S+)", Path(script).read_text(), re.MULTILINE))
    (STATE / "asked").write_text(Path(script).read_text())
    indices = range(int(asked["array"].partition("-")[2].partition("%")[0]) + 1) if "array" in asked else [None]
    tasks = asked.get("ntasks-per-node", "1")
    for number in indices:
        array = {} if number is None else {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": str(number)}
        environment = {
            "SLURM_JOB_ID": str(7 + (number or 0)),
            "SLURM_JOB_NAME": asked["job-name"],
            "SLURM_JOB_NUM_NODES": "1",
            "SLURM_NNODES": "1",
            "SLURM_NTASKS": tasks,
            "SLURM_NTASKS_PER_NODE": tasks,
            "SLURM_NODELIST": "127.0.0.1",
            **array,
        }
        keep = {"env": os.environ | environment, "start_new_session": True}
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.Popen([sys.executable, __file__, "job", script], **keep, **quiet)
    print("Submitted batch job 7")


def job(script: str) -> None:
    again = STATE / f"requeue-{name()}"
    while True:
        subprocess.run(["bash", script])
        if not again.exists():
            return
        again.unlink()


def srun(*arguments: str) -> None:
    command = list(arguments[next(k for k, value in enumerate(arguments) if value.endswith("python")) :])
    tasks = []
    for rank in range(int(os.environ["SLURM_NTASKS"])):
        environment = {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank), "SLURM_NODEID": "0"}
        with (STATE / f"log-{name()}-{rank}").open("a") as log:
            tasks.append(subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log))
    (STATE / f"tasks-{name()}").write_text(" ".join(str(task.pid) for task in tasks))
    for task in tasks:
        task.wait()


def scontrol(_: str, asked: str) -> None:
    (STATE / f"requeue-{asked}").touch()
    for pid in (STATE / f"tasks-{asked}").read_text().split():
        os.kill(int(pid), signal.SIGTERM)  # as SLURM does with what still runs


def sacct(*_: str) -> None:
    print("JobID|State|NodeList\n7|RUNNING|here")


def name() -> str:
    return (
        "_".join(os.environ[key] for key in ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID") if key in os.environ) or "7"
    )


globals()[sys.argv[1]](*sys.argv[2:])
