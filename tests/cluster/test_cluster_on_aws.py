"""What Ray makes of cluster.yaml on AWS, by its own code against a simulated EC2 (moto, in this process)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import yaml
from checks import LOCK, ROOT, TYPES, WORLD
from moto import mock_aws
from ray.autoscaler._private.aws import utils as ray_aws_utils
from ray.autoscaler._private.aws.config import bootstrap_aws
from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
from ray.autoscaler._private.util import prepare_config

REGION = "us-west-2"


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[Any]:
    """A simulated EC2, as empty as a new account; Ray keeps its ssh keys in a home of the test's."""
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    ray_aws_utils.resource_cache.cache_clear()
    with mock_aws():
        yield boto3.resource("ec2", region_name=REGION)
    ray_aws_utils.resource_cache.cache_clear()


def prepared(ec2: Any, group: bool = True) -> dict[str, Any]:
    """cluster.yaml with a machine image, and a group made as docs/cluster.md has it; or without that group."""
    file = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    image = ec2.meta.client.register_image(Name="deep-learning-base")["ImageId"]
    vpc = next(iter(ec2.vpcs.filter(Filters=[{"Name": "is-default", "Values": ["true"]}])))
    made = ec2.create_security_group(GroupName="kd-trainable", Description="kd-trainable", VpcId=vpc.id)
    made.authorize_ingress(IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="192.0.2.1/32")
    iam = boto3.client("iam", region_name=REGION)
    for kind in file["available_node_types"].values():
        node = kind["node_config"]
        node.update(ImageId=image, SecurityGroupIds=[made.id])
        if not group:
            del node["SecurityGroupIds"]
        if node["IamInstanceProfile"]["Name"] not in str(iam.list_instance_profiles()):
            iam.create_instance_profile(InstanceProfileName=node["IamInstanceProfile"]["Name"])
    return bootstrap_aws(prepare_config(copy.deepcopy(file)))  # type: ignore[no-any-return]


def open_groups(ec2: Any) -> list[str]:
    """Names of the groups that let the world in."""
    return [group.group_name for group in ec2.security_groups.all() if WORLD.search(str(group.ip_permissions))]


def test_no_port_is_open_to_the_world(ec2: Any) -> None:
    ready = prepared(ec2)
    assert open_groups(ec2) == []
    groups = {group.id: group.group_name for group in ec2.security_groups.all()}
    used = {i for kind in ready["available_node_types"].values() for i in kind["node_config"]["SecurityGroupIds"]}
    assert {groups[i] for i in used} == {"kd-trainable"}


def test_without_a_group_of_ones_own_ray_would_open_ssh_to_the_world(ec2: Any) -> None:
    """Why SecurityGroupIds stand in cluster.yaml; when Ray no longer does this, its comment is to go."""
    prepared(ec2, group=False)
    assert open_groups(ec2) == ["ray-autoscaler-kd-trainable"]


def test_every_zone_is_one_that_workers_may_come_from(ec2: Any) -> None:
    ready = prepared(ec2)
    zones = {subnet.id: subnet.availability_zone for subnet in ec2.subnets.all()}
    named = [zone.strip() for zone in ready["provider"]["availability_zone"].split(",")]
    for kind in ready["available_node_types"].values():
        assert [zones[i] for i in kind["node_config"]["SubnetIds"]] == named


def test_ec2_takes_the_request_for_every_node_type(ec2: Any) -> None:
    ready = prepared(ec2)
    provider = AWSNodeProvider(ready["provider"], ready["cluster_name"])
    for name, kind in ready["available_node_types"].items():
        (made,) = provider.create_node(kind["node_config"], {"ray-node-kind": "worker"}, 1)
        instance = ec2.Instance(made)
        assert instance.instance_type == kind["node_config"]["InstanceType"]
        assert instance.instance_lifecycle == (None if name == "head" else "spot")
        assert {"Key": "ray-cluster-name", "Value": "kd-trainable"} in instance.tags


def test_the_head_finds_the_autoscaler_s_client_of_aws_in_what_it_installs() -> None:
    assert "\nboto3==" in LOCK


def test_the_table_of_instance_types_is_what_ec2_says(ec2: Any) -> None:
    """As moto has it, which keeps the answer of the real DescribeInstanceTypes."""
    ours = {row["type"]: row for row in TYPES if row["provider"] == "aws"}
    told = ec2.meta.client.describe_instance_types(InstanceTypes=list(ours))["InstanceTypes"]
    assert len(told) == len(ours) >= 3
    for kind in told:
        gpus = kind.get("GpuInfo", {}).get("Gpus", [])
        row = ours[kind["InstanceType"]]
        assert int(row["vcpus"]) == kind["VCpuInfo"]["DefaultVCpus"]
        assert int(row["memory_gib"]) * 1024 == kind["MemoryInfo"]["SizeInMiB"]
        assert (int(row["gpus"]), row["gpu"]) == (sum(g["Count"] for g in gpus), gpus[0]["Name"] if gpus else "")
