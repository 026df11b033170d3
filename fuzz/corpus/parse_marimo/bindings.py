import marimo

__generated_with = "0.25.2"
app = marimo.App()


@app.cell
def _():
    import a0.b.c
    return

@app.cell
def _():
    import a1.b as c1
    return

@app.cell
def _():
    import a2 as _a
    return

@app.cell
def _():
    import _p
    return

@app.cell
def _():
    from m import _b
    return

@app.cell
def _():
    from m import q as _q
    return

@app.cell
def _():
    from __future__ import annotations
    return

@app.cell
def _():
    x3 += 1
    return

@app.cell
def _():
    x4: T4
    return

@app.cell
def _():
    x5: "T5"
    return

@app.cell
def _():
    x6: T6 = v6
    return

@app.cell
def _():
    x7 = x7
    return

@app.cell
def _():
    print(x8); x8 = 1
    return

@app.cell
def _():
    def f9(): return x9
    x9 = 1
    return

@app.cell
def _():
    g10 = lambda: x10
    x10 = 2
    return

@app.cell
def _():
    l11 = [x11 for _ in y11]
    x11 = 3
    return

@app.cell
def _():
    class C12:
        a = x12
    x12 = 1
    return

@app.cell
def _():
    def f13(a=x13): pass
    x13 = 1
    return

@x14
def f14(): pass
x14 = 1

@app.cell
def _():
    x15 = [x15 for x15 in x15]
    return

@app.cell
def _():
    if (w16 := v16): pass
    return

@app.cell
def _():
    l17 = [w17 := i for i in v17]
    return

@app.cell
def _():
    def f18():
        w18 = (w19 := 1)
        return w18, w19
    return

@app.cell
def _():
    for i20 in i20: pass
    return

@app.cell
def _():
    with open(p21) as (h21, k21): pass
    return

@app.cell
def _():
    a22, *b22 = [c22, d22] = e22
    return

@app.cell
def _():
    (a23.b, c23[i23]) = v23
    return

@app.cell
def _():
    match s24:
        case {"k": v24, **r24}: pass
        case [h24, *t24]: pass
        case K24(a=q24) | [q24]: pass
        case str() as n24 if n24 > g24: pass
        case m24.X: pass
    return

@app.cell
def _():
    if c25:
        import z25
    else:
        z25 = None
    return

@app.cell
def _():
    try:
        import z26
    except ImportError:
        z26 = 1
    else:
        e26 = 1
    finally:
        f26 = 1
    return

@app.cell
def _():
    try:
        pass
    except E27 as e27:
        print(e27); e27 = 2
    e27
    return

@app.cell
def _():
    try:
        pass
    except* E28 as e28:
        e28

    return

@app.cell
def _():
    del x29
    return

@app.cell
def _():
    x30 = 1; del x30
    return

@app.cell
def _():
    def f31():
        del x31
    return

@app.cell
def _():
    def f32():
        x32 = 1
        del x32
    return

@app.cell
def _():
    x33.y = 1
    return

@app.cell
def _():
    x34[0] = 1
    return

@app.cell
def _():
    async with a35 as b35:
        pass
    async for i35 in j35:
        pass
    await k35
    return

@app.cell
def _():
    print = 1
    return

@app.cell
def _():
    __x37 = 1
    return

@app.cell
def _():
    _x38 = 1
    _x38 + _y38
    return

@app.cell
def _():
    __ = 1
    return

@app.cell
def _():
    ___ = 1
    return

@app.cell
def _():
    ﬁ41 = 1
    return

@app.cell
def _():
    x42 = y42 = z42
    return

@app.cell
def _():
    x43: list[T43] = []; x43[0]: U43 = 1
    return


if __name__ == "__main__":
    app.run()
