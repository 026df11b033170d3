"""ipywidgets without a front end: keeps the state of every model, for pages that can draw it."""

from __future__ import annotations

import base64
import sys
import types
from typing import TYPE_CHECKING, Any

from nbc_runner.imports import after_import
from nbc_runner.protocol.constants import constants

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeAlias, TypedDict

    from nbc_runner.protocol.messages import Json
    from nbc_runner.session import Result, Session

    # Two ends (model and trait), their values, and whether the link leads both ways.
    Link: TypeAlias = tuple[list[tuple[str, str]], list[Any], bool]

    class Model(TypedDict):
        """A model of ipywidgets, as a front end would have it."""

        state: dict[str, Any]
        buffers: dict[tuple[Any, ...], Any]
        comm: Any
        is_closed: bool


REFERENCE = "IPY_MODEL_"
# Links that lead from one to the next.
MOST_ROUNDS = 10


class Widgets:
    """Models by id; ids are counted, since random ones would differ in every build."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._models: dict[str, Model] = {}
        self._made = 0
        self._capturing: list[Model] = []
        # After the cells nothing but a widget shows what code says, as in JupyterLab.
        self.is_over = False
        self.kernel = types.SimpleNamespace(
            get_parent=lambda *_: {"header": {"msg_id": "nbc"}},
            _parent_header={"header": {"msg_id": "nbc"}},
            session=None,
            comm_manager=None,
            shell=None,
        )

    def install(self) -> None:
        """Sets up `comm`, once the notebook imports it."""
        if "comm" in sys.modules:
            self._set_up(sys.modules["comm"])
        else:
            after_import({"comm": self._set_up})

    def _set_up(self, comm: Any) -> None:
        widgets = self

        class Comm(comm.base_comm.BaseComm):  # type: ignore[misc]
            def __init__(self, *rest: Any, comm_id: str | None = None, **named: Any) -> None:
                if not comm_id:
                    widgets._made += 1
                    comm_id = f"{widgets._made:032x}"
                super().__init__(*rest, comm_id=comm_id, **named)

            def publish_msg(
                self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **_: Any
            ) -> None:
                widgets._take(self, msg_type, data or {}, buffers or ())

        manager = comm.get_comm_manager()
        comm.create_comm = Comm
        comm.get_comm_manager = lambda: manager
        self.kernel.comm_manager = manager

    def _take(self, comm: Any, message: str, data: dict[str, Any], buffers: Sequence[Any]) -> None:
        if message == "comm_close":
            if comm.comm_id in self._models:
                self._models[comm.comm_id]["is_closed"] = True
            return
        if message == "comm_open":
            self._models[comm.comm_id] = {"state": {}, "buffers": {}, "comm": comm, "is_closed": False}
        model = self._models.get(comm.comm_id)
        state = data.get("state")
        if model is None or not isinstance(state, dict):
            return
        paths = data.get("buffer_paths") or ()
        for path, buffer in zip(paths, buffers):
            model["buffers"][tuple(path)] = buffer
        model["state"].update(state)
        if "msg_id" in state and model["state"].get("_model_name") == "OutputModel":
            # `with output:` asks the front end to route what follows into this widget.
            self._session.console.drain()
            self._capturing = [it for it in self._capturing if it is not model]
            if state["msg_id"]:
                self._capturing.append(model)

    # Routing into Output widgets.

    def is_capturing(self) -> bool:
        """Whether a widget takes the outputs that follow."""
        return bool(self._capturing)

    def capture(self, data: dict[Any, Any], metadata: Any) -> bool:
        """Puts a display into the widget that captures; gives whether it went there."""
        if not self._capturing:
            return self.is_over
        self._session.console.drain()
        bundle, left_out = self._session.bundle(data, metadata)
        self._session.leave_out(left_out)
        self._push({"output_type": "display_data", "data": bundle["data"], "metadata": bundle["metadata"]})
        return True

    def capture_text(self, name: str, text: str) -> bool:
        """Puts text into the widget that captures; gives whether it went there."""
        if not self._capturing:
            return self.is_over
        outputs = self._capturing[-1]["state"].get("outputs") or ()
        last = outputs[-1] if outputs else {}
        if last.get("output_type") == "stream" and last.get("name") == name:
            last["text"] += text
            return True
        self._push({"output_type": "stream", "name": name, "text": text})
        return True

    def capture_error(self, problem: BaseException) -> bool:
        """Puts an exception into the widget that captures; gives whether it went there."""
        if not self._capturing:
            return False
        self._session.console.drain()
        name, text = type(problem).__name__, str(problem)
        self._push({"output_type": "error", "ename": name, "evalue": text, "traceback": []})
        return True

    def clear(self) -> bool:
        """Empties the widget that captures; gives whether there is one."""
        if not self._capturing:
            return self.is_over
        self._session.console.drain()
        self._capturing[-1]["state"]["outputs"] = []
        return True

    def _push(self, output: dict[str, Json]) -> None:
        model = self._capturing[-1]
        outputs = [*(model["state"].get("outputs") or ()), output]
        more = len(outputs) - self._session.output_count
        if more > 0:
            self._session.leave_out([{"what": "outputs", "count": more}])
            del outputs[:more]
        model["state"]["outputs"] = outputs

    # State for the page.

    def attach(self, result: Result) -> None:
        """Puts the models that a view shows beside it."""
        for output, id in self._views(result):
            value = {"version_major": 2, "version_minor": 0, "state": self._closure(id, with_caught=True)}
            bundle, left_out = self._session.bundle({constants.widget_state_mime: value})
            bounded, data = bundle["data"], output["bundle"]["data"]
            if (
                constants.widget_state_mime in bounded
                and data.get(constants.widget_state_mime) != bounded[constants.widget_state_mime]
            ):
                data[constants.widget_state_mime] = bounded[constants.widget_state_mime]
                result.changed = True
            left_out = [it for it in output["left_out"] if it.get("mime") != constants.widget_state_mime] + left_out
            if output["left_out"] != left_out:
                output["left_out"] = left_out
                result.changed = True

    def shown(self, result: Result) -> list[str]:
        """Ids of the models that a cell shows."""
        return [id for _, root in self._views(result) for id in self._closure(root)]

    def model(self, id: str) -> dict[str, Any]:
        """The state of a model."""
        return self._models[id]["state"]

    def buffers(self, id: str) -> dict[tuple[Any, ...], Any]:
        """The bytes beside it."""
        return self._models[id]["buffers"]

    def object(self, id: str) -> Any:
        """The widget of a model."""
        return getattr(getattr(self._models[id]["comm"], "_msg_callback", None), "__self__", None)

    def send(self, id: str, state: dict[str, Any]) -> None:
        """Sets what a model says, as a front end does."""
        model = self._models[id]
        model["state"].update(state)
        data = {"method": "update", "state": state, "buffer_paths": []}
        model["comm"].handle_msg({"content": {"data": data}, "buffers": [], "header": {}})

    def linked(self) -> list[Link]:
        """The present values at the ends of links that only a front end follows (`jslink`, `jsdlink`)."""
        ends: list[Link] = []
        for model in self._models.values():
            state = model["state"]
            if state.get("_model_name") in ("LinkModel", "DirectionalLinkModel") and not model["is_closed"]:
                pair = [(str(id)[len(REFERENCE) :], trait) for id, trait in (state["source"], state["target"])]
                if all(id in self._models for id, _ in pair):
                    values = [self._models[id]["state"].get(trait) for id, trait in pair]
                    ends.append((pair, values, state["_model_name"] == "LinkModel"))
        return ends

    def follow_links(self, before: Sequence[Link] = ()) -> None:
        """Takes changes to the other ends of links."""
        values_before = {str(pair): values for pair, values, _ in before}
        for _ in range(MOST_ROUNDS):
            links = [it for it in self.linked() if it[1][0] != it[1][1]]
            for pair, values, is_both in links:
                old = values_before.get(str(pair), values)
                is_back = is_both and old[1] != values[1] and old[0] == values[0]
                id, trait = pair[0 if is_back else 1]
                try:
                    self.send(id, {trait: values[1 if is_back else 0]})
                except Exception:
                    # A refusal of the other end would only be logged.
                    continue
            if not links:
                return

    def _views(self, result: Result) -> Iterator[tuple[dict[str, Any], str]]:
        """The displays that show a widget, and its id."""
        displays = [it for it in result.outputs if it["kind"] == "display"]
        for output in displays:
            view = output["bundle"]["data"].get(constants.widget_view_mime)
            if isinstance(view, dict) and view.get("model_id") in self._models:
                yield output, view["model_id"]

    def _closure(self, root: str, with_caught: bool = False) -> dict[str, Json]:
        """The models that one shows; `with_caught`: also those in `Output` widgets, which are no inputs."""
        found: dict[str, Json] = {}
        waiting = [root]
        while waiting:
            name = waiting.pop()
            model = self._models.get(name)
            if model is None or name in found:
                continue
            state = {key: value for key, value in model["state"].items() if key != "msg_id"}
            found[name] = {
                "model_name": state.get("_model_name"),
                "model_module": state.get("_model_module"),
                "model_module_version": state.get("_model_module_version"),
                "state": state,
            }
            if model["buffers"]:
                found[name]["buffers"] = [
                    {"path": list(path), "encoding": "base64", "data": base64.b64encode(bytes(buffer)).decode("ascii")}
                    for path, buffer in model["buffers"].items()
                ]
            waiting.extend(_references(state))
            if with_caught:
                waiting.extend(_caught(state))
        return found


def _references(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value[len(REFERENCE) :]] if value.startswith(REFERENCE) else []
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [found for item in value for found in _references(item)]
    return []


def _caught(state: dict[str, Any]) -> list[str]:
    """Ids of the models that views among the outputs of an `Output` widget show."""
    outputs = state.get("outputs")
    if not isinstance(outputs, (list, tuple)):
        return []
    bundles = [it.get("data") for it in outputs if isinstance(it, dict)]
    views = [it.get(constants.widget_view_mime) for it in bundles if isinstance(it, dict)]
    return [str(it["model_id"]) for it in views if isinstance(it, dict) and "model_id" in it]
