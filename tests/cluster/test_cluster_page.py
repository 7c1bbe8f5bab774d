"""docs/cluster.md: every command exists, every marked line of a file is in its table, every link leads somewhere."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import botocore.loaders
import botocore.model
import botocore.validate
import click
import pytest
import yaml
from checks import ROOT, marked
from ray.dashboard.modules.job.cli import job_cli_group
from ray.scripts.scripts import cli

PAGE = (ROOT / "docs/cluster.md").read_text()
BLOCKS = "\n".join(re.findall(r"```bash\n(.*?)```", PAGE, re.S))
# options of the aws command line that are its own, and not a parameter of the operation
OF_THE_CLI = {"query", "output", "region", "source-group", "protocol", "port", "cidr"}


def lines() -> list[str]:
    """The shell lines of the page, continued ones joined, here-documents and comments left out."""
    text = re.sub(r"<<'END'\n.*?\nEND\n", "\n", BLOCKS, flags=re.S)
    joined = re.sub(r"\\\n\s*", " ", text)
    return [line.strip() for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def commands(program: str) -> Iterator[list[str]]:
    """The words after a program's name, in blocks and in tables; up to a pipe, a comment or the bracket's end."""
    inline = re.findall(r"`((?:RAY_\w+=\d )?" + program + r" [^`]+)`", PAGE)
    for line in [*lines(), *inline]:
        for found in re.finditer(rf"(?:^|[(&=]\s*|\w=\S+ ){program} (.*)", line):
            lexer = shlex.shlex(found[1], posix=True, punctuation_chars=True)
            lexer.whitespace_split = True
            words = list(lexer)
            yield words[: next((i for i, w in enumerate(words) if w in ("|", ")", ">", ";", "&&")), len(words))]


def options(words: list[str]) -> list[str]:
    """The long and short options among words, up to a bare --."""
    upto = words[: words.index("--")] if "--" in words else words
    return [word.partition("=")[0] for word in upto if re.match(r"--?[a-zA-Z]", word)]


def of_botocore(service: str) -> botocore.model.ServiceModel:
    """AWS's own description of a service, which botocore brings."""
    return botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model(service, "service-2"), service)


def test_every_ray_command_exists() -> None:
    asked = list(commands("ray"))
    assert len(asked) >= 15
    for words in asked:
        group = {**cli.commands, "job": job_cli_group}
        command: Any = group[words[0]]
        if isinstance(command, click.Group):
            command = command.commands[words[1]]
        known = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
        assert set(options(words)) <= known, words


def test_every_sweep_command_is_understood() -> None:
    joined = re.sub(r"\\\n\s*", " ", PAGE.partition("\n## Machines of your own")[0])
    said = re.findall(r"python \S*sweeps/cifar10_grid\.py[^`'\n#]*", joined)
    assert len(said) >= 3
    helped = subprocess.run(
        [sys.executable, "sweeps/cifar10_grid.py", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=280
    ).stdout
    known = set(re.findall(r"--[a-z][\w.-]+", helped))
    inline = re.findall(r"`(--[a-z][^`]*)`", joined)
    named = {flag for line in [*said, *inline] for flag in re.findall(r"--[a-z][\w-]+", line)}
    assert {"--address", "--storage", "--dry-run", "--preset"} <= named
    assert named <= known, named - known
    kuberay = yaml.safe_load((ROOT / "docs/cluster/kuberay.yaml").read_text())["spec"]["entrypoint"]
    assert set(re.findall(r"--[a-z][\w-]+", kuberay)) <= known


def test_the_shell_of_kuberays_submitter_leaves_the_variable_to_the_heads() -> None:
    """It reads the entrypoint first, in a pod that does not have the variable."""
    entrypoint = yaml.safe_load((ROOT / "docs/cluster/kuberay.yaml").read_text())["spec"]["entrypoint"]
    words = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {entrypoint}"], capture_output=True, text=True, env={}, check=True
    )
    assert words.stdout.splitlines()[-2:] == ["--storage", "$KD_STORAGE"]


def test_every_aws_command_is_an_operation_with_these_parameters() -> None:
    asked = [words for words in commands("aws") if words[0] != "s3"]
    assert len(asked) >= 10
    for service, operation, *rest in asked:
        model = of_botocore(service.removesuffix("api"))
        name = next(n for n in model.operation_names if botocore.xform_name(n, "-") == operation)
        members = model.operation_model(name).input_shape.members
        known = {botocore.xform_name(member, "-") for member in members} | OF_THE_CLI
        assert {word[2:] for word in options(rest) if word.startswith("--")} <= known, (service, operation)


def test_the_rule_for_abandoned_uploads_is_one_that_s3_takes() -> None:
    shape = of_botocore("s3").operation_model("PutBucketLifecycleConfiguration").input_shape
    words = next(words for words in commands("aws") if "put-bucket-lifecycle-configuration" in words)
    rule = json.loads(words[words.index("--lifecycle-configuration") + 1])
    report = botocore.validate.ParamValidator().validate({"Bucket": "b", "LifecycleConfiguration": rule}, shape)
    assert not report.has_errors(), report.generate_report()
    assert rule["Rules"][0]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}


def test_the_policies_are_json_and_a_worker_cannot_rent() -> None:
    policies = {n: json.loads(t) for n, t in re.findall(r"cat > (\w+)\.json <<'END'\n(.*?)\nEND", BLOCKS, re.S)}
    assert set(policies) == {"bucket", "workers", "ec2"}
    granted = re.findall(r'"(\w+:\w+)"', json.dumps([s["Action"] for s in policies["bucket"]["Statement"]]))
    wanted = {"s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"}
    assert set(granted) == wanted
    assert "--role-name kd-head --policy-name workers" in BLOCKS
    assert "--role-name kd-worker --policy-name workers" not in BLOCKS


@pytest.mark.parametrize(
    ("file", "heading"),
    [
        ("cluster.yaml", "The marked lines"),
        ("docs/cluster/gcp.yaml", "Google Cloud"),
        ("docs/cluster/kuberay.yaml", "Kubernetes"),
    ],
)
def test_every_marked_line_is_on_the_page(file: str, heading: str) -> None:
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    told = [key for row in re.findall(r"^\| (`.+?) \|", section, re.M) for key in re.findall(r"`(\w+)`", row)]
    assert len(told) == len(set(told))
    assert set(told) == set(marked((ROOT / file).read_text()))


def test_every_link_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", PAGE) if "://" not in link]
    assert len(links) >= 5
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []


def test_the_image_of_ones_own_is_ray_s_with_the_lock() -> None:
    made = (ROOT / "docs/cluster/Dockerfile").read_text()
    cluster = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    assert f"\nFROM {cluster['docker']['image']}\n" in made
    assert "pip install --no-cache-dir -r .lock/requirements.txt -c .lock/cuda.txt" in made
    copied = set(re.findall(r"^COPY \S+ (\S+) \S+$", made, re.M))
    assert copied == {local for local in cluster["file_mounts"].values() if not local.startswith("~")}
