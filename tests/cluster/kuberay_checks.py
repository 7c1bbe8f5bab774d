"""What a KubeRay RayJob must be, by a short table of the fields of KubeRay's and Kubernetes' own reference pages."""

from __future__ import annotations

import re
from typing import Any

import yaml
from checks import LOCK, SIZES, File, Problems, image_problem, open_or_secret
from gcp_checks import unknown

CONTAINER = {
    "name": None,
    "image": None,
    "imagePullPolicy": None,
    "command": None,
    "args": None,
    "env": [{"name": None, "value": None, "valueFrom": None}],
    "envFrom": [{"secretRef": {"name": None}, "configMapRef": {"name": None}}],
    "resources": {"limits": None, "requests": None},
    "securityContext": {"runAsNonRoot": None, "allowPrivilegeEscalation": None, "capabilities": None},
    "volumeMounts": [{"name": None, "mountPath": None, "readOnly": None}],
    "lifecycle": None,
}  # kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1, the fields that a node may want
POD = {
    "metadata": None,
    "spec": {
        "containers": [CONTAINER],
        "volumes": [{"name": None, "emptyDir": {"medium": None, "sizeLimit": None}, "persistentVolumeClaim": None}],
        "nodeSelector": None,
        "tolerations": [{"key": None, "operator": None, "value": None, "effect": None}],
        "serviceAccountName": None,
        "automountServiceAccountToken": None,
        "terminationGracePeriodSeconds": None,
    },
}
# docs.ray.io/en/master/cluster/kubernetes/references/api.html, of KubeRay 1.6.2
FIELDS: dict[str, Any] = {
    "apiVersion": None,
    "kind": None,
    "metadata": {"name": None, "namespace": None, "labels": None},
    "spec": {
        "entrypoint": None,
        "submissionMode": None,
        "shutdownAfterJobFinishes": None,
        "ttlSecondsAfterFinished": None,
        "activeDeadlineSeconds": None,
        "backoffLimit": None,
        "suspend": None,
        "rayClusterSpec": {
            "rayVersion": None,
            "authOptions": {"mode": None, "secretName": None, "enableK8sTokenAuth": None},
            "enableInTreeAutoscaling": None,
            "autoscalerOptions": {"version": None, "idleTimeoutSeconds": None, "upscalingMode": None},
            "headGroupSpec": {"serviceType": None, "enableIngress": None, "rayStartParams": None, "template": POD},
            "workerGroupSpecs": [
                {
                    "groupName": None,
                    "replicas": None,
                    "minReplicas": None,
                    "maxReplicas": None,
                    "idleTimeoutSeconds": None,
                    "rayStartParams": None,
                    "template": POD,
                }
            ],
        },
    },
}


def of_kuberay(text: str) -> list[str]:
    """What is wrong with a RayJob manifest."""
    try:
        file = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return [f"schema: {str(error).splitlines()[0]}"]
    problems = [f"schema: {problem}" for problem in unknown(file, FIELDS)]
    if problems or (file["apiVersion"], file["kind"]) != ("ray.io/v1", "RayJob"):
        return problems or [f"schema: {file['apiVersion']} {file['kind']} is no ray.io/v1 RayJob"]
    checks = (ends, guarded, head, workers, versions, matching)
    return [*open_or_secret(text), *(problem for check in checks for problem in check(file))]


def cluster_of(file: File) -> File:
    """The cluster that the job makes."""
    found: File = file["spec"]["rayClusterSpec"]
    return found


def groups(file: File) -> list[tuple[str, File]]:
    """Head and worker groups, with names."""
    cluster = cluster_of(file)
    return [("head", cluster["headGroupSpec"]), *((g["groupName"], g) for g in cluster["workerGroupSpecs"])]


def container(group: File) -> File:
    """Ray's container of a group: the first."""
    found: File = group["template"]["spec"]["containers"][0]
    return found


