"""Other readers on the same files, to stand next to `cargo bench --bench parse`.

    cargo bench --bench parse -- --write /tmp/notebooks
    python benches/parse_peers.py /tmp/notebooks/*  # needs nbformat and marimo
    cargo bench --bench parse -- /tmp/notebooks/*

CPU time of this process, the best of a few rounds. marimo's loader is `load_notebook` and
the compilation of every cell into its graph, nbformat's is `nbformat.read`, which checks the schema.
"""

import json
import sys
import time


def best(action, rounds=3):
    figures = []
    for _ in range(rounds):
        start = time.process_time()
        action()
        figures.append(time.process_time() - start)
        if figures[-1] > 20:
            break
    return min(figures)


def marimo_loader(path):
    from marimo._ast.app import InternalApp
    from marimo._ast.load import load_app

    def run():
        app = load_app(path)
        if app is not None:
            InternalApp(app).graph

    return run


def nbformat_reader(path):
    import nbformat

    return lambda: nbformat.read(path, as_version=4)


def json_reader(path):
    def run():
        with open(path, encoding="utf-8") as file:
            json.load(file)

    return run


def main():
    paths = []
    for argument in sys.argv[1:]:
        if argument.endswith(".txt"):
            with open(argument, encoding="utf-8") as file:
                paths.extend(file.read().split())
        else:
            paths.append(argument)
    groups = {}
    for path in paths:
        readers = {"json.load": json_reader, "nbformat.read": nbformat_reader}
        if path.endswith(".py"):
            readers = {"marimo": marimo_loader}
        with open(path, "rb") as file:
            size = len(file.read())
        for name, make in readers.items():
            try:
                seconds = best(make(path))
            except Exception as error:  # a file that this reader refuses
                print(f"{path}: {name}: {type(error).__name__}", file=sys.stderr)
                continue
            label = name if len(paths) > 20 else f"{name}: {path.rsplit('/', 1)[-1]}"
            total = groups.setdefault(label, [0, 0.0])
            total[0] += size
            total[1] += seconds
    for label, (size, seconds) in groups.items():
        print(f"{label:<40} {size / 1e6:9.2f} MB {seconds * 1e3:10.1f} ms {size / 1e6 / seconds:8.2f} MB/s")


main()
