"""Dates in tabs: what stands in a hidden tab is alive, and which tab is open is a value."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="Trip")


@app.cell
def _():
    import datetime

    import marimo as mo

    return datetime, mo


@app.cell
def _(datetime, mo):
    _may = lambda day: datetime.date(2026, 5, day)
    day = mo.ui.date(start=_may(28), stop=_may(31), value=_may(29), label="Day")
    stay = mo.ui.date_range(start=_may(1), stop=_may(4), value=(_may(2), _may(3)), label="Nights")
    guests = mo.ui.slider(1, 3, value=2, label="Guests", include_input=True, full_width=True)
    # Made in the same cell: a change of these does not make the tabs anew, which would open the first one.
    plan = mo.ui.tabs({
        "Day trip": mo.vstack([mo.md("Back home in the evening."), day]),
        "Holiday": mo.vstack([mo.md("A room by the sea."), stay, guests]),
    })
    plan
    return day, guests, plan, stay


@app.cell
def _(mo, plan):
    mo.md(f"Chosen: **{plan.value}**")
    return


@app.cell
def _(day, mo):
    mo.md(f"The train leaves on {day.value:%A, %d %B}.")
    return


@app.cell
def _(guests, mo, stay):
    _nights = (stay.value[1] - stay.value[0]).days
    mo.md(f"{_nights} nights for {guests.value}: {_nights * (40 + 25 * guests.value)} €, from {stay.value[0]}.")
    return


if __name__ == "__main__":
    app.run()
