# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
# ---

# %% [markdown]
# # Title
#
# text

# %% [raw] tags=["a"]
# raw

# %% {"tags": ["hide-input"]}
# %matplotlib inline
# !ls
x = 1

# %% Load it
# %%bash
# for i in 1 2; do echo $i; done

# %%
"""
# %%
"""
x = 5
 {"a": b]

# ,f
