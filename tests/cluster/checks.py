"""What a cluster file must be, beyond what Ray's own schema sees. A check takes the file and says what is wrong.

Facts stand beside it with their sources: instance_types.csv, and the tables of gcp_checks.py and kuberay_checks.py.
"""

from __future__ import annotations

import copy
import csv
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / ".lock/requirements.txt").read_text()
TYPES = list(csv.DictReader((Path(__file__).parent / "instance_types.csv").read_text().splitlines()))
SECRETS = {
    "a token": re.compile(r"\b[0-9a-f]{32,}\b|RAY_AUTH_TOKEN\b\s*[=:]"),
    "an AWS key": re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|aws_secret_access_key\s*([=:]|,\s*value)", re.I),
    "a private key": re.compile(r"BEGIN [A-Z ]*PRIVATE KEY"),
}
WORLD = re.compile(r"0\.0\.0\.0/0|::/0")
SIZES = {"gb": 1024**3, "g": 1024**3, "mb": 1024**2, "m": 1024**2, "gi": 1024**3, "mi": 1024**2}

File = dict[str, Any]
Problems = Iterator[str]


def of_ray(text: str) -> list[str]:
    """What is wrong with a file for `ray up` whose nodes are rented and run containers: every provider's rules."""
    try:
        file = yaml.safe_load(text)
        validate_config(prepare_config(copy.deepcopy(file)))
    except (ValueError, RuntimeError, AssertionError, yaml.YAMLError, jsonschema.ValidationError) as error:
        return [f"schema: {str(error).splitlines()[0]}"]
    checks = (head, workers, image, installs, starts, memory, idle, watched)
    return [*open_or_secret(text), *(problem for check in checks for problem in check(file))]


def open_or_secret(text: str) -> Problems:
    """Nothing is open to the world, and nothing secret stands in a file that is kept with the code."""
    said = "\n".join(line.partition(" #")[0] for line in text.splitlines() if not line.lstrip().startswith("#"))
    if WORLD.search(said):
        yield f"{WORLD.search(said)[0]}: open to the whole world"  # type: ignore[index]
    for what, sign in SECRETS.items():
        if sign.search(said):
            yield f"{what} stands in the file: {sign.search(said)[0][:12]}..."  # type: ignore[index]


def head(file: File) -> Problems:
    """The head runs no trials: no CPU and no GPU to give, said to the autoscaler and to `ray start`."""
    kind = file["available_node_types"][file["head_node_type"]]
    if kind["resources"].get("CPU") != 0 or kind["resources"].get("GPU", 0) != 0:
        yield f"head: resources {kind['resources']} would let it run trials; must be CPU 0 and no GPU"
    if kind.get("max_workers", 0) != 0:
        yield f"head: max_workers {kind['max_workers']} would rent more of the head's kind"
    if "--num-cpus=0" not in start_of(file, "head"):
        yield "head: `ray start --head` without --num-cpus=0 would run trials"


def worker_types(file: File) -> dict[str, File]:
    """The node types beside the head's."""
    return {name: kind for name, kind in file["available_node_types"].items() if name != file["head_node_type"]}


def workers(file: File) -> Problems:
    """Workers go down to none, and have a GPU."""
    if not worker_types(file):
        yield "no worker type"
    for name, kind in worker_types(file).items():
        if kind.get("min_workers", 0) != 0:
            yield f"{name}: min_workers {kind['min_workers']} costs when nothing runs; must be 0"
        if kind["resources"].get("GPU", 0) < 1:
            yield f"{name}: resources {kind['resources']} have no GPU"


def resources_match(file: File, provider: str, key: str) -> Problems:
    """Each type is a known one, and a worker's resources are what it has."""
    known = {row["type"]: row for row in TYPES if row["provider"] == provider}
    for name, kind in file["available_node_types"].items():
        row = known.get(kind["node_config"].get(key, ""))
        if row is None:
            yield f"{name}: {key} {kind['node_config'].get(key)!r} is not in instance_types.csv"
        elif name != file["head_node_type"]:
            has = {"CPU": int(row["vcpus"]), "GPU": int(row["gpus"])}
            if kind["resources"] != has:
                yield f"{name}: resources {kind['resources']}; a {row['type']} has {has}"


def image_problem(image: str) -> str | None:
    """What is wrong with the tag of Ray's image, or None: it must name the lock's Ray and a Python of the project's."""
    name, _, tag = image.rpartition(":")
    found = re.fullmatch(r"(?:\d[\w.-]*-ray)?(\d+\.\d+\.\d+)-py(\d)(\d+)(?:-cpu|-cu\d+)?", tag)
    if not name or not found:
        return f"image {image!r} is not pinned: its tag must be VERSION-pyXY-PLATFORM, or end in -rayVERSION-pyXY"
    ray = re.search(r"^ray==(.+)$", LOCK, re.M)[1]  # type: ignore[index]
    if found[1] != ray:
        return f"image {image!r} has Ray {found[1]}; the lock has {ray}"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    least, below = (tuple(map(int, bound)) for bound in re.findall(r"(\d+)\.(\d+)", project))
    if not least <= (int(found[2]), int(found[3])) < below:
        return f"image {image!r} has Python {found[2]}.{found[3]}; the project needs {project}"
    return None


