"""Which features of student and teacher a term compares: pairs of module paths, by rule or as a person gave them.

A path names a submodule, whose output is tapped; ``PATH/input`` taps what it is given. No torch.
"""

from __future__ import annotations

from typing import NamedTuple

from kd_trainable.methods import METHODS
from kd_trainable.models import MODELS
from kd_trainable.terms import entry, terms
from kd_trainable.vocabulary import InputError

INPUT = "/input"
EMBEDDING = "embedding"
KINDS = {
    "embedding": "what the last linear layer reads, [B, D]",
    "last": "the last stage, [B, C, H, W]",
    "middle": "the middle stage of those that both networks have",
    "stages": "every stage that both networks have, counted from the last",
    "before_relu": "every stage that both have, before its last ReLU",
}


class Pair(NamedTuple):
    """The student's path, the teacher's, and that of the batch norm before the teacher's tapped ReLU ('' if none)."""

    student: str
    teacher: str
    norm: str = ""


def parse(text: str) -> tuple[str, Pair]:
    """``[METHOD=]STUDENT[:TEACHER[:NORM]]`` -> the method ('' for every one) and the pair. Raises InputError."""
    method, mark, rest = text.rpartition("=")
    parts = rest.split(":")
    if not all(parts) or len(parts) > 3 or (mark and not method):
        raise InputError(f"taps: {text!r} is not allowed; must be [METHOD=]STUDENT[:TEACHER[:NORM]], module paths")
    return method, Pair(parts[0], parts[1] if len(parts) > 1 else parts[0], parts[2] if len(parts) > 2 else "")


def uses_features(term: str, taps: tuple[str, ...]) -> bool:
    """Whether a term compares features: those of its table line, or those that its taps name."""
    return bool(entry(term).taps) or any(parse(text)[0] == term for text in taps)


def check(method: str, taps: tuple[str, ...]) -> None:
    """Raises InputError for taps that no path could be, or of a method that is not there."""
    seen: set[tuple[str, str]] = set()
    for text in taps:
        owner, pair = parse(text)
        if owner and owner not in terms(method):
            raise InputError(f"taps: {text!r} is not allowed; {owner} is no term of method {method}")
        if owner in METHODS and not entry(owner).taps:
            raise InputError(f"taps: {text!r} is not allowed; method {owner} compares no features")
        if (owner, pair.student) in seen:
            raise InputError(f"taps: {text!r} is not allowed; {pair.student} of the student is compared already")
        seen.add((owner, pair.student))


def pairs(term: str, taps: tuple[str, ...], student: str, teacher: str) -> list[Pair]:
    """The pairs that ``term`` compares. Raises InputError where a network has no features of the kind it needs."""
    given = [parse(text) for text in taps]
    own = [pair for owner, pair in given if owner == term] or [
        pair for owner, pair in given if not owner and entry(term).taps
    ]
    if own or not entry(term).taps:
        return own
    kind = entry(term).taps
    found = [_of_kind(term, kind, name) for name in (student, teacher)]
    count = min(map(len, found))
    both = [Pair(s[0], *t) for s, t in zip(found[0][-count:], found[1][-count:], strict=True)]
    return [both[(count - 1) // 2]] if kind == "middle" else both


def _of_kind(term: str, kind: str, network: str) -> list[tuple[str, str]]:
    """(tap, batch norm) of every feature of ``kind`` that a network of the table has."""
    if network not in MODELS:
        raise InputError(
            f"taps: none given for {network}, which method {term} needs; give STUDENT:TEACHER module paths"
        )
    known = MODELS[network]
    stages = [(tap, "") for tap in known.taps if tap != EMBEDDING]
    found = {
        "embedding": [(tap, "") for tap in known.taps if tap == EMBEDDING],
        "last": stages[-1:],
        "before_relu": list(known.before_relu),
    }.get(kind, stages)
    if not found:
        has = ", ".join(known.taps) or "none"
        raise InputError(f"method: {term} compares {KINDS[kind]}, and {network} has none (its taps: {has})")
    return found
