// An anywidget without Python: values change in the page and are sent nowhere.

// The model of a widget: values with names, and handlers of their changes.
export const modelOf = (state) => {
  const handlers = new Map();
  const tell = (event, ...values) => [...(handlers.get(event) ?? [])].forEach((it) => it(...values));
  const model = {
    get: (name) => state[name],
    set(name, value) {
      const changes = typeof name === 'object' ? name : { [name]: value };
      for (const [key, it] of Object.entries(changes)) {
        state[key] = it;
        tell(`change:${key}`, model, it);
      }
      tell('change', model);
    },
    save_changes() {},
    send() {},
    on(events, handler) {
      for (const event of events.split(/\s+/)) handlers.set(event, [...(handlers.get(event) ?? []), handler]);
    },
    once(event, handler) { this.on(event, handler); },
    off(event, handler) {
      if (!event) handlers.clear();
      else handlers.set(event, handler ? (handlers.get(event) ?? []).filter((it) => it !== handler) : []);
    },
    widget_manager: { get_model: () => Promise.reject(new Error('an island holds one widget')) },
  };
  return model;
};

// Puts the buffers of a widget where its state names them.
export const withBuffers = (state, buffers) => {
  for (const { path, data } of buffers) {
    const bytes = Uint8Array.from(atob(data), (it) => it.charCodeAt(0));
    const target = path.slice(0, -1).reduce((it, key) => it?.[key], state);
    if (target) target[path.at(-1)] = new DataView(bytes.buffer);
  }
  return state;
};

export const show = async (code, { state, buffers }) => {
  const model = modelOf(withBuffers(state, buffers));
  const experimental = { invoke: () => Promise.reject(new Error('there is no Python here')) };
  const hooks = typeof code.default === 'function' ? await code.default() : code.default ?? code;
  await hooks.initialize?.({ model, experimental });
  await (hooks.render ?? code.render)?.({ model, el: document.getElementById('nbc-widget'), experimental });
};