def ends(file: File) -> Problems:
    """Nothing is left when the sweep has ended, or is never ended."""
    if file["spec"].get("shutdownAfterJobFinishes") is not True:
        yield "shutdownAfterJobFinishes must be true: the cluster would go on costing"
    if "activeDeadlineSeconds" not in file["spec"]:
        yield "no activeDeadlineSeconds: a job that hangs would cost for ever"
    cluster = cluster_of(file)
    if cluster.get("enableInTreeAutoscaling") is not True:
        yield "enableInTreeAutoscaling must be true: workers would never come"
    if not 0 < cluster.get("autoscalerOptions", {}).get("idleTimeoutSeconds", 60) <= 1800:
        yield "autoscalerOptions.idleTimeoutSeconds keeps idle nodes; must be 1 to 1800"


def guarded(file: File) -> Problems:
    """A token guards Ray, no service leads to it from outside, and keys come from a Secret."""
    cluster = cluster_of(file)
    if cluster.get("authOptions", {}).get("mode") != "token":
        yield "authOptions.mode must be token: anyone in the cluster could run code"
    if cluster["headGroupSpec"].get("serviceType") != "ClusterIP" or cluster["headGroupSpec"].get("enableIngress"):
        yield "headGroupSpec: serviceType must be ClusterIP and enableIngress false: nothing leads in from outside"
    for name, group in groups(file):
        if not any("secretRef" in source for source in container(group).get("envFrom", [])):
            yield f"{name}: no secretRef, so no way to the bucket"


def head(file: File) -> Problems:
    """The head runs no trials."""
    parameters = cluster_of(file)["headGroupSpec"]["rayStartParams"]
    if parameters.get("num-cpus") != "0" or "num-gpus" in parameters:
        yield 'head: rayStartParams must have num-cpus "0" and no num-gpus: it would run trials'


def workers(file: File) -> Problems:
    """Groups of spot GPU nodes that go down to none."""
    for name, group in groups(file)[1:]:
        if group.get("minReplicas", 0) != 0 or group.get("replicas", 0) != 0:
            yield f"{name}: replicas and minReplicas must be 0: they cost when nothing runs"
        if "maxReplicas" not in group:
            yield f"{name}: no maxReplicas, so no limit to the cost"
        if not re.search("spot", str(group["template"]["spec"].get("nodeSelector")), re.I):
            yield f"{name}: nodeSelector names no spot nodes"


def versions(file: File) -> Problems:
    """One image, pinned, of the lock's Ray."""
    ray = re.search(r"^ray==(.+)$", LOCK, re.M)[1]  # type: ignore[index]
    if cluster_of(file).get("rayVersion") != ray:
        yield f"rayVersion {cluster_of(file).get('rayVersion')!r} is not the lock's {ray}"
    images = {container(group)["image"] for _, group in groups(file)}
    if len(images) != 1:
        yield f"images differ: {sorted(images)}"
    yield from filter(None, map(image_problem, images))


def matching(file: File) -> Problems:
    """What Ray is told is what the pod is given."""
    for name, group in groups(file):
        given, told = container(group)["resources"], group["rayStartParams"]
        limits = given.get("limits", {})
        if limits != given.get("requests"):
            yield f"{name}: limits and requests differ: the pod may be ended for what Ray believes it has"
        shared = [v["emptyDir"]["sizeLimit"] for v in group["template"]["spec"]["volumes"] if "emptyDir" in v]
        if (
            not shared
            or int(told.get("object-store-memory", 2**62)) > int(shared[0][:-2]) * SIZES[shared[0][-2:].lower()]
        ):
            yield f"{name}: object-store-memory must be given, and below /dev/shm's sizeLimit"
        if name != "head":
            pairs = {"num-cpus": "cpu", "num-gpus": "nvidia.com/gpu"}
            for ours, theirs in pairs.items():
                if told.get(ours) != limits.get(theirs):
                    yield f"{name}: rayStartParams {ours} {told.get(ours)}, limits {theirs} {limits.get(theirs)}"
