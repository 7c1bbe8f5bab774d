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
# # Is the gain real?
#
# One setting always comes out on top. The question is whether it would do so again: with other seeds, chosen by
# somebody who had not seen the test set, and against a student that had as many chances. Six questions, each with the
# numbers of this sweep; *points* are percentage points of test accuracy.
#
# The example beside this notebook is a small real sweep. For yours, set `RESULTS` to its folder and run all cells
# again.

# %% tags=["parameters"]
from analysis.show import example

RESULTS = example("cifar10_grid")  # yours, for instance: RESULTS = "../../results/sweeps/digits_grid"

# %%
import numpy as np

from analysis import frames
from analysis.plots.forest import differences as forest
from analysis.plots.look import BAND, BASELINE, COLOURS
from analysis.plots.names import names
from analysis.plots.paper import sheet
from analysis.show import say, show
from analysis.stats.cells import BLOCK, COMPARABLE, is_control
from analysis.stats.differences import differences
from analysis.stats.inflation import best_epoch_inflation, selection
from analysis.stats.power import seeds_needed
from analysis.tables import variance_table
from analysis.tables.grid import percent

runs = frames.runs(RESULTS)
table = differences(runs)
judged = table[table["competes"] & table["low"].notna()]
sweeps = list(judged.groupby([*COMPARABLE], dropna=False))  # what may be compared with one another
if not sweeps:
    say("No difference has an interval here: that takes a baseline, and two seeds or more. Much below is unknown.")

# %% [markdown]
# ## 1. One interval, or all of them
#
# Thick: the 95 % interval of a difference, right for a setting that was named before the sweep began. Who looks at all
# of them and then points at the highest needs the thin ones, which are wide enough to be right *for all settings at
# once*. A gain is shown where the thin line stays right of zero, a loss where it stays left. Where it crosses zero
# nothing is shown: neither a gain nor its absence.

# %%
show(forest, runs)

# %% [markdown]
# ## 2. The best of many is good at being lucky
#
# Suppose that no setting did anything, so that all of them and the student without a teacher differ by luck alone. Luck
# is known: it is what is left of the spread between runs once setting and seed are accounted for. Draw such sweeps by
# the thousand and note by how much the best setting beats the baseline: with many settings it nearly always does.

# %%
for (dataset, student, budget, _), group in sweeps:
    draw, pooled = np.random.default_rng(0), group["pooled"].to_numpy(bool)
    luck, df = (100 * group["residual_sd"] / group["n"] ** 0.5).to_numpy(float), group["df"].to_numpy(int)
    # no luck is known better than so many runs tell: cells that share one are as wrong together, others each alone
    wrong = (df / draw.chisquare(df, (10_000, len(df)))) ** 0.5
    wrong[:, pooled] = wrong[:, pooled][:, :1]
    baseline = group.groupby([*BLOCK], dropna=False).ngroup().to_numpy()  # each setting has that of its own recipe
    settings, baselines = (draw.normal(size=(10_000, n)) for n in (len(group), baseline.max() + 1))
    best_by_luck = (luck * wrong * (settings - baselines[:, baseline])).max(axis=1)
    best_here = 100 * float(group["difference"].max())
    figure, (ax,) = sheet(1, 1, 7, 3.4)
    middle = tuple(np.quantile(best_by_luck, [0.0005, 0.9995]))
    ax.hist(best_by_luck, 80, range=middle, color=BAND, label="sweeps of nothing but luck")
    ax.axvline(0, color=BASELINE, linewidth=1, linestyle="--", label="no better than the baseline")
    ax.axvline(best_here, color=COLOURS[0], linewidth=2, label="this sweep")
    ax.set(xlabel=f"best of {len(group)} settings less the baseline (points)", yticks=[])
    ax.set_title(f"{student} on {dataset}, {budget} epochs, mean of {group['n'].median():g} seeds each", fontsize=10)
    ax.legend(frameon=False)
    show(figure)
    ahead, as_far = (f"{100 * (best_by_luck > gain).mean():.1f} %" for gain in (0, best_here))
    say(
        f"By luck alone the best of {len(group)} beats the baseline in {ahead} of sweeps, and in half of them by "
        f"{np.median(best_by_luck):.2f} points or more. The best here, by test accuracy, is {best_here:+.2f} points "
        f"ahead: luck alone does better in {as_far} of sweeps."
    )

# %% [markdown]
# ## 3. Choosing on what is reported
#
# `claimed` is what a rule says of the setting that it chose. `honest` is what such a choice is worth: the same rule
# chooses on all seeds but one, and is judged on that one, which had no say. The test set that chose cannot also judge.
#
# And the epoch: who reports each run's best epoch on the test set has chosen there again, once a run. That never lowers
# a number, so it is a bias, and no noise. Where the learning rate ends near zero there is little left of it.

# %%
chosen = selection(runs)
if chosen.empty:
    say("What a choice is worth on a new seed is not known: that takes two settings, and two seeds that both finished.")
else:
    rates = ["claimed", "honest", "flattery"]
    show(chosen.assign(**chosen[rates].map(percent)).set_index([*COMPARABLE, "rule"]))
real = runs[~is_control(runs)]
added = best_epoch_inflation(real)["inflation"].dropna()
if len(added):
    mean, most = percent(added.mean(), "+"), percent(added.max(), "+")
    say(f"The best epoch adds {mean} points to a setting on average, and {most} at most.")

# %% [markdown]
# ## 4. The seed's share
#
# How much of the spread between runs would have been there without any difference between settings. Once `seed` and
# `seed x setting` together rival the fields that were swept, another seed is worth more than another setting.

# %%
show(variance_table, runs)

# %% [markdown]
# ## 5. Too few seeds to see it
#
# Not shown is not the same as not there. This is how many seeds it takes to see a true difference in four sweeps of
# five, for one comparison that was planned, and for the simultaneous one of this sweep.

# %%
sizes = [0.002, 0.005, 0.01, 0.02]
for (dataset, student, budget, _), group in sweeps:
    sd, family = float(group["residual_sd"].median()), int(group["comparisons"].max())
    needed = seeds_needed(sd, sizes).rename(columns={"seeds": "seeds, one planned comparison"})
    needed[f"seeds, all {family} at once"] = seeds_needed(sd, sizes, comparisons=family)["seeds"]
    usual = "" if group["pooled"].all() else ", in the middle one of the settings, whose spreads differ"
    where = f"{student} on {dataset}, {budget} epochs"
    say(f"{where}: luck moves a run by {percent(sd)} points{usual}; n here {group['n'].max()}.")
    show(
        needed.assign(difference=100 * needed["difference"]).set_index("difference").rename_axis("difference (points)")
    )

# %% [markdown]
# ## 6. Is it the teacher at all?
#
# A shuffled teacher answers every image with what it thinks of another one: as soft, as sure, and about nothing. Where
# a student gains from *that* as well, the gain is regularisation, which needs no teacher. Where it loses by it,
# regularisation is not the explanation; that alone does not make a gain shown which the intervals above leave open.

# %%
control = table["control"].fillna("none").rename("teacher").replace("none", "real teacher")
named = table.assign(setting=names(table, but=("control",)), teacher=control)
side = named.pivot_table(index=[*COMPARABLE, "setting"], columns="teacher", values="difference").dropna()
if side.shape[1] < 2 or side.empty:
    say("Not known: no control was run. Add it to the sweep's command: --control none shuffled-teacher")
else:
    say("Difference to the student without a teacher in points, for the same setting under each teacher:")
    show(side.map(percent, sign="+"))
