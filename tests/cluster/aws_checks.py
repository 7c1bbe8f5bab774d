"""What a cluster file for AWS must be. EC2's own description of RunInstances, which botocore brings, sees typos."""

from __future__ import annotations

from typing import Any

import botocore.loaders
import botocore.model
import botocore.validate
import yaml
from checks import File, Problems, of_ray, resources_match, worker_types

SERVICE = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("ec2", "service-2"), "ec2")
RUN_INSTANCES = SERVICE.operation_model("RunInstances").input_shape
RAYS_OWN = {"SubnetIds"}  # resolved to one SubnetId by Ray's aws/node_provider.py
WE_GIVE = {"MinCount": 1, "MaxCount": 1}  # as that file does


def of_aws(text: str) -> list[str]:
    """What is wrong with a file for `ray up` on AWS."""
    problems = of_ray(text)
    if problems and problems[0].startswith("schema"):
        return problems
    file = yaml.safe_load(text)
    checks = (types, parameters, spot, zones, closed, profiles)
    return [*problems, *(problem for check in checks for problem in check(file))]


def types(file: File) -> Problems:
    """Instance types are known, and resources what they have."""
    yield from resources_match(file, "aws", "InstanceType")


def parameters(file: File) -> Problems:
    """Every key and value of node_config is one that EC2 knows."""
    for name, kind in file["available_node_types"].items():
        given: dict[str, Any] = {k: v for k, v in kind["node_config"].items() if k not in RAYS_OWN}
        report = botocore.validate.ParamValidator().validate({**given, **WE_GIVE}, RUN_INSTANCES)
        if report.has_errors():
            yield f"{name}: node_config: {report.generate_report().splitlines()[0]}"
        else:
            yield from (f"{name}: node_config: {problem}" for problem in values(given, RUN_INSTANCES))


def values(given: Any, shape: Any, path: str = "") -> Problems:
    """Values that are none of those that EC2 lists for a parameter: botocore itself lets any string pass."""
    if shape.type_name == "structure":
        for key, value in given.items():
            if key in shape.members:
                yield from values(value, shape.members[key], f"{path}.{key}".lstrip("."))
    elif shape.type_name == "list":
        for value in given:
            yield from values(value, shape.member, path)
    elif getattr(shape, "enum", None) and path != "InstanceType" and given not in shape.enum:
        yield f"{path}: {given!r} is not one of {', '.join(shape.enum)}"


def spot(file: File) -> Problems:
    """Workers are spot instances, the head is none; a stopped instance is not kept."""
    for name, kind in worker_types(file).items():
        if kind["node_config"].get("InstanceMarketOptions", {}).get("MarketType") != "spot":
            yield f"{name}: not a spot instance (InstanceMarketOptions: {{MarketType: spot}})"
    if "InstanceMarketOptions" in file["available_node_types"][file["head_node_type"]]["node_config"]:
        yield "head: a spot instance, which takes the sweep's driver with it when it goes"
    if file["provider"].get("cache_stopped_nodes", True):
        yield "provider: cache_stopped_nodes keeps instances, and their disks cost"


def zones(file: File) -> Problems:
    """Several zones of one region."""
    region = file["provider"]["region"]
    named = [zone.strip() for zone in file["provider"].get("availability_zone", "").split(",")]
    if len(set(named)) < 2:
        yield f"provider: availability_zone {','.join(named)!r} is one zone; spot nodes run out in one"
    if any(not zone.startswith(region) for zone in named):
        yield f"provider: availability_zone {','.join(named)!r} is not of region {region}"


def closed(file: File) -> Problems:
    """Groups by id, which Ray leaves alone: into any other it puts a rule that opens port 22 to the world."""
    if "security_group" in file["provider"]:
        yield "provider: security_group: Ray adds a rule to it that opens port 22 to the world; name groups by id"
    for name, kind in file["available_node_types"].items():
        if not kind["node_config"].get("SecurityGroupIds"):
            yield f"{name}: no SecurityGroupIds: Ray would make a group whose port 22 is open to the world"
        if kind["node_config"].get("MetadataOptions", {}).get("HttpTokens") != "required":
            yield f"{name}: MetadataOptions without HttpTokens required: credentials by a plain GET"


def profiles(file: File) -> Problems:
    """Head and workers reach the bucket by a profile each; a worker's must not be the head's, which rents machines."""
    named = {n: k["node_config"].get("IamInstanceProfile") for n, k in file["available_node_types"].items()}
    for name, profile in named.items():
        if not profile:
            yield f"{name}: no IamInstanceProfile, so no way to the bucket"
        elif name != file["head_node_type"] and profile == named[file["head_node_type"]]:
            yield f"{name}: has the head's IamInstanceProfile, which may rent machines"
