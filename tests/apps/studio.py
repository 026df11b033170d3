"""Controls in arrays, dictionaries and batches, and these in one another."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Studio")


@app.cell
def _():
    import marimo as mo

    return (mo,)


@app.cell
def _(mo):
    lamps = mo.ui.array([mo.ui.switch(label=f"Lamp {_n}") for _n in (1, 2, 3)], label="Lamps")
    lamps
    return (lamps,)


@app.cell
def _(lamps, mo):
    mo.md(f"{sum(lamps.value)} of {len(lamps.value)} lamps are on: {''.join('●' if _it else '○' for _it in lamps.value)}")
    return


@app.cell
def _(mo):
    camera = mo.ui.dictionary({
        "film": mo.ui.dropdown(["colour", "grey"], value="colour", label="Film"),
        "lens": mo.ui.dictionary({
            "aperture": mo.ui.slider(steps=[2.8, 4, 8], value=4, label="Aperture"),
            "filters": mo.ui.array([mo.ui.checkbox(label="Polar"), mo.ui.checkbox(label="Red")]),
        }),
    })
    camera
    return (camera,)


@app.cell
def _(camera, mo):
    _lens = camera.value["lens"]
    _names = [_name for _name, _on in zip(("polar", "red"), _lens["filters"]) if _on]
    mo.md(f"{camera.value['film']} film at f/{_lens['aperture']}, filters: {', '.join(_names) or 'none'}")
    return


@app.cell
def _(mo):
    frame = mo.md("Width {width} cm, height {height} cm").batch(
        width=mo.ui.number(10, 30, step=10, value=20), height=mo.ui.number(10, 20, step=10, value=10)
    )
    frame
    return (frame,)


@app.cell
def _(frame):
    print("cut", frame.value["width"] * 2 + frame.value["height"] * 2, "cm of wood")
    return


if __name__ == "__main__":
    app.run()