def image(file: File) -> Problems:
    """Pinned, and of the lock's Ray and the project's Python; the same on all nodes."""
    docker = file.get("docker", {})
    named = [docker[key] for key in ("image", "head_image", "worker_image") if key in docker]
    named += [k["docker"]["worker_image"] for k in worker_types(file).values() if "worker_image" in k.get("docker", {})]
    if not named:
        yield "docker: no image, so each node would have what its machine image has"
    yield from filter(None, map(image_problem, named))
    if len(set(named)) > 1:
        yield f"images differ: {sorted(set(named))}"


def commands(file: File) -> list[str]:
    """All that is run on a node by way of setting it up."""
    keys = ("initialization_commands", "setup_commands", "head_setup_commands", "worker_setup_commands")
    return [command for key in keys for command in file.get(key) or []]


def installs(file: File) -> Problems:
    """Every node installs what the lock says, and nothing that it does not bind."""
    for command in commands(file):
        if "pip install" in command and ".lock/requirements.txt" not in command:
            yield f"installs past the lock: {command}"
    if not any("-r .lock/requirements.txt -c .lock/cuda.txt" in c for c in file.get("setup_commands") or []):
        yield "setup_commands do not install -r .lock/requirements.txt -c .lock/cuda.txt"


def start_of(file: File, where: str) -> str:
    """The `ray start` command of the head or the workers."""
    found = [c for c in file.get(f"{where}_start_ray_commands") or [] if "ray start" in c]
    return found[0] if len(found) == 1 else ""


def starts(file: File) -> Problems:
    """Ray starts with token authentication, from a token file that file_mounts brings; the dashboard on loopback."""
    for where in ("head", "worker"):
        command = start_of(file, where)
        if "RAY_AUTH_MODE=token" not in command:
            yield f"{where}: `ray start` without RAY_AUTH_MODE=token lets anyone who reaches it run code"
        token = re.search(r"RAY_AUTH_TOKEN_PATH=(\S+)", command)
        if not token or not any(token[1].startswith(f"{folder}/") for folder in file.get("file_mounts", {})):
            yield f"{where}: RAY_AUTH_TOKEN_PATH names no file that file_mounts brings"
        if "RAY_USAGE_STATS_ENABLED=0" not in command:
            yield f"{where}: usage statistics are on"
    if "--dashboard-host=127.0.0.1" not in start_of(file, "head"):
        yield "head: the dashboard does not listen on loopback alone (--dashboard-host=127.0.0.1)"


def memory(file: File) -> Problems:
    """Ray's object store fits into the container's /dev/shm; else it falls back to the disk, at a disk's speed."""
    options = " ".join(file.get("docker", {}).get("run_options") or [])
    size = re.search(r"--shm-size=(\d+)([a-z]+)", options)
    for where in ("head", "worker"):
        store = re.search(r"--object-store-memory=(\d+)", start_of(file, where))
        if not size or not store or int(store[1]) > int(size[1]) * SIZES[size[2]]:
            yield f"{where}: --object-store-memory must be given, and below docker's --shm-size"


def idle(file: File) -> Problems:
    """Idle nodes are let go within the half hour."""
    if not 0 < file.get("idle_timeout_minutes", 5) <= 30:
        yield f"idle_timeout_minutes: {file['idle_timeout_minutes']} keeps idle nodes; must be 1 to 30"


def watched(file: File) -> Problems:
    """A worker looks out for its spot notice, in a process that outlives the ssh session."""
    watchers = [c for c in file.get("worker_start_ray_commands") or [] if "kd_trainable.tuning.spot" in c]
    if not watchers or not watchers[0].startswith("setsid ") or not watchers[0].endswith("&"):
        yield "worker: nothing watches for the spot notice (setsid ... python -m kd_trainable.tuning.spot ... &)"


def marked(text: str) -> list[str]:
    """Keys of the lines that a person must look at, in order; a mark on a line of its own is the next one's."""
    lines = text.splitlines()
    keys = []
    for number, line in enumerate(lines):
        if re.search(r"(?<!`)# CHANGE: ", line):
            told = lines[number + 1] if line.lstrip().startswith("#") else line
            keys.append(re.match(r"(?:\s|- |-e )*([\w.-]+)\s*[:=]", told)[1])  # type: ignore[index]
    return keys
