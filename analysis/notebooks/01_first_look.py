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
# # First look
#
# You have just run a sweep: many students, with and without a teacher, under several settings and seeds. This shows
# what was run, what came out of it and what it cost. All of it is read from the sweep's own files, `runs.parquet` and
# `epochs.parquet`, also while the sweep is still at work; neither Ray nor torch is needed.
#
# It starts with a small real sweep that lies beside these notebooks. For your own, set `RESULTS` to a sweep's folder,
# to a whole results folder with all of its sweeps, or to a URI such as `s3://bucket/results`, and run all cells again:
# the prose states no result, so it stays right. A relative path counts from this notebook's folder, if that is where it
# runs.

# %% tags=["parameters"]
from analysis.show import example

RESULTS = example("cifar10_grid")  # yours, for instance: RESULTS = "../../results/sweeps/digits_grid"

# %%
from analysis import frames
from analysis.answer import answers
from analysis.plots.learning import learning_curves
from analysis.show import say, show
from analysis.stats.cells import COMPARABLE, cells
from analysis.tables import alpha_temperature, methods_by_network
from analysis.tables.grid import panels

runs, epochs = frames.runs(RESULTS), frames.epochs(RESULTS)
for sweep in frames.sweeps(RESULTS):
    question = frames.about(sweep).get("question") or "the folder does not say what was asked."
    say(f"{sweep.rpartition('/')[2]}: {question}")

# %% [markdown]
# ## What was run
#
# A line for each data set, student, budget (epochs) and protocol. Only runs of one line may be compared with one
# another: five epochs beside thirty say nothing about distillation. Under protocol *holdout* a validation split chooses
# the best setting, and the test set is only reported.

# %%
by = runs.groupby([*COMPARABLE], dropna=False)
how = by["status"].value_counts().unstack(fill_value=0)
show(by.agg(runs=("spec_id", "size"), seeds=("seed", "nunique"), epochs_run=("epochs_run", "sum")).join(how))

# %% [markdown]
# ## The answer
#
# The best setting and its gain over the same student without a teacher; how many settings differ from that student by
# more than luck; and what luck is worth here. An interval that contains zero does not say that there is no gain: it
# says that this sweep cannot tell.

# %%
for of, sentences in answers(runs).items():
    say(*[f"{of}: {sentence}" if of else sentence for sentence in sentences])

# %% [markdown]
# ## The table
#
# ★ marks the best; the note says what chose it. Before you believe a difference between two cells, compare it with the
# ± beside them.

# %%
show(alpha_temperature if panels(cells(runs)) else methods_by_network, runs)

# %% [markdown]
# ## Did they learn, and were they done?
#
# Curves that still rise at the end ask for a longer budget; a student under a teacher may start slower and end higher,
# so a comparison that stops early may favour the wrong one.

# %%
show(learning_curves, runs, epochs)

# %% [markdown]
# ## Failures
#
# A run that failed, was lost, or was stopped by a scheduler is in no mean and in no picture above.

# %%
without = runs[runs["status"] != "finished"]
columns = ["status", "method", "mode", "temperature", "alpha", "seed", "epochs_run", "attempts", "error"]
if without.empty:
    say("Every run finished.")
else:
    show(without[columns].head(20))

# %% [markdown]
# ## Where the time went
#
# `training`: the students' own steps and evaluation, of which `in_vain` went into runs without a result. `teacher`: the
# time in which runs computed the teacher's logits; these are kept, so the next sweep under the same teacher and seeds
# pays nothing for them.

# %%
hours = {"training_hours": "train_seconds", "teacher_hours": "teacher_seconds", "in_vain_hours": "in_vain"}
timed = runs.assign(in_vain=runs["train_seconds"].where(runs["status"] != "finished", 0.0))
by = timed.groupby(["device", "student"], dropna=False)
cost = by.agg(runs=("spec_id", "size"), images_per_second=("images_per_second", "median"))
show(cost.join(by[[*hours.values()]].sum(min_count=1).div(3600).set_axis([*hours], axis=1)))
