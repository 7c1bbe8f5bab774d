# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Temperature and alpha
#
# A teacher is sure of its answers: its probabilities are close to one and zero, and what it knows beyond the label
# (this 7 could be a 1, but no 8) lies in the small ones. Dividing the logits by a temperature T before the softmax
# lifts these up: at T = 1 the student sees the teacher as it is, at a high T it sees mostly the order of the unlikely
# classes. Alpha says how much the student listens to the teacher, and how much to the labels. Does either matter here,
# and more than the seed?
#
# The example beside this notebook is a small real sweep. For yours, set `RESULTS` to its folder and run all cells
# again.

# %% tags=["parameters"]
from analysis.show import example

RESULTS = example("cifar10_grid")  # yours, for instance: RESULTS = "../../results/sweeps/digits_grid"

# %%
from analysis import frames
from analysis.plots.heatmap import heatmap
from analysis.plots.important import importance
from analysis.plots.temperature import temperature_curves
from analysis.plots.variance import variance
from analysis.show import say, show
from analysis.stats.cells import is_control
from analysis.stats.differences import differences
from analysis.stats.variance import variance_shares
from analysis.tables.grid import percent

runs = frames.runs(RESULTS)
runs = runs[~is_control(runs)]  # negative controls are in the next notebook
table = differences(runs)
temperatures, alphas = (
    ", ".join(f"{x:g}" for x in sorted(table[name].dropna().unique())) for name in ("temperature", "alpha")
)
say(f"{len(runs)} runs in {len(table)} cells; T {temperatures or 'not given'}; alpha {alphas or 'not given'}.")

# %% [markdown]
# ## The whole grid
#
# Colours are gains over the same student without a teacher (bare accuracies where none was run), on one scale for all
# panels. Look for a region, not for a cell: a single good cell among pale ones is what luck looks like.

# %%
show(heatmap, runs)

# %% [markdown]
# ## Along the temperature
#
# The dashed line and its band are the student without a teacher, where one was run. Of curves that stay within the band
# it is not known whether they gain anything at any T; one that falls below it has temperatures worse than no teacher.

# %%
show(temperature_curves, runs)

# %% [markdown]
# ## What T does to alpha
#
# T and alpha are not two independent knobs. The loss is `hard_weight` x cross-entropy with the labels + `soft_weight` x
# distance to the teacher, and the *convention* says how alpha and T give these weights. The soft part's gradient
# shrinks about as one over T², so *hinton* multiplies it by T² to keep the balance that alpha states; under *unscaled*
# or *hard_lambda* a higher T also turns the teacher down, and the best alpha moves with T. The weights that these runs
# had:

# %%
fields = ["convention", "mode", "alpha", "temperature"]
distilled = runs[runs["method"].fillna("none") != "none"]
show(distilled.groupby(fields)[["hard_weight", "soft_weight"]].first().unstack("temperature"))

# %% [markdown]
# And the alpha that each temperature prefers, chosen by validation, with its difference to the student without a
# teacher and that difference's own 95 % interval. If one alpha leads in every line, T and alpha can be tuned one after
# the other; where the intervals are wider than the steps between lines, the preference may be luck.

# %%
competing = table[table["competes"] & table["alpha"].notna() & table["temperature"].notna()]
by = ["dataset", "student", "epochs", "mode", "temperature"]
preferred = competing.sort_values("selected_by", ascending=False, kind="stable").drop_duplicates(by).sort_values(by)
points = preferred[["difference", "low", "high"]].map(percent, na_action="ignore", sign="+").add_suffix(" (points)")
if preferred.empty:
    say("Not known: no cell with both an alpha and a temperature has finished all of its runs.")
else:
    show(preferred[[*by, "alpha"]].join(points).set_index(by))

# %% [markdown]
# ## T against the seed
#
# A seed changes the initial weights and the order of the images, and nothing that a person would tune. Each field that
# was swept is held against it: how much of the spread between runs does it explain, beyond what luck would explain
# anyway? `interactions` is what fields do only together, such as an alpha that suits one T alone.

# %%
show(variance, runs)
for _, row in variance_shares(runs).query("source == 'temperature'").iterrows():
    verdict = "more than luck would do" if row["p"] < 0.05 else f"which luck may do too (p = {row['p']:.2f})"
    say(f"{row['student']}, {row['epochs']} epochs: T moves a run by {percent(row['sd'])} points (sd), {verdict}.")

# %% [markdown]
# A second look at the same question, by what Optuna's evaluators call importance. They measure different things and may
# disagree; where they do, no one field is *the* important one.

# %%
show(importance, runs)
