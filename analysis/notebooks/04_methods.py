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
# # Methods, side by side
#
# Distillation is many methods: some match the teacher's answers, others its features, or the relations between images.
# A fair comparison gives each the same student, teacher, data, budget and seeds, as a sweep over `--method` does. One
# thing it does not give: each runs at the weight that its paper or its authors' code names, for their networks and
# their budget. A method that loses here may have lost by its weight; `--at.weight 500 1000` sweeps one.
#
# The example is a folder of small real sweeps beside this notebook. For yours, set `RESULTS` and run all cells again.

# %% tags=["parameters"]
from analysis.show import example

RESULTS = example()  # of all its sweeps; yours, for instance: RESULTS = "../../results"

# %%
from analysis import frames
from analysis.answer import answers
from analysis.compare import compared
from analysis.plots.agreement import agreement
from analysis.plots.dots import dots
from analysis.plots.pareto import pareto
from analysis.plots.published import scatter
from analysis.published import literature
from analysis.show import say, show
from analysis.stats.cells import COMPARABLE, is_control
from analysis.tables import differences_table, methods_by_network
from analysis.tables.grid import percent

runs = frames.runs(RESULTS)
runs = runs[~is_control(runs)]  # negative controls are in the notebook before
tried = runs.groupby([*COMPARABLE], dropna=False)["method"].transform("nunique")
several = runs[tried > 2]  # where there is more than the baseline and one method
if several.empty:
    say("No two methods were run with one data set, student, budget and protocol: what follows is of all runs.")
    several = runs

# %% [markdown]
# ## Which method
#
# Best first, by what selects. The sentences say how sure that is; the table's ± and the seeds in the picture say why. A
# method may well end below the baseline: a feature loss of large weight can take over a short budget.

# %%
for of, sentences in answers(several).items():
    say(*[f"{of}: {sentence}" if of else sentence for sentence in sentences])
show(methods_by_network, several)

# %%
show(dots, several)

# %% [markdown]
# ## How sure
#
# The same against the baseline, with the interval of each difference alone and with that of all at once. Two methods
# whose intervals overlap widely are not ranked by this sweep, whatever the order of the lines.

# %%
show(differences_table, several)

# %% [markdown]
# ## Does it do what the teacher does?
#
# Agreement is the share of the test images to which student and teacher give one class, right or wrong. Accurate
# networks agree anyway, so look across a line of equal accuracy: who lies further right has taken over more of the
# teacher, its mistakes included. A student that became more accurate and did not move right may owe that to something
# else.

# %%
show(agreement, runs)

# %% [markdown]
# ## What a student costs
#
# Accuracy against size, and against the time of one image where that was measured. Of each student the setting is shown
# that its own validation accuracy chose; the line joins those that no smaller, or faster, student equals. Which to take
# for a budget, and how sure that is, says `python analysis/pareto.py RESULTS --max-parameters N`.

# %%
show(pareto, runs)

# %% [markdown]
# ## Beside published numbers
#
# What papers and repositories report for what was run here. Theirs come without an uncertainty, most are single runs,
# and their budgets differ: `differs` says in what, and no difference is evidence while it is not empty.

# %%
beside = {name: table for name in literature.names() if (table := compared(name, runs))["ours"].notna().any()}
percents = {
    "value": "theirs (%)",
    "ours": "ours (%)",
    "ours_half_width": "95 % ± (points)",
    "difference": "less theirs (points)",
}
for name, table in beside.items():
    found = table[table["ours"].notna()]
    setting = found[found.columns.intersection(["student", "method", "mode", "temperature", "alpha"])]
    numbers = found[[*percents]].map(percent, na_action="ignore").rename(columns=percents)
    say(f"{name}:")
    show(setting.join(numbers).join(found[["ours_n", "differs"]]).reset_index(drop=True))
if beside:
    show(scatter, beside)
else:
    say("No published number in analysis/published is of a network, data set and method that was run here.")
