"""The terms of a method's name: ``kd+at`` is two distances, each with its own weight. No torch."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kd_trainable.methods import METHODS
from kd_trainable.vocabulary import InputError, MethodEntry, require_known

DOTTED = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
ALSO_OWN = ", or your own as package.module:callable"
WEIGHT = "weight"


def terms(method: str) -> tuple[str, ...]:
    """The names in ``method``; none for the baseline."""
    return () if method == "none" else tuple(method.split("+"))


def in_order(method: str) -> str:
    """The same terms in the order of the table, a person's own last: ``at+kd`` is ``kd+at``."""
    known = list(METHODS)
    return "+".join(sorted(method.split("+"), key=lambda term: known.index(term) if term in METHODS else len(known)))


def entry(term: str) -> MethodEntry:
    """The term's line of the table; for a person's own, one that declares nothing."""
    return METHODS.get(term) or MethodEntry(term, 0)


def softened(term: str) -> bool:
    """Whether the convention weighs the term by alpha and T, and it is given T and the mode."""
    return WEIGHT not in entry(term).hyperparameters


def taught(method: str) -> bool:
    """Whether a frozen teacher has a part in the method."""
    return any(not entry(term).peer for term in terms(method))


def check_method(method: str) -> None:
    """Raises InputError unless every term of ``method`` can be, and is named once."""
    if method == "none":
        return
    known = METHODS if "+" in method else ("none", *METHODS)
    for term in terms(method):
        if not DOTTED.fullmatch(term):
            require_known("method", term, known, ALSO_OWN + ("" if "+" in method else "; join several by +"))
        if terms(method).count(term) > 1:
            raise InputError(f"method: {method} is not allowed; it names {term} more than once")


def declared(method: str) -> dict[str, float]:
    """Every hyperparameter that the terms declare, ``term.name`` -> default."""
    return {f"{t}.{name}": value for t in terms(method) for name, value in entry(t).hyperparameters.items()}


def own_term(method: str) -> bool:
    """Whether a term is a person's own, which takes hyperparameters of any name."""
    return any(term not in METHODS for term in terms(method))


def is_hyperparameter(name: str) -> bool:
    """Whether ``name`` is ``method.hyperparameter`` of the table."""
    method, _, own = name.partition(".")
    return method in METHODS and own in METHODS[method].hyperparameters


def all_hyperparameters() -> dict[str, float]:
    """Every hyperparameter of the table, ``method.name`` -> default."""
    return {name: value for method in METHODS for name, value in declared(method).items()}


def hyperparameters_of(term: str, given: Mapping[str, float]) -> dict[str, float]:
    """What one term's loss is given: its own names, without the term's; a person's own term is given every free one."""
    known = {name: given.get(f"{term}.{name}", value) for name, value in entry(term).hyperparameters.items()}
    if term in METHODS:
        return known
    return {name: value for name, value in given.items() if not is_hyperparameter(name)}
