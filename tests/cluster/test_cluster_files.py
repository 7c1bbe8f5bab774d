"""The cluster files are what they say; and each check can fail: a file is spoilt in turn, and the fault is named."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from aws_checks import of_aws
from checks import ROOT
from gcp_checks import of_gcp
from kuberay_checks import of_kuberay

FILES: dict[str, Callable[[str], list[str]]] = {
    "cluster.yaml": of_aws,
    "docs/cluster/gcp.yaml": of_gcp,
    "docs/cluster/kuberay.yaml": of_kuberay,
}
ADDRESS = 'security_group: {GroupName: g, IpPermissions: [{IpProtocol: tcp, IpRanges: [{CidrIp: "0.0.0.0/0"}]}]}'

# (file, what stands there, what is put there, what must be said of it)
FAULTS = [
    ("cluster.yaml", "cluster_name:", "cluster_names:", "schema: .*cluster_name"),
    ("cluster.yaml", "head_node_type: head", "head_node_type: heads", "schema: `head_node_type` must be one of"),
    ("cluster.yaml", "max_workers: 8", 'max_workers: "8"', "schema: '8' is not of type"),
    ("cluster.yaml", "InstanceType: g6.xlarge", "InstanceTyp: g6.xlarge", "g6: node_config: Unknown parameter.*Typ"),
    ("cluster.yaml", "MarketType: spot}", "MarketType: spots}", "g6: node_config: .*MarketType: 'spots' is not one of"),
    ("cluster.yaml", "VolumeSize: 150", 'VolumeSize: "150"', "node_config: Invalid type.*VolumeSize"),
    ("cluster.yaml", "{HttpTokens: required,", "{HttpTokens: needed,", "HttpTokens: 'needed' is not one of"),
    ("cluster.yaml", "{HttpTokens: required,", "{HttpTokens: optional,", "HttpTokens required"),
    ("cluster.yaml", "InstanceType: g5.xlarge", "InstanceType: g5.2xlarge", "g5: resources .*g5.2xlarge has .*8"),
    ("cluster.yaml", "InstanceType: g5.xlarge", "InstanceType: g55.xlarge", "g5: InstanceType 'g55.xlarge' is not in"),
    ("cluster.yaml", '{"CPU": 4, "GPU": 1}', '{"CPU": 4, "GPU": 2}', "g6: resources .*'GPU': 2"),
    ("cluster.yaml", '{"CPU": 4, "GPU": 1}', '{"CPU": 4}', "g6: resources .* have no GPU"),
    ("cluster.yaml", 'resources: {"CPU": 0}', 'resources: {"CPU": 4}', "head: resources .* would let it run trials"),
    ("cluster.yaml", "--num-cpus=0 ", "", "head: .*without --num-cpus=0"),
    ("cluster.yaml", "max_workers: 0", "max_workers: 1", "head: max_workers 1"),
    ("cluster.yaml", "min_workers: 0\n    node_config: &w", "min_workers: 1\n    node_config: &w", "g6: min_workers 1"),
    ("cluster.yaml", "      InstanceMarketOptions: {MarketType: spot}\n", "", "g6: not a spot instance"),
    (
        "cluster.yaml",
        "{Name: kd-head}",
        "{Name: kd-head}\n      InstanceMarketOptions: {MarketType: spot}",
        "head: a spot",
    ),
    ("cluster.yaml", "{Name: kd-worker}", "{Name: kd-head}", "g6: has the head's IamInstanceProfile"),
    ("cluster.yaml", "      IamInstanceProfile: {Name: kd-worker}", "     ", "g6: no IamInstanceProfile"),
    ("cluster.yaml", "cache_stopped_nodes: false", "cache_stopped_nodes: true", "cache_stopped_nodes keeps instances"),
    ("cluster.yaml", "us-west-2a,us-west-2b,us-west-2c", "us-west-2a", "is one zone"),
    ("cluster.yaml", "us-west-2a,us-west-2b", "us-east-1a,us-west-2b", "not of region us-west-2"),
    (
        "cluster.yaml",
        "SecurityGroupIds: &groups [sg-0123456789abcdef0]",
        "SecurityGroups: &groups [g]",
        "head: no SecurityG",
    ),
    ("cluster.yaml", "type: aws\n", f"type: aws\n  {ADDRESS}\n", "0.0.0.0/0: open to the whole world"),
    ("cluster.yaml", "type: aws\n", "type: aws\n  security_group: {GroupName: g}\n", "Ray adds a rule"),
    ("cluster.yaml", "2.60.0-py311-cpu", "latest", "image 'rayproject/ray:latest' is not pinned"),
    ("cluster.yaml", "2.60.0-py311-cpu", "2.59.1-py311-cpu", "has Ray 2.59.1; the lock has 2.60.0"),
    ("cluster.yaml", "2.60.0-py311-cpu", "2.60.0-py310-cpu", "has Python 3.10; the project needs"),
    ("cluster.yaml", "  image: r", "  worker_image: rayproject/ray:2.60.0-py312-cpu\n  image: r", "images differ"),
    ("cluster.yaml", "-r .lock/requirements.txt -c .lock/cuda.txt", "torch", "installs past the lock: .*torch"),
    ("cluster.yaml", " -c .lock/cuda.txt", "", "setup_commands do not install"),
    ("cluster.yaml", "    RAY_AUTH_MODE=token RAY", "    RAY", "head: `ray start` without RAY_AUTH_MODE=token"),
    ("cluster.yaml", "  /home/ray/token: ~/.kd-cluster/.ray", "", "head: RAY_AUTH_TOKEN_PATH names no file"),
    ("cluster.yaml", "-e RAY_AUTH_MODE=token", f"-e RAY_AUTH_TOKEN={'0a' * 32}", "a token stands in the file"),
    ("cluster.yaml", "-e RAY_AUTH_MODE=token", f"-e KEY=AKIA{'A1' * 8}", "an AWS key stands in the file"),
    ("cluster.yaml", "RAY_USAGE_STATS_ENABLED=0\n    ray start --h", "ray start --h", "head: usage statistics are on"),
    ("cluster.yaml", "--dashboard-host=127.0.0.1", "--dashboard-host=0.0.0.0", "dashboard does not listen on loopback"),
    ("cluster.yaml", "--shm-size=6gb", "--shm-size=4gb", "head: --object-store-memory must be .* below"),
    ("cluster.yaml", "idle_timeout_minutes: 10", "idle_timeout_minutes: 600", "idle_timeout_minutes: 600 keeps"),
    ("cluster.yaml", "  - setsid nohup python -m kd_tr", "  - python -m kd_tr", "nothing watches for the spot notice"),
    (
        "docs/cluster/gcp.yaml",
        "provisioningModel:",
        "provisioningModell:",
        "g2: .*unknown field scheduling.provisioningM",
    ),
    (
        "docs/cluster/gcp.yaml",
        "provisioningModel: SPOT",
        "provisioningModel: STANDARD",
        "g2: scheduling.provisioningModel",
    ),
    ("docs/cluster/gcp.yaml", "        provisioningModel: SPOT", "        - preemptible: true", "schema: "),
    (
        "docs/cluster/gcp.yaml",
        "machineType: g2-standard-4",
        "machineType: g2-standard-8",
        "g2: resources .*g2-standard-8",
    ),
    ("docs/cluster/gcp.yaml", "us-west1-a", "us-west1-a,us-west1-b", "must be one zone of region us-west1"),
    ("docs/cluster/gcp.yaml", "subnetworks/kd-trainable", "subnetworks/default", "in the default network"),
    ("docs/cluster/gcp.yaml", "email: kd-worker@", "email: kd-head@", "workers have the head's service account"),
    ("docs/cluster/gcp.yaml", "autoDelete:", "autoDelet:", "unknown field disks.autoDelet"),
    ("docs/cluster/gcp.yaml", "--dashboard-host=127.0.0.1", "", "dashboard does not listen on loopback"),
    ("docs/cluster/gcp.yaml", "pip install --no-cache-dir -r .l", "pip install --no-cache-dir -r l", "past the lock"),
    ("docs/cluster/kuberay.yaml", "minReplicas:", "minReplica:", "unknown field .*workerGroupSpecs.minReplica"),
    ("docs/cluster/kuberay.yaml", "minReplicas: 0", "minReplicas: 1", "gpu: replicas and minReplicas must be 0"),
    (
        "docs/cluster/kuberay.yaml",
        "authOptions: {mode: token}",
        "authOptions: {mode: disabled}",
        "authOptions.mode must be",
    ),
    ("docs/cluster/kuberay.yaml", "ClusterIP", "LoadBalancer", "serviceType must be ClusterIP"),
    ("docs/cluster/kuberay.yaml", 'num-cpus: "0"', 'num-cpus: "2"', "head: rayStartParams must have num-cpus"),
    ("docs/cluster/kuberay.yaml", 'num-gpus: "1"', 'num-gpus: "2"', "gpu: rayStartParams num-gpus 2, limits .* 1"),
    ("docs/cluster/kuberay.yaml", '{cpu: "6", memory', '{cpu: "8", memory', "gpu: limits and requests differ"),
    ("docs/cluster/kuberay.yaml", "sizeLimit: 6Gi", "sizeLimit: 4Gi", "object-store-memory must be given, and below"),
    ("docs/cluster/kuberay.yaml", "0.1.0-ray2.60.0-py311", "latest", "image .*latest' is not pinned"),
    ("docs/cluster/kuberay.yaml", "image: *image", "image: r/k:0.1.0-ray2.60.0-py311", "images differ"),
    (
        "docs/cluster/kuberay.yaml",
        'rayVersion: "2.60.0"',
        'rayVersion: "2.52.0"',
        "rayVersion '2.52.0' is not the lock's",
    ),
    ("docs/cluster/kuberay.yaml", "shutdownAfterJobFinishes: true", "shutdownAfterJobFinishes: false", "must be true"),
    ("docs/cluster/kuberay.yaml", "  activeDeadlineSeconds: 172800", "", "no activeDeadlineSeconds"),
    ("docs/cluster/kuberay.yaml", "enableInTreeAutoscaling: true", "enableInTreeAutoscaling: false", "never come"),
    ("docs/cluster/kuberay.yaml", "capacityType: SPOT", "capacityType: ON_DEMAND", "nodeSelector names no spot"),
    ("docs/cluster/kuberay.yaml", "envFrom: *storage", "envFrom: []", "gpu: no secretRef"),
    (
        "docs/cluster/kuberay.yaml",
        "[{name: KD_ST",
        '[{name: AWS_SECRET_ACCESS_KEY, value: "x"}, {name: KD_ST',
        "an AWS key",
    ),
]


@pytest.mark.parametrize("name", FILES)
def test_a_cluster_file_has_no_fault(name: str) -> None:
    assert FILES[name]((ROOT / name).read_text()) == []


@pytest.mark.parametrize(("name", "there", "put", "said"), FAULTS)
def test_a_fault_in_a_cluster_file_is_named(name: str, there: str, put: str, said: str) -> None:
    text = (ROOT / name).read_text()
    assert there in text, "the fault is in nothing that the file has"
    problems = FILES[name](text.replace(there, put, 1))
    assert [problem for problem in problems if re.search(said, problem)], problems
