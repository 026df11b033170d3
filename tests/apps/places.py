"""Controls made by cells that depend on controls, three deep, with rows of a table as one of them."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Places")


@app.cell
def _():
    import marimo as mo

    PLACES = {
        "Norway": {"Oslo": ["Opera", "Fram"], "Bergen": ["Bryggen"]},
        "Peru": {"Lima": ["Huaca", "Larco", "Barranco"], "Cusco": ["Qorikancha", "San Pedro"]},
    }
    return PLACES, mo


@app.cell
def _(PLACES, mo):
    country = mo.ui.radio(list(PLACES), value="Norway", label="Country")
    country
    return (country,)


@app.cell
def _(PLACES, country, mo):
    city = mo.ui.dropdown(list(PLACES[country.value]), value=list(PLACES[country.value])[0], label="City")
    mo.ui.tabs({"About": mo.md(f"Cities of {country.value}"), "Choose": city})
    return (city,)


@app.cell
def _(PLACES, city, country, mo):
    _sights = PLACES[country.value][city.value]
    sight = mo.ui.table([{"sight": _it, "letters": len(_it)} for _it in _sights], selection="multi", label="Sights")
    days = mo.ui.slider(1, len(_sights), label="Days", disabled=False)
    mo.vstack([sight, days])
    return days, sight


@app.cell
def _(city, mo, sight):
    _chosen = ", ".join(it["sight"] for it in sight.value)
    mo.md(f"In {city.value} to **{_chosen}**." if sight.value else f"{city.value}: no sight chosen.")
    return


@app.cell
def _(city, days, mo):
    mo.md(f"{days.value} days in {city.value}")
    return


if __name__ == "__main__":
    app.run()
