"""How every figure looks: Okabe and Ito's colours, told apart by marker too, for grey print and for any eye."""

from __future__ import annotations

# Okabe & Ito 2008, Color Universal Design, in an order whose neighbours also differ in lightness
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
BASELINE = "0.35"  # grey of the baseline's line and band
