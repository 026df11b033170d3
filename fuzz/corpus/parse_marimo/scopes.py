import marimo

__generated_with = "0.25.2"
app = marimo.App()


@app.cell
def _():
    def f0(a, /, b: T0 = d0, *c: U0, k=e0, **o) -> R0:
        return a + b + c + k + o + g0
    return

@app.cell
def _():
    def f1():
        print(x1)
        x1 = 1
    return

@app.cell
def _():
    def f2():
        global x2
        x2 = 1
    return

@app.cell
def _():
    def f3():
        global x3
        return x3
    return

@app.cell
def _():
    global x4
    x4 = 1
    return

@app.cell
def _():
    def f5():
        global _x5
        _x5 = 1
    return

@app.cell
def _():
    def f6():
        def g6():
            nonlocal x6
            x6 = 2
        x6 = 1
        return g6
    return

@app.cell
def _():
    class C7(B7, metaclass=M7):
        a: T7 = 1
        b = a
        def m(self):
            return a, b, m, z7
        def n(self): return m
    return

@app.cell
def _():
    class C8:
        def x8(self): return y8
        z8 = x8
    x8 = 1
    return

@app.cell
def _():
    class C9:
        def m(self): return x9
        def x9(self): pass
    return

@app.cell
def _():
    class C10:
        x10 = lambda self: y10
    y10 = 1
    return

@d11(a11)
class C11: pass

@f12
def f12(): pass

@app.cell
def _():
    def f13(f13): return f13
    return

@app.cell
def _():
    def _f14(): return _f14() + _x14
    _x14 = 1
    return

@app.cell
def _():
    _g15 = lambda _a: _a + _b15
    return

@app.cell
def _():
    lambda x16=x16: x16 + y16
    return

@app.cell
def _():
    [a17 for a17 in b17 if a17 if c17 for d17 in a17]
    return

@app.cell
def _():
    {k18: v18 for k18, v18 in i18}
    return

@app.cell
def _():
    {a19 for a19 in (b19 for b19 in c19)}
    return

@app.cell
def _():
    [[w20 := a20 for a20 in b20] for b20 in c20]
    return

@app.cell
def _():
    def f21():
        return [w21 := a for a in b21], w21
    return

@app.cell
def _():
    def f22(x22):
        return [x22 for _ in range(2)], (lambda: x22)
    return

@app.cell
def _():
    def f23():
        import m23
        from n23 import o23 as p23
        return m23, p23
    return

@app.cell
def _():
    f"{a24!r:>{w24}} {b24 + 1}"
    return

@app.cell
def _():
    x25 = 1
    def f25():
        x25 = 2
        return x25
    return

@app.cell
def _():
    def outer26():
        def inner26():
            return y26
        y26 = 1
        return inner26
    return

@app.cell
def _():
    def r27(): return r27()
    return

@app.cell
def _():
    class C28:
        def m(self) -> "C28": return C28()
    return

@app.cell
def _():
    def f29():
        class D29(f29): pass
        return D29
    return

@app.cell
def _():
    def f30(a=lambda: x30): pass
    x30 = 1
    return

@app.cell
def _():
    while (w31 := n31()):
        break
    else:
        z31 = w31
    return

@app.cell
def _():
    def f32(*, a=b32, c=d32): pass
    return

@app.cell
def _():
    def f33():
        try:
            pass
        except E33 as e:
            return e
        return e
    return

@app.cell
def _():
    async def f34():
        async with a34 as b:
            await b
        return [x async for x in c34]
    return

@app.cell
def _():
    def _f35():
        def _g(): return _g() + _f35()
        return _g
    return

@app.cell
def _():
    x36 = (y36 := 1) + y36
    return

@app.cell
def _():
    print(y37 := 1, y37)
    return

@app.cell
def _():
    x38 = {**a38, "b": c38, d38: e38}
    return

@app.cell
def _():
    a39 < b39 < c39 if d39 else e39
    return

@app.cell
def _():
    x40[a40:b40:c40]
    return

@app.cell
def _():
    assert a41, b41
    raise a42 from b42
    return

@app.cell
def _():
    def f43():
        from os import path as _p
        return _p
    from os import path as _p
    return

@app.cell
def _():
    def f44(_a): return _a
    _a = 1
    return

@app.cell
def _():
    for _i in range(3): z45 = _i
    return

@app.cell
def _():
    with a46 as _b46: _b46.c
    return


if __name__ == "__main__":
    app.run()
