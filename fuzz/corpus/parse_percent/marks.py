# %%
x = """
# %%
"""
# %% Name {"a": 1}
#%%
# + active="ipynb"
# -
