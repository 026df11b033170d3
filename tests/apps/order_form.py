"""Nothing happens before a reader sends the form, presses the button or runs the calculation."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Order")


@app.cell
def _():
    import marimo as mo

    return (mo,)


@app.cell
def _(mo):
    pizza = (
        mo.md("A pizza of size {size}, baked {crust}; {extra}")
        .batch(
            size=mo.ui.slider(20, 40, step=10, value=30, label="Size"),
            crust=mo.ui.radio(["soft", "crisp"], value="soft", label="Crust"),
            extra=mo.ui.checkbox(label="more cheese"),
        )
        .form(submit_button_label="Order it")
    )
    pizza
    return (pizza,)


@app.cell
def _(mo, pizza):
    mo.stop(pizza.value is None, mo.md("_Nothing is ordered._"))
    _price = pizza.value["size"] * 0.3 + 1.5 * pizza.value["extra"]
    mo.md(f"Ordered: {pizza.value['size']} cm, {pizza.value['crust']}, for **{_price:.2f} €**.")
    return


@app.cell
def _(mo):
    bell = mo.ui.button(value=0, on_click=lambda count: count + 1, label="Ring the bell", kind="success")
    people = mo.ui.slider(1, 3, label="People")
    split = mo.ui.run_button(label="Split the bill")
    mo.vstack([bell, people, split])
    return bell, people, split


@app.cell
def _(bell, mo):
    mo.md("Somebody comes." if bell.value else "It is quiet.")
    return


@app.cell
def _(mo, people, split):
    mo.stop(not split.value, "Press to split.")
    mo.md(f"Each of {people.value} pays {60 / people.value:.2f} €.")
    return


if __name__ == "__main__":
    app.run()
