// Describes what a reader sees of a cell, in words, whoever made the markup: nbc's page or marimo's kernel. Both become
// { text, controls, tables, pictures, console, failed }; white space counts for nothing.
(() => {
  const squeeze = (text) => text.replace(/\s+/g, '');
  const fresh = () => ({ text: '', controls: [], tables: [], pictures: [], console: '', failed: false });
  const finished = (it) => ({ ...it, text: squeeze(it.text), console: squeeze(it.console) });
  const FAILED = 'This cell failed.';

  // nbc's page.
  const CHROME = '.code-fold, .code, .code-tools, script, style, template, annotation, .anchor, .nbc-hidden-label, .nbc-table-type, .nbc-tree-count, .nbc-widget-hint, .nbc-pick-none, [role=status]';

  const labelOf = (frame) => squeeze(frame.querySelector('.nbc-widget-label')?.textContent ?? '');

  const widget = (frame) => {
    const button = frame.querySelector('button');
    if (frame.classList.contains('nbc-widget-button')) return { label: squeeze(button.textContent) };
    const options = [...frame.querySelectorAll('option, .nbc-widget-option')].map((it) => squeeze(it.textContent));
    const found = { label: labelOf(frame) };
    if (options.length) found.options = options.filter((it) => it !== '—');
    return found;
  };

  const table = (it) => [...it.rows].map((row) => [...row.cells].map((cell) => squeeze(cell.textContent)));

  window.describePage = (section) => {
    const found = fresh();
    const copy = section.cloneNode(true);
    copy.querySelectorAll(CHROME).forEach((it) => it.remove());
    copy.querySelectorAll('.nbc-tree-key').forEach((it) => {
      if (it.nextSibling?.nodeType === 3) it.nextSibling.data = it.nextSibling.data.replace(/^: /, '');
    });
    copy.querySelectorAll('.nbc-stream').forEach((it) => { found.console += it.textContent; it.remove(); });
    copy.querySelectorAll('.nbc-out-error').forEach((it) => {
      if (it.textContent.includes(FAILED)) found.failed = true;
      it.remove();
    });
    // In the order of the document, as marimo's markup is read.
    const walk = (node) => {
      if (node.nodeType === 3) { found.text += node.data; return; }
      if (node.nodeType !== 1) return;
      const is = (selector) => node.matches(selector);
      if (is('.nbc-widget')) { found.controls.push(widget(node)); return; }
      if (is('.nbc-table-frame, table')) {
        const inner = is('table') ? node : node.querySelector('table');
        found.tables.push(table(inner));
        return;
      }
      // Controls that a table offers beside its rows.
      if (is('[class*="nbc-table"]') && !node.querySelector('table')) return;
      if (is('button')) { found.controls.push({ label: squeeze(node.textContent) }); return; }
      if (is('img')) { found.pictures.push(node.getAttribute('src')); return; }
      node.childNodes.forEach(walk);
    };
    walk(copy);
    return finished(found);
  };

  // marimo's kernel.
  const parsed = (html) => new DOMParser().parseFromString(html, 'text/html').body;
  const data = (it, name) => {
    const text = it.getAttribute(`data-${name}`);
    return text === null ? null : JSON.parse(text);
  };
  const textOf = (html) => squeeze(parsed(html ?? '').textContent);
  const BUNDLE = 'application/vnd.marimo+mimebundle';
  const OPTIONS = ['marimo-dropdown', 'marimo-multiselect', 'marimo-radio'];
  const INPUTS = ['marimo-slider', 'marimo-range-slider', 'marimo-number', 'marimo-checkbox', 'marimo-switch', 'marimo-date', 'marimo-date-range', 'marimo-button', ...OPTIONS];

  const cellText = (value) => {
    if (value === null) return '';
    if (typeof value === 'object' && 'mimetype' in value) return textOf(String(value.data));
    return squeeze(typeof value === 'string' ? value : JSON.stringify(value));
  };

  const marimoTable = (it) => {
    let rows = data(it, 'data');
    if (typeof rows === 'string') rows = JSON.parse(rows);
    const fields = data(it, 'field-types');
    const names = fields?.length ? fields.map((field) => field[0]) : Object.keys(rows[0] ?? {}).filter((name) => name !== '_marimo_row_id');
    return [names.map(squeeze), ...rows.map((row) => names.map((name) => cellText(row[name])))];
  };

  const leaf = (value, found, walk) => {
    if (Array.isArray(value)) {
      value.forEach((it, at) => { found.text += at; leaf(it, found, walk); });
    } else if (value !== null && typeof value === 'object') {
      Object.entries(value).forEach(([key, it]) => { found.text += key; leaf(it, found, walk); });
    } else if (typeof value === 'string' && /^text\/(html|markdown):/.test(value)) {
      parsed(value.slice(value.indexOf(':') + 1)).childNodes.forEach(walk);
    } else {
      throw new Error(`a leaf that nobody has thought of: ${JSON.stringify(value).slice(0, 80)}`);
    }
  };

  window.describeMarimo = (cell) => {
    const found = fresh();
    const markup = (html) => parsed(html ?? '').childNodes.forEach(walk);
    const panels = (node, labels) => [...node.children].forEach((child, at) => { markup(labels[at]); walk(child); });
    const picture = (bundle) => found.pictures.push((typeof bundle === 'string' ? JSON.parse(bundle) : bundle)['image/png']);
    const walk = (node) => {
      if (node.nodeType === 3) { found.text += node.data; return; }
      if (node.nodeType !== 1) return;
      const name = node.localName;
      if (INPUTS.includes(name)) {
        const control = { label: textOf(data(node, 'label')) };
        if (OPTIONS.includes(name)) control.options = data(node, 'options').map(squeeze);
        found.controls.push(control);
      } else if (name === 'marimo-form') {
        markup(data(node, 'label'));
        node.childNodes.forEach(walk);
        found.controls.push({ label: squeeze(data(node, 'submit-button-label')) });
      } else if (name === 'marimo-dict') {
        // The tree of an array names itself.
        if (!node.querySelector(':scope > marimo-json-output')) markup(data(node, 'label'));
        node.childNodes.forEach(walk);
      } else if (name === 'marimo-json-output') {
        found.text += data(node, 'name') ?? '';
        leaf(data(node, 'json-data'), found, walk);
      } else if (name === 'marimo-table') {
        markup(data(node, 'label'));
        found.tables.push(marimoTable(node));
      } else if (name === 'marimo-callout-output') {
        markup(data(node, 'html'));
      } else if (name === 'marimo-stat') {
        ['label', 'value', 'caption'].forEach((it) => { const html = data(node, it); if (html !== null) markup(String(html)); });
      } else if (name === 'marimo-accordion') {
        panels(node, data(node, 'labels'));
      } else if (name === 'marimo-tabs') {
        panels(node, data(node, 'tabs'));
      } else if (name === 'marimo-carousel' || name === 'marimo-ui-element') {
        node.childNodes.forEach(walk);
      } else if (name === 'img') {
        found.pictures.push(node.getAttribute('src'));
      } else if (name === 'marimo-mime-renderer' && data(node, 'mime') === BUNDLE) {
        picture(data(node, 'data'));
      } else if (name.startsWith('marimo-') || ['iframe', 'svg', 'video', 'audio', 'table'].includes(name)) {
        throw new Error(`an element that nobody has thought of: ${name}`);
      } else {
        node.childNodes.forEach(walk);
      }
    };
    for (const it of cell.console) {
      if (it.mimetype === 'text/plain') found.console += it.data;
    }
    const output = cell.output;
    if (output === null) return finished(found);
    if (output.channel === 'marimo-error') {
      // A cell below one that failed or stopped shows nothing.
      found.failed = output.data.some((it) => it.type === 'exception' && !it.raising_cell);
    } else if (['text/html', 'text/markdown'].includes(output.mimetype)) {
      markup(output.data);
    } else if (output.mimetype === 'text/plain') {
      found.text += output.data;
    } else if (output.mimetype === BUNDLE) {
      picture(output.data);
    } else {
      throw new Error(`an output that nobody has thought of: ${output.mimetype}`);
    }
    return finished(found);
  };
})();
