"""What a cluster file for Google Cloud must be, by a short table of the fields of compute.instances.insert."""

from __future__ import annotations

from typing import Any

import yaml
from checks import File, Problems, of_ray, resources_match, worker_types

# https://cloud.google.com/compute/docs/reference/rest/v1/instances, the fields that a cluster's node may want.
# A dict is an object, a list an array of such, None anything.
FIELDS: dict[str, Any] = {
    "machineType": None,
    "networkInterfaces": [{"network": None, "subnetwork": None, "accessConfigs": [{"name": None, "type": None}]}],
    "disks": [
        {
            "boot": None,
            "autoDelete": None,
            "type": None,
            "initializeParams": {"diskSizeGb": None, "diskType": None, "sourceImage": None},
        }
    ],
    "metadata": {"items": [{"key": None, "value": None}]},
    "tags": {"items": [None]},
    "labels": None,
    "guestAccelerators": [{"acceleratorType": None, "acceleratorCount": None}],
    "serviceAccounts": [{"email": None, "scopes": [None]}],
    "scheduling": {
        "provisioningModel": None,
        "instanceTerminationAction": None,
        "onHostMaintenance": None,
        "automaticRestart": None,
        "preemptible": None,
    },
    "shieldedInstanceConfig": {"enableSecureBoot": None, "enableVtpm": None, "enableIntegrityMonitoring": None},
}


def of_gcp(text: str) -> list[str]:
    """What is wrong with a file for `ray up` on Google Cloud."""
    problems = of_ray(text)
    if problems and problems[0].startswith("schema"):
        return problems
    file = yaml.safe_load(text)
    checks = (types, parameters, spot, closed, place)
    return [*problems, *(problem for check in checks for problem in check(file))]


def types(file: File) -> Problems:
    """Machine types are known, and resources what they have."""
    yield from resources_match(file, "gcp", "machineType")


def parameters(file: File) -> Problems:
    """Every key of node_config is one of the table, in the form that the API has."""
    for name, kind in file["available_node_types"].items():
        yield from (f"{name}: node_config: {problem}" for problem in unknown(kind["node_config"], FIELDS))


def unknown(given: Any, known: Any, path: str = "") -> Problems:
    """Keys that are not in a table like FIELDS, and values of another form."""
    form = type(known)
    if known is None:
        return
    if not isinstance(given, form):
        yield f"{path} must be a {'mapping' if form is dict else 'list'}"
    elif form is list:
        for value in given:
            yield from unknown(value, known[0], path)
    else:
        for key, value in given.items():
            if key not in known:
                yield f"unknown field {path}.{key}".replace(" .", " ")
            else:
                yield from unknown(value, known[key], f"{path}.{key}".lstrip("."))


def spot(file: File) -> Problems:
    """Workers are spot machines that are deleted when they go, the head is none."""
    for name, kind in worker_types(file).items():
        scheduling = kind["node_config"].get("scheduling")
        wanted = {"provisioningModel": "SPOT", "instanceTerminationAction": "DELETE", "onHostMaintenance": "TERMINATE"}
        for key, value in wanted.items():
            if not isinstance(scheduling, dict) or scheduling.get(key) != value:
                yield f"{name}: scheduling.{key} must be {value}"
    if "scheduling" in file["available_node_types"][file["head_node_type"]]["node_config"]:
        yield "head: scheduling: must not be a spot machine, which takes the sweep's driver with it"


def closed(file: File) -> Problems:
    """A network of its own, since the default one opens port 22 to the world; the bucket by a service account."""
    emails = set()
    for name, kind in file["available_node_types"].items():
        interfaces = kind["node_config"].get("networkInterfaces") or [{}]
        if any("default" in str(i.get("subnetwork", "default")) for i in interfaces):
            yield f"{name}: in the default network, whose rule default-allow-ssh opens port 22 to the world"
        accounts = kind["node_config"].get("serviceAccounts") or []
        emails.update(account["email"] for account in accounts)
        if not accounts:
            yield f"{name}: no serviceAccounts, so no way to the bucket"
    if len(emails) < 2:
        yield "workers have the head's service account, which may rent machines"


def place(file: File) -> Problems:
    """One zone, of the region: Ray's GCP provider takes the string as it is."""
    provider = file["provider"]
    zone = provider["availability_zone"]
    if "," in zone or not zone.startswith(provider["region"]):
        yield f"provider: availability_zone {zone!r} must be one zone of region {provider['region']}"
