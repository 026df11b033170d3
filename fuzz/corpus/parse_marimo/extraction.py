# /// script
# dependencies = ["pandas"]
# ///
"""A docstring."""

import marimo as mm

__generated_with = "0.25.2"
app = mm.App(width="full", app_title="T")

with app.setup(hide_code=True):
    import math

    # a comment in the setup cell
    PI = math.pi


@app.function
# between
def area(r: float = PI) -> float:
    """Area."""
    return PI * r**2
    # trailing comment


@app.function(hide_code=True)
@staticmethod
def other():
    return area(2)


@app.class_definition
class Shape:
    sides: int = 0

    def area(self):
        return other()


@app.cell
def one_line(): x = 1


@app.cell
def passing(): pass


@app.cell
def dots(): ...


@app.cell
def returns(): return


@app.cell
def two(): y = 2; return (y,)


@app.cell
def comments_only():
    # just
    # comments
    return


@app.cell
def no_return():
    z = 3
    # trailing

    # more


@app.cell
def no_return_one_line_after():
    z2 = 3
    # glued


@app.cell
def leading():  # on the def line

    # first comment

    a = """
    inside
      deeper
    """
    b = """
  less
    """

    c = f"""
    {a}
    """  # end
    # before return
    return a, b, c


@app.cell
def same_line():
    d = 1; return (d,)


@app.cell
def multi_return():
    e = 1
    return (
        e,
    )


@app.cell

# lines between
def between():
    f1 = 1
    g1 = 2
    return


@app.cell
async def asynchronous(
    mo,
    x,
):
    h = await x
    if h:
        pass
    return (h,)


@app.cell
def nested_return():
    def k():
        return 1
    return k


@app.cell
def tabs():
	t1 = 1
	if t1:
		t2 = 2
	return


@app.cell
def blank_lines():

    u = 1
    
      
    v = 2

    return u, v


@app.cell
def ends_in_block():
    if True:
        ww = 1
        # inside the block
    # outside


app._unparsable_cell(
    r"""
    x = = 1
    """,
    name="broken"
)

app._unparsable_cell(
    """fine = 1""",
    name="_"
)


@app.cell
def _():
    """docstring only"""
    return


@app.cell
def _():
    x_ = "\u00a0 a"
    return


@app.cell
def last(fine):
    fine
    return


if __name__ == "__main__":
    app.run()
