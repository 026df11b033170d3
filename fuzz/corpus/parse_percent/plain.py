# ---
# jupyter:
#   jupytext:
#     text_representation:
#       format_name: percent
#   kernelspec:
#     name: python3
# ---

# %% [markdown]
# # Title

# %% tags=["hide-input"]
a = 1
# !ls

# %%
# %time b = a

# %% [raw]
# x
