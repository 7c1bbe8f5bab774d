"""Runs beside Ray on a spot node: hears the cloud's notice that the node will be taken, and drains the node.

    python -m kd_trainable.tuning.spot

Ray then schedules nothing there, its trials write a checkpoint and go on elsewhere, and Tune does not count the loss
as a failure of theirs. Ray's cluster launcher has no such watcher. AWS tells two minutes ahead, by instance metadata
version 2 (EC2 user guide, "Spot Instance interruption notices"); its rebalance recommendation is no notice, and is not
asked for. Google Cloud tells 30 seconds ahead (Compute Engine, "Spot VMs", preemption process).
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence

from kd_trainable.tuning.text import one_line

METADATA = "http://169.254.169.254"  # of both clouds, and of no other machine: link-local
ASK_EVERY_S = 5.0  # as AWS recommends
ANSWER_S = 2.0
GOOGLE_LEAVES_S = 30.0
TOKEN_LASTS_S = 21600  # AWS's longest
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy would answer for its own machine

Notice = Callable[[], float | None]


def main(argv: Sequence[str] | None = None) -> int:
    """Waits for a notice, and drains the Ray node of this machine: 0 when it is drained, 1 when it could not be.

    A metadata service that is silent or fails is asked again, for ever.
    """
    parser = argparse.ArgumentParser(prog="spot", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--metadata", default=METADATA, metavar="URL", help="default: %(default)s")
    parser.add_argument("--every", type=float, default=ASK_EVERY_S, metavar="S", help="seconds (default: %(default)s)")
    parser.add_argument("--address", default="auto", metavar="ADDR", help="the cluster (default: this machine's)")
    given = parser.parse_args(argv)
    try:
        deadline = wait_for_notice(given.metadata, given.every, _say)
        return drain(given.address, deadline, given.every, _say)
    except KeyboardInterrupt:
        return 130


def wait_for_notice(metadata: str, every: float, say: Callable[[str], None]) -> float:
    """Returns when the cloud has told that it takes this machine: the time it will do so, in seconds since 1970."""
    cloud: Notice | None = None
    silent = ""
    while True:
        try:
            cloud = cloud or _cloud(metadata, say)
            deadline = cloud()
            silent = _changed(silent, "", "the metadata service answers again", say)
        except (OSError, ValueError, LookupError) as error:  # URLError and time-outs are OSErrors
            deadline = None
            silent = _changed(silent, f"{metadata} does not answer: {one_line(error)}", "", say)
        if deadline is not None:
            return deadline
        time.sleep(every)


def drain(address: str, deadline: float, every: float, say: Callable[[str], None]) -> int:
    """Drains the Ray nodes of this machine, and tells Ray when they will be gone; tries on until then."""
    say(f"notice: this machine will be taken in {deadline - time.time():.0f} s")
    silent = ""
    while True:
        try:
            for node in (nodes := _drain(address, deadline)):
                say(f"node {node} is draining")
            if nodes:
                return 0
            raise LookupError("no node of it runs on this machine")
        except Exception as error:  # Ray's own kinds, which its version decides; there may be time for another try
            silent = _changed(silent, f"cannot drain: {one_line(error)}", "", say)
        if time.time() > deadline:
            return 1
        time.sleep(min(every, 1.0))


def _drain(address: str, deadline: float) -> list[str]:
    """What ``ray drain-node`` does, for each of the cluster's nodes whose raylet is a process of this machine."""
    from ray._private import services
    from ray._raylet import GcsClient  # type: ignore[attr-defined]
    from ray.core.generated.autoscaler_pb2 import DrainNodeReason

    found = services.canonicalize_bootstrap_address(address)
    if found is None:
        raise LookupError("no Ray runs on this machine")
    gcs = GcsClient(address=found)
    alive = {node.hex() for node, info in gcs.get_all_node_info(timeout=10).items() if info.state == info.ALIVE}
    nodes = sorted(alive & set(services.find_node_ids()))
    for node in nodes:
        reason = DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        accepted, why = gcs.drain_node(node, reason, "the cloud takes this machine", int(deadline * 1000))
        if not accepted:
            raise RuntimeError(why)
    return nodes


def _cloud(metadata: str, say: Callable[[str], None]) -> Notice:
    """Whose machine this is, told by who answers."""
    for name, notice in (("Google Cloud", google(metadata)), ("AWS", aws(metadata))):
        try:
            notice()
        except urllib.error.HTTPError:
            continue  # the other's
        say(f"watches for a notice of {name} at {metadata}")
        return notice
    raise LookupError("neither AWS nor Google Cloud")


def google(metadata: str) -> Notice:
    """Google Cloud's: the deadline once the machine is preempted, else None."""

    def notice() -> float | None:
        headers = {"Metadata-Flavor": "Google"}
        said = _ask(f"{metadata}/computeMetadata/v1/instance/preempted", headers)
        if said not in ("TRUE", "FALSE"):
            raise ValueError(f"preempted: {said[:80]!r}")
        return time.time() + GOOGLE_LEAVES_S if said == "TRUE" else None

    return notice


def aws(metadata: str) -> Notice:
    """AWS's: the deadline once the instance is to be stopped, hibernated or terminated, else None."""
    token = ""

    def notice() -> float | None:
        nonlocal token
        lasts = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_LASTS_S)}
        token = token or _ask(f"{metadata}/latest/api/token", lasts, "PUT")
        try:
            said = _ask(f"{metadata}/latest/meta-data/spot/instance-action", {"X-aws-ec2-metadata-token": token})
        except urllib.error.HTTPError as error:
            if error.code == 404:  # no notice
                return None
            token = ""
            if error.code == 401:  # it has expired; the next turn asks for another
                return None
            raise
        when = datetime.datetime.fromisoformat(json.loads(said)["time"])
        return when.replace(tzinfo=when.tzinfo or datetime.UTC).timestamp()

    return notice


def _ask(url: str, headers: dict[str, str], method: str = "GET") -> str:
    request = urllib.request.Request(url, headers=headers, method=method)
    with _DIRECT.open(request, timeout=ANSWER_S) as answer:
        return str(answer.read(10_000).decode()).strip()


def _changed(before: str, now: str, over: str, say: Callable[[str], None]) -> str:
    """Says a state once, not at every turn; ``over`` when there was one and there is none."""
    if now != before and (line := now or over):
        say(line)
    return now


def _say(line: str) -> None:
    print(f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ} spot: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
