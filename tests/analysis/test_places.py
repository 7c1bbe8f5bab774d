"""Folders by URI: what lies in one comes before the query of its URI, and its secrets are shown nowhere."""

from __future__ import annotations

import pytest

from analysis.places import above, below, located, name_of
from kd_trainable.vocabulary import InputError, without_secrets

QUERY = "endpoint_override=127.0.0.1:9000&tls_ca_file_path=/etc/ca.pem"


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("results/", "results/sweeps/a"),
        ("what?/b", "what?/b/sweeps/a"),
        ("s3://bucket/results", "s3://bucket/results/sweeps/a"),
        (f"s3://bucket/results/?{QUERY}", f"s3://bucket/results/sweeps/a?{QUERY}"),
    ],
)
def test_below(folder: str, expected: str) -> None:
    assert below(folder, "sweeps", "a") == expected
    assert name_of(expected) == "a"
    assert above(expected) == (below(folder, "sweeps"), "a")


def test_above() -> None:
    assert above("table.md") == (".", "table.md")
    assert above("/table.md") == ("/", "table.md")
    assert above(f"s3://bucket/a/table.md?{QUERY}") == (f"s3://bucket/a?{QUERY}", "table.md")


def test_secrets() -> None:
    for uri in ("s3://KEY:SECRET@bucket/x", "s3://KEY:SEC/RET+@bucket/x", "http://user:pass@host:80/x"):
        shown = without_secrets(f"{uri} and {uri}")
        assert [part in shown for part in ("KEY", "SEC", "RET", "pass")] == [False] * 4
        assert shown.endswith("/x")
    assert without_secrets("s3://bucket/a@b?x=127.0.0.1:1") == "s3://bucket/a@b?x=127.0.0.1:1"


def test_a_uri_that_leads_nowhere_is_refused_in_a_line_without_secrets() -> None:
    for uri in ("s3://", "s3://KEY:SECRET@bucket/x?bogus=1", "nosuch://KEY:SECRET@bucket/x"):
        with pytest.raises(InputError) as refusal:
            located(uri)
        assert ("SECRET" in str(refusal.value), "\n" in str(refusal.value)) == (False, False)
