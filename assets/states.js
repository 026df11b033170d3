// Inputs that work without a kernel. The build ran the notebook for every value that a reader can choose; this
// script finds the outputs of the chosen values and puts them into place. Only pages with states load it.
//
// A model names the widgets and holds, for each cell that they reach (a slot), a trie from values to contents.
// Contents are packed into chunks. All of it was checked by the build; nothing here makes code from strings.
(async () => {
  'use strict';
  const holders = new Map([...document.querySelectorAll('[data-states]')].map((it) => [it.dataset.states, it]));
  if (!holders.has('model')) return;

  // The one policy by which strings become markup. `innerHTML` as the browser has it: `charts.js` may wrap it later.
  const policy = window.trustedTypes?.createPolicy('nbc-states', { createHTML: (html) => html })
    ?? { createHTML: (html) => html };
  const { set: setMarkup } = Object.getOwnPropertyDescriptor(Element.prototype, 'innerHTML');

  const make = (name, properties, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  const unpacked = async (holder) => {
    let bytes;
    if (holder.dataset.src) {
      const { src, integrity } = holder.dataset;
      const answer = await fetch(new URL(src, document.baseURI), { integrity });
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      bytes = new Uint8Array(await answer.arrayBuffer());
    } else {
      const text = atob(holder.textContent.trim());
      bytes = new Uint8Array(text.length);
      for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
    }
    // Some hosts unpack what they send.
    if (bytes[0] !== 0x1f) return JSON.parse(new TextDecoder().decode(bytes));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).json();
  };

  // Tables as the build made them, before scripts add to them.
  const built = new WeakMap();
  const keep = (root) => {
    for (const it of root.querySelectorAll('[data-widget]')) if (it.querySelector('table')) built.set(it, it.cloneNode(true));
  };
  keep(document);

  const { widgets, slots: tries, chunks: sizes } = await unpacked(holders.get('model'));

  // Values ---------------------------------------------------------------------------------------------------
  // A value is an index. What a control shows is the draft; it counts at once, in a form when it is submitted.
  const first = (w) => widgets[w].initial ?? 0;
  const draft = widgets.map((_, w) => first(w));
  const values = [...draft];
  const owners = widgets.map(() => []);
  widgets.forEach(({ parts = [] }, w) => parts.forEach((it) => owners[it].push(w)));

  const isForm = (w) => widgets[w].kind === 'form';
  const below = (w) => [w, ...(widgets[w].parts ?? []).flatMap(below)];
  const above = (w) => [w, ...owners[w].flatMap(above)];
  const formOf = (w) => above(w).slice(1).find(isForm);
  const size = (w) => {
    const { kind, values: all, parts } = widgets[w];
    if (kind !== 'group' && kind !== 'form') return all.length;
    return (parts ?? []).reduce((product, it) => product * size(it), 1) + (isForm(w) ? 1 : 0);
  };
  const indexOf = (w, from) => {
    const { kind, parts = [] } = widgets[w];
    return kind === 'group' ? parts.reduce((sum, it) => sum * size(it) + indexOf(it, from), 0) : from[w];
  };

  let changed = new Set();
  const put = (w, index) => {
    if (values[w] === index && draft[w] === index) return;
    values[w] = draft[w] = index;
    above(w).forEach((it) => changed.add(it));
  };
  const settle = (w) => {
    const around = above(w);
    for (const it of below(w)) { values[it] = draft[it]; changed.add(it); }
    for (const it of around) changed.add(it);
    // Inputs that its cells make anew start again.
    for (const it of around) for (const other of widgets[it].resets ?? []) below(other).forEach((one) => put(one, first(one)));
    // A press lasts until something else changes; outputs that only the press reaches stay.
    widgets.forEach(({ kind }, it) => { if (kind === 'run_button' && it !== w) values[it] = draft[it] = 0; });
  };

  // Contents -------------------------------------------------------------------------------------------------
  const starts = sizes.map((_, at) => sizes.slice(0, at).reduce((sum, it) => sum + it, 0));
  const loaded = [];
  const loading = [];
  const load = (chunk) => {
    loading[chunk] ??= unpacked(holders.get(String(chunk))).then(
      (contents) => { loaded[chunk] = contents; },
      (problem) => { loading[chunk] = undefined; throw problem; },
    );
    return loading[chunk];
  };
  const chunkOf = (content) => starts.findLastIndex((it) => it <= content);
  // One at a time, when the browser has nothing to do, and not without end: all of it stays in memory.
  const prefetch = (chunk = 0) => {
    if (chunk >= Math.min(sizes.length, 64) || navigator.connection?.saveData) return;
    const later = window.requestIdleCallback ?? ((task) => setTimeout(task, 200));
    later(() => load(chunk).then(() => prefetch(chunk + 1), () => {}));
  };

  // Slots ----------------------------------------------------------------------------------------------------
  const mentioned = (trie) => {
    const found = new Set();
    const visit = (node) => { if (Array.isArray(node)) { found.add(node[0]); node[1].forEach(visit); } };
    visit(trie);
    return found;
  };
  const find = (node) => {
    while (Array.isArray(node)) node = node[1][indexOf(node[0], values)];
    return node ?? null;
  };
  const slots = [];
  for (const element of document.querySelectorAll('.nbc-slot')) {
    const trie = tries[element.dataset.slot];
    if (trie === undefined) continue;
    const content = find(trie);
    slots.push({ element, trie, widgets: mentioned(trie), wanted: content, shown: content, sheet: null });
  }

  const place = (slot) => {
    const content = find(slot.trie);
    if (content === slot.wanted) return 0;
    slot.wanted = content;
    const chunk = content === null ? 0 : chunkOf(content);
    if (content === slot.shown) slot.element.removeAttribute('aria-busy');
    else if (content === null) swap(slot, 'This state was not computed.');
    else if (loaded[chunk]) swap(slot);
    else {
      slot.element.setAttribute('aria-busy', 'true');
      // The last choice is shown, whichever chunk arrives last.
      const isWanted = () => slot.wanted === content && slot.shown !== content;
      load(chunk).then(
        () => { if (isWanted()) swap(slot); },
        () => { if (isWanted()) swap(slot, 'This state could not be loaded.'); },
      );
    }
    return 1;
  };

  const swap = (slot, message) => {
    const { element, wanted } = slot;
    const [html, css, charts] = message ? ['', ''] : loaded[chunkOf(wanted)][wanted - starts[chunkOf(wanted)]];
    const focus = focused(element);
    if (!slot.sheet) {
      slot.sheet = new CSSStyleSheet();
      document.adoptedStyleSheets = [...document.adoptedStyleSheets, slot.sheet];
    }
    slot.sheet.replaceSync(css);
    if (message) element.replaceChildren(make('p', { className: 'nbc-note', textContent: message }));
    else {
      const template = document.createElement('template');
      setMarkup.call(template, policy.createHTML(html));
      keep(template.content);
      patch(element, template.content);
    }
    element.removeAttribute('aria-busy');
    // A state that failed to load may be tried again.
    slot.shown = message && wanted !== null ? undefined : wanted;
    if (slot.shown === undefined) slot.wanted = undefined;
    bind(element);
    focus();
    element.dispatchEvent(new CustomEvent('nbc-shown', { bubbles: true, detail: charts }));
  };

  // Position of the focus in an output, so that it can go to the same place of the next one.
  const focused = (element) => {
    const active = document.activeElement;
    if (!element.contains(active) || active === element) return () => {};
    const reachable = 'a[href], button, input, select, textarea, summary, [tabindex]';
    const key = active.closest('[data-widget]')?.dataset.widget;
    const place = () => [...((key && element.querySelector(`[data-widget="${key}"]`)) || element).querySelectorAll(reachable)];
    const at = place().indexOf(active);
    return () => {
      if (element.contains(document.activeElement)) return;
      element.tabIndex = -1;
      (place()[at] ?? element).focus({ preventScroll: true });
    };
  };

  // Patches elements in place: an input under the reader's hand, the focus and what is scrolled stay as they are.
  const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE
    ? node.dataset.widget ?? node.querySelector('[data-widget]')?.dataset.widget : undefined);
  const patch = (old, next) => {
    const wanted = [...next.childNodes];
    const keys = new Set(wanted.map(keyOf));
    for (const it of [...old.childNodes]) if (!keys.has(keyOf(it)) && keyOf(it) !== undefined) it.remove();
    let at = old.firstChild;
    for (const node of wanted) {
      const key = keyOf(node);
      let match = at;
      if (key !== undefined) while (match && keyOf(match) !== key) match = match.nextSibling;
      else if (match && keyOf(match) !== undefined) match = null;
      if (!match) { old.insertBefore(node, at); continue; }
      while (at !== match) { const gone = at; at = at.nextSibling; gone.remove(); }
      at = match.nextSibling;
      patchNode(match, node);
    }
    while (at) { const gone = at; at = at.nextSibling; gone.remove(); }
  };
  const patchNode = (old, node) => {
    const isElement = node.nodeType === Node.ELEMENT_NODE;
    if (old.nodeName !== node.nodeName || (isElement && old.dataset.widget !== node.dataset.widget)) old.replaceWith(node);
    else if (!isElement) { if (old.data !== node.data) old.data = node.data; }
    else if (bound.has(old) && !holds(old)) {
      // A table may have other rows in another state.
      if (built.has(old) && !built.get(old).isEqualNode(node)) old.replaceWith(node);
    } else if (old.matches('svg, math, table[data-tools]')) { if (!old.isEqualNode(node)) old.replaceWith(node); }
    else if (old.dataset.chart !== node.dataset.chart) old.replaceWith(node);
    else {
      // A drawing stays until `charts.js` has drawn its successor.
      const isChart = node.matches('figure[data-chart]');
      const isOurs = (name) => (old.nodeName === 'DETAILS' && name === 'open') || (enabled.has(old) && name === 'disabled')
        || (isChart && name === 'data-state');
      for (const { name } of [...old.attributes]) if (!node.hasAttribute(name) && !isOurs(name)) old.removeAttribute(name);
      for (const { name, value } of node.attributes) {
        if (old.getAttribute(name) !== value && !isOurs(name)) old.setAttribute(name, value);
      }
      if (isChart) old.firstChild.replaceChildren(...node.firstChild.childNodes); else patch(old, node);
    }
  };

  // Controls -------------------------------------------------------------------------------------------------
  const bound = new WeakMap();
  const enabled = new WeakSet();
  const holds = (live) => ['tabs', 'group', 'form'].includes(widgets[live.dataset.widget].kind);
  const own = (live, selector) => [...live.querySelectorAll(selector)].filter((it) => it.closest('[data-widget]') === live);
  const enable = (control) => { control.disabled = false; enabled.add(control); };
  const titleOf = (live, w) => own(live, '.nbc-widget-label')[0]?.textContent.trim() || widgets[w].name || '';
  const hint = (live, text) => {
    let [place] = own(live, '.nbc-widget-hint');
    if (!place && text) {
      place = make('span', { className: 'nbc-widget-hint', ariaLive: 'polite' });
      (own(live, '.nbc-widget')[0] ?? live).append(place);
    }
    if (place && place.textContent !== text) place.textContent = text;
  };
  const nearest = (items, distance) => {
    const distances = items.map(distance);
    return distances.indexOf(Math.min(...distances));
  };
  const fill = (input) => {
    const { min, max, value } = input;
    input.style.setProperty('--nbc-fill', `${max > min ? (100 * (value - min)) / (max - min) : 0}%`);
  };
  // With marimo's `debounce` a value counts when the reader lets go.
  const isPatient = (live) => own(live, '.nbc-widget-debounced').length > 0;
  const options = (live, w, select) => {
    select.replaceChildren(...widgets[w].labels.map((label, at) => make('option', { value: at, textContent: label || '—' })));
    select.addEventListener('change', () => set(w, Number(select.value)));
    return () => { select.value = draft[w]; };
  };
  // Two ends, of numbers or dates: the end that the reader moved is kept, the other follows.
  const pair = (w, wanted, moved, number) => {
    const ends = wanted.map(number);
    if (ends[0] > ends[1]) ends[1 - moved] = ends[moved];
    const away = (value, at) => Math.abs(number(value[at]) - ends[at]);
    const scale = 1 + Math.max(...widgets[w].values.map((it) => away(it, 1 - moved)));
    return nearest(widgets[w].values, (it) => away(it, moved) * scale * scale + away(it, 1 - moved));
  };

  // Boxes of which some are chosen: a set that was not computed goes to the nearest that has what was clicked.
  const subset = (live, w, root, boxes, sets) => {
    for (const box of boxes) {
      if (!sets.some((it) => it.includes(box.value))) Object.assign(box, { disabled: true, title: 'Not computed' });
    }
    const show = () => { for (const box of boxes) box.checked = sets[draft[w]].includes(box.value); };
    root.addEventListener('change', ({ target }) => {
      if (!boxes.includes(target)) return;
      const chosen = boxes.filter((it) => it.checked).map((it) => it.value);
      const more = (of, than) => of.filter((it) => !than.includes(it)).length;
      const index = nearest(sets, (it) => (it.includes(target.value) === target.checked ? 0 : 1e6)
        + 2 * more(chosen, it) + 2.5 * more(it, chosen));
      const isExact = more(chosen, sets[index]) + more(sets[index], chosen) === 0;
      set(w, index);
      show();
      const note = 'That choice was not computed; this is the nearest that was.';
      hint(live, isExact ? sampled(w) : `${note} ${sampled(w)}`);
      if (!isExact) tell(note);
    });
    return show;
  };

  // A field of numbers: what is typed goes to the nearest value.
  const typed = (w, input, all) => {
    const numbers = all.filter((it) => it !== null);
    const ordered = [...numbers].sort((a, b) => a - b);
    const step = ordered[1] - ordered[0];
    const isEven = ordered.every((it, at) => Math.abs(it - ordered[0] - at * step) < step * 1e-6);
    Object.assign(input, { min: ordered[0], max: ordered.at(-1), step: isEven ? Number(step.toPrecision(12)) : 'any' });
    const show = () => { input.value = all[draft[w]] ?? ''; };
    const act = () => {
      const empty = all.indexOf(null);
      if (input.value !== '') set(w, nearest(all, (it) => (it === null ? Infinity : Math.abs(it - input.valueAsNumber))));
      else if (empty >= 0) set(w, empty);
      show();
    };
    // The arrows go from value to value, however far apart those are; what is typed waits until it is whole.
    input.addEventListener('input', (event) => {
      if ((event.inputType && event.inputType !== 'insertReplacementText') || input.value === '' || all[draft[w]] === null) return;
      const up = input.valueAsNumber > all[draft[w]];
      const next = ordered[ordered.indexOf(all[draft[w]]) + (up ? 1 : -1)];
      if (next !== undefined) set(w, all.indexOf(next));
      show();
    });
    input.addEventListener('change', act);
    return show;
  };

  // Each takes the markup of one control and gives back what shows the current value.
  const binders = {
    slider(live, w) {
      const { labels, name } = widgets[w];
      const [input] = own(live, 'input');
      const [text] = own(live, '.nbc-widget-value');
      const title = titleOf(live, w);
      // The text of the value stands in the label too, and would be read twice.
      input.setAttribute('aria-label', own(live, '.nbc-hidden-label')[0] && name ? name : title);
      Object.assign(input, { min: 0, max: labels.length - 1, step: 1 });
      const tell = (at) => {
        input.setAttribute('aria-valuetext', labels[at]);
        if (text) text.textContent = labels[at];
        fill(input);
      };
      const waits = isPatient(live);
      input.addEventListener('input', () => { if (waits) tell(input.value); else set(w, Number(input.value), false); });
      input.addEventListener('change', () => set(w, Number(input.value)));
      // marimo's `include_input`.
      let show = () => {};
      const numbers = labels.map(Number);
      if (own(live, '.nbc-widget-typed')[0] && numbers.every(Number.isFinite)) {
        const field = make('input', { type: 'number', ariaLabel: `${title}, as a number` });
        (text ?? input).after(field);
        show = typed(w, field, numbers);
      }
      return () => { input.value = draft[w]; tell(draft[w]); show(); };
    },
    range(live, w) {
      const { values: pairs, labels } = widgets[w];
      const inputs = own(live, 'input');
      const [text] = own(live, '.nbc-widget-value');
      const waits = isPatient(live);
      const ends = [...new Set(pairs.flat())].sort((a, b) => a - b);
      // `1 – 5` names both ends; with steps they are indices, and only the label knows their names.
      const names = new Map();
      pairs.forEach((it, at) => {
        const parts = labels[at].split(' – ');
        it.forEach((end, side) => names.set(end, parts.length === 2 ? parts[side] : String(end)));
      });
      const frame = make('span', { className: 'nbc-range' });
      inputs[0].before(frame);
      frame.append(...inputs);
      // Both inputs lie on one line and only their thumbs take the pointer: beside them, the nearer one comes.
      frame.addEventListener('click', ({ target, clientX }) => {
        if (target !== frame) return;
        const { left, width } = frame.getBoundingClientRect();
        const part = (clientX - left - 9) / (width - 18);
        const at = (ends.length - 1) * (getComputedStyle(frame).direction === 'rtl' ? 1 - part : part);
        const side = nearest(inputs, (it) => Math.abs(it.value - at));
        inputs[side].value = Math.round(at);
        inputs[side].focus();
        inputs[side].dispatchEvent(new Event('change'));
      });
      inputs.forEach((input, side) => {
        Object.assign(input, { min: 0, max: ends.length - 1, step: 1 });
        const act = (isFinal) => set(w, pair(w, inputs.map((it) => ends[it.value]), side, Number), isFinal);
        input.addEventListener('input', () => { if (!waits) act(false); });
        input.addEventListener('change', () => act(true));
      });
      return () => {
        inputs.forEach((input, side) => {
          const end = pairs[draft[w]][side];
          input.value = ends.indexOf(end);
          input.setAttribute('aria-valuetext', names.get(end));
          fill(input);
          frame.style.setProperty(side ? '--nbc-to' : '--nbc-from', input.style.getPropertyValue('--nbc-fill'));
        });
        // When both thumbs meet at the end, the lower one must be on top to be moved at all.
        inputs[0].style.zIndex = Number(inputs[0].value) > (ends.length - 1) / 2 ? 1 : 0;
        if (text) text.textContent = labels[draft[w]];
      };
    },
    number: (live, w) => typed(w, own(live, 'input')[0], widgets[w].values),
    choice: (live, w) => options(live, w, own(live, 'select')[0]),
    // A text has no range: the values that the author named are a choice.
    text(live, w) {
      const [input] = own(live, 'input, textarea');
      const select = make('select');
      input.replaceWith(select);
      return options(live, w, select);
    },
    multi(live, w) {
      const { values: sets } = widgets[w];
      const [select] = own(live, 'select');
      const [row] = own(live, '.nbc-widget-row');
      const boxes = [...select.options].map((it) => make('input', { type: 'checkbox', value: it.textContent }));
      const list = make('span', { className: 'nbc-widget-options' }, ...boxes.map((box) => make('label', { className: 'nbc-widget-option' }, box, ` ${box.value}`)));
      select.remove();
      // A label holds one control only.
      const group = make('div', { className: 'nbc-widget-row', role: 'group' }, ...row.childNodes, list);
      group.setAttribute('aria-label', titleOf(live, w));
      row.replaceWith(group);
      return subset(live, w, list, boxes, sets);
    },
    radio(live, w) {
      const { values: all } = widgets[w];
      const inputs = own(live, 'input');
      const group = own(live, '[role="group"]')[0];
      group?.setAttribute('role', 'radiogroup');
      const indices = inputs.map(({ parentElement: { textContent } }) => {
        const exact = all.indexOf(textContent.slice(1));
        return exact < 0 ? all.indexOf(textContent.trim()) : exact;
      });
      serial += 1;
      inputs.forEach((input, at) => {
        input.name = `nbc-radio-${serial}`;
        if (indices[at] < 0) Object.assign(input, { disabled: true, title: 'Not computed' });
        input.addEventListener('change', () => set(w, indices[at]));
      });
      return () => inputs.forEach((input, at) => { input.checked = indices[at] === draft[w]; });
    },
    check(live, w) {
      const { values: all } = widgets[w];
      const [input] = own(live, 'input');
      input.addEventListener('change', () => set(w, all.indexOf(input.checked)));
      return () => { input.checked = all[draft[w]] === true; };
    },
    date: (live, w) => dates(live, w, (it) => [it]),
    dates: (live, w) => dates(live, w, (it) => it),
    button(live, w) {
      const [button] = own(live, 'button');
      const last = widgets[w].values.length - 1;
      button.addEventListener('click', () => { if (draft[w] < last) set(w, draft[w] + 1); });
      return () => {
        button.setAttribute('aria-disabled', String(draft[w] === last));
        hint(live, draft[w] === last ? `${last} ${last === 1 ? 'press was' : 'presses were'} computed` : '');
      };
    },
    run_button(live, w) {
      own(live, 'button')[0].addEventListener('click', () => set(w, 1));
      return () => {};
    },
    tabs(live, w) {
      const panels = () => own(live, '.nbc-tab').filter((it) => it.parentElement === own(live, '.nbc-tabs')[0]);
      // It does not bubble, but can be caught on the way down.
      live.addEventListener('toggle', ({ target }) => {
        const index = widgets[w].values.indexOf(String(panels().indexOf(target)));
        if (index >= 0 && target.open) set(w, index);
      }, true);
      return () => {
        const panel = panels()[widgets[w].values[draft[w]]];
        if (panel && !panel.open) panel.open = true;
      };
    },
    table(live, w) {
      const sets = widgets[w].values.map((it) => it.map(String));
      const isSingle = sets.every((it) => it.length < 2);
      const none = sets.findIndex((it) => it.length === 0);
      const [table] = own(live, 'table');
      serial += 1;
      const boxes = [...table.tBodies[0].rows].map((row, at) => {
        const box = make('input', { type: isSingle ? 'radio' : 'checkbox', name: `nbc-rows-${serial}`, value: at, className: 'nbc-pick' });
        box.setAttribute('aria-label', row.cells[0]?.textContent.trim() || `Row ${at + 1}`);
        // No column of its own: `tables.js` counts them.
        row.cells[0]?.prepend(box);
        return box;
      });
      const clear = make('button', { type: 'button', className: 'nbc-pick-none', textContent: 'Clear the selection' });
      if (none >= 0) live.append(clear);
      clear.addEventListener('click', () => set(w, none));
      const showBoxes = subset(live, w, table, boxes, sets);
      return () => {
        showBoxes();
        for (const box of boxes) box.closest('tr').classList.toggle('nbc-picked', box.checked);
        clear.disabled = draft[w] === none;
      };
    },
    group: () => () => {},
    form(live, w) {
      const [part] = widgets[w].parts;
      const button = () => own(live, 'button').at(-1);
      const submit = () => { draft[w] = 1 + indexOf(part, draft); act(w, true); };
      live.addEventListener('click', ({ target }) => { if (target.closest('button') === button()) submit(); });
      live.addEventListener('keydown', (event) => {
        // Typed text counts first.
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey || event.target.matches('input'))) setTimeout(submit);
      });
      return () => {
        if (!button()) return;
        enable(button());
        const sent = draft[w] === 0 ? indexOf(part, widgets.map((_, it) => first(it))) : draft[w] - 1;
        if (sent === indexOf(part, draft)) delete button().dataset.waiting; else button().dataset.waiting = '';
      };
    },
  };

  const dates = (live, w, ends) => {
    const all = widgets[w].values.map(ends);
    const inputs = own(live, 'input');
    const days = all.flat().filter(Boolean).sort();
    const show = () => inputs.forEach((input, at) => { input.value = all[draft[w]][at] ?? ''; });
    inputs.forEach((input, side) => {
      Object.assign(input, { min: days[0], max: days.at(-1) });
      if (inputs.length > 1) input.setAttribute('aria-label', side ? 'To' : 'From');
      let isTyped = false;
      const act = () => {
        const chosen = inputs.map((it) => it.value);
        if (chosen.every(Boolean)) {
          set(w, inputs.length > 1 ? pair(w, chosen, side, Date.parse)
            : nearest(all, ([it]) => (it ? Math.abs(Date.parse(it) - Date.parse(chosen[0])) : Infinity)));
        }
        show();
      };
      // A date that is being typed passes through others; it counts when it exists or the reader is done.
      input.addEventListener('keydown', ({ key }) => { isTyped = key !== 'Enter'; if (!isTyped) act(); });
      input.addEventListener('pointerdown', () => { isTyped = false; });
      input.addEventListener('change', () => { if (!isTyped || days.includes(input.value)) act(); });
      input.addEventListener('blur', () => { if (isTyped) act(); isTyped = false; });
    });
    return show;
  };

  let serial = 0;
  const sampled = (w) => {
    const { values: all, total } = widgets[w];
    return total > all.length ? `${all.length} of ${total} values` : '';
  };
  const bind = (root) => {
    for (const live of root.querySelectorAll('[data-widget]')) {
      const w = Number(live.dataset.widget);
      const widget = widgets[w];
      const binder = widget && binders[widget.kind];
      // One value is no choice, and what the page does not know stays as it is.
      if (!binder || (widget.values?.length === 1 && !widget.parts?.length)) continue;
      const [box] = own(live, '[role="group"]');
      if (box && !box.hasAttribute('aria-label')) box.setAttribute('aria-label', titleOf(live, w) || 'Inputs');
      if (!bound.has(live)) {
        const titled = own(live, '.nbc-widget[title]');
        try {
          const show = binder(live, w);
          if (!holds(live)) for (const it of own(live, ':is(input, select, textarea, button):not([title])')) enable(it);
          bound.set(live, { show });
          for (const it of titled) it.removeAttribute('title');
          if (widget.kind !== 'button' && !holds(live)) hint(live, sampled(w));
        } catch (problem) {
          console.info(`nbc: an input stays as it was: ${problem.message}`);
          continue;
        }
      }
      live.dataset.ready = '';
      bound.get(live).show();
    }
  };
  const show = (w) => {
    for (const live of document.querySelectorAll(`[data-widget="${w}"]`)) bound.get(live)?.show();
  };

  // Changes --------------------------------------------------------------------------------------------------
  const status = document.body.appendChild(make('div', { className: 'nbc-hidden-label', role: 'status' }));
  let telling = 0;
  let updated = new Set();
  const tell = (text) => {
    clearTimeout(telling);
    telling = setTimeout(() => {
      const count = updated.size;
      status.textContent = `${text}; ${count} ${count === 1 ? 'output' : 'outputs'} updated`;
      updated = new Set();
    }, 400);
  };

  let frame = 0;
  const flush = () => {
    cancelAnimationFrame(frame);
    frame = 0;
    const now = changed;
    changed = new Set();
    for (const slot of slots) {
      if ([...now].some((it) => slot.widgets.has(it)) && place(slot)) updated.add(slot);
    }
    now.forEach(show);
    reset.hidden = written() === '';
  };

  const act = (w, isFinal) => {
    const form = formOf(w);
    if (form !== undefined) {
      above(w).forEach(show);
      return;
    }
    settle(w);
    show(w);
    if (isFinal) flush(); else frame ||= requestAnimationFrame(flush);
    remember(w, isFinal);
    const live = document.querySelector(`[data-widget="${w}"]`);
    const { kind, name, labels } = widgets[w];
    const isPressed = kind === 'button' || kind === 'run_button';
    const pressed = live && (isPressed || isForm(w)) && own(live, 'button').at(-1)?.textContent.trim();
    const title = pressed || (live && titleOf(live, w)) || name || kind;
    if (isPressed) tell(`${title}: pressed`);
    else tell(isForm(w) ? `${title}: submitted` : `${title}: ${labels?.[draft[w]] ?? ''}`);
  };
  const set = (w, index, isFinal = true) => {
    if (index < 0) return;
    if (draft[w] === index && widgets[w].kind !== 'run_button') {
      if (isFinal && frame) flush();
      if (isFinal) remember(w, true, true);
      return;
    }
    draft[w] = index;
    act(w, isFinal);
  };

  // The address ----------------------------------------------------------------------------------------------
  // Names begin as names of variables do.
  const keys = widgets.map(({ name }, w) => name || `~${w}`);
  const written = () => {
    const pairs = new Map();
    widgets.forEach(({ kind, labels }, w) => {
      if (kind === 'group' || values[w] === first(w)) return;
      const label = isForm(w) ? 'submitted' : labels[values[w]];
      const isPlain = isForm(w) || (labels.indexOf(label) === values[w] && !/^~\d+$/.test(label));
      pairs.set(encodeURIComponent(keys[w]), encodeURIComponent(isPlain ? label : `~${values[w]}`));
    });
    return [...pairs].map((it) => it.join('=')).join('&');
  };
  const read = (hash) => (hash.startsWith('#?') ? hash.slice(2) : undefined);

  // One entry of the history for each thing that a reader does; a drag is one.
  let last = { w: -1, time: 0, isOpen: false };
  let writing = 0;
  const write = (method) => {
    clearTimeout(writing);
    writing = 0;
    const states = written();
    const address = states ? `#?${states}` : location.href.split('#')[0];
    try { history[method]({ states }, '', address); } catch { /* Browsers refuse too many at once. */ }
  };
  const remember = (w, isFinal, isSame = false) => {
    const time = Date.now();
    const isMore = isSame || (w === last.w && (last.isOpen || time - last.time < 1000));
    if (!isMore) {
      if (writing) write('replaceState');
      write('pushState');
    } else writing ||= setTimeout(() => write('replaceState'), 200);
    last = { w, time, isOpen: !isFinal };
  };

  // A widget that is made anew with other values has the same name: it counts where an output asks for it.
  const isAsked = (w) => slots.some(({ trie }) => {
    let node = trie;
    while (Array.isArray(node)) {
      if (above(w).includes(node[0])) return true;
      node = node[1][indexOf(node[0], values)];
    }
    return false;
  });
  // Tells whether all that was asked for is on this page.
  const restore = (states) => {
    const given = new URLSearchParams(states);
    widgets.forEach(({ kind, labels = [] }, w) => {
      if (kind === 'group' || kind === 'form') return;
      const text = given.get(keys[w]);
      const index = text === null ? -1 : labels.indexOf(text);
      const spelled = /^~(\d{1,9})$/.exec(text ?? '');
      const exact = spelled && Number(spelled[1]) < labels.length ? Number(spelled[1]) : index;
      put(w, exact < 0 ? first(w) : exact);
    });
    const send = (w) => {
      (widgets[w].parts ?? []).forEach(send);
      if (!isForm(w)) return;
      put(w, given.has(keys[w]) ? 1 + indexOf(widgets[w].parts[0], values) : 0);
    };
    widgets.forEach((_, w) => { if (owners[w].length === 0) send(w); });
    const known = new Set();
    widgets.forEach(({ labels = [] }, w) => {
      const isOne = keys.indexOf(keys[w]) === keys.lastIndexOf(keys[w]);
      const counts = isOne || isAsked(w);
      if (!counts && values[w] !== first(w)) put(w, first(w));
      const text = given.get(keys[w]);
      if (counts && (isForm(w) || text === labels[values[w]] || text === `~${values[w]}`)) known.add(keys[w]);
      changed.add(w);
    });
    last.w = -1;
    flush();
    return [...given.keys()].every((it) => known.has(it));
  };
  addEventListener('popstate', ({ state }) => {
    const states = state?.states ?? read(location.hash);
    clearTimeout(writing);
    writing = 0;
    // An anchor: the page stays as it is, also when the reader comes back to it.
    if (states === undefined) history.replaceState({ states: written() }, '');
    else { open(states); tell('Restored'); }
  });
  addEventListener('pagehide', () => { if (writing) write('replaceState'); });

  const reset = make('button', { type: 'button', className: 'bar-button', textContent: 'Reset', title: 'All inputs as they were', hidden: true });
  reset.dataset.action = 'reset';
  reset.addEventListener('click', () => {
    restore('');
    write('pushState');
    tell('Reset');
    // It hides itself, and the focus would be nowhere.
    document.querySelector('main')?.focus({ preventScroll: true });
  });
  document.querySelector('.bar-actions')?.prepend(reset);

  bind(document);
  prefetch();
  const asked = history.state?.states ?? read(location.hash) ?? '';
  const open = (states) => {
    if (restore(states) || document.querySelector('.page-note[role="status"]')) return;
    const textContent = 'This link names values that this page does not have. They are shown as the page was built.';
    document.querySelector('main .cell')?.before(make('p', { className: 'page-note', role: 'status', textContent }));
  };
  if (asked) open(asked);
  history.replaceState({ states: written() }, '');
})().catch((problem) => {
  console.info(`nbc: the inputs of this page stay as they were built: ${problem.message}`);
});
