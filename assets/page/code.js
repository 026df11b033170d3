// Tools of pieces of code.
import { stored } from './theme.js';

export const make = (name, parent, properties) => {
  const made = Object.assign(document.createElement(name), properties);
  parent.append(made);
  return made;
};

export const codeButtons = () => {
  const folds = document.querySelectorAll('details.code-fold');
  for (const button of document.querySelectorAll('button[data-action="toggle-code"]')) {
    if (folds.length === 0) continue;
    button.hidden = false;
    button.addEventListener('click', () => {
      const open = button.getAttribute('aria-pressed') !== 'true';
      for (const fold of folds) fold.open = open;
      button.setAttribute('aria-pressed', String(open));
    });
  }
};

const addWrap = (tools) => {
  const { dataset } = document.documentElement;
  const wrap = make('button', tools, { type: 'button', className: 'bar-button', textContent: 'Wrap' });
  wrap.dataset.action = 'wrap';
  wrap.setAttribute('aria-pressed', String('wrap' in dataset));
  wrap.addEventListener('click', () => {
    const on = !('wrap' in dataset);
    if (on) dataset.wrap = ''; else delete dataset.wrap;
    stored.set('wrap', on ? '1' : '');
    for (const it of document.querySelectorAll('button[data-action="wrap"]')) it.setAttribute('aria-pressed', String(on));
  });
};

const addCopy = (tools, block) => {
  const copy = make('button', tools, { type: 'button', className: 'bar-button', textContent: 'Copy' });
  copy.dataset.action = 'copy';
  copy.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(block.querySelector('code')?.textContent ?? '');
      copy.textContent = 'Copied';
    } catch {
      copy.textContent = 'Not allowed';
    }
    setTimeout(() => { copy.textContent = 'Copy'; }, 1500);
  });
};

// Copy, and wrapping of long lines, beside each piece of code.
export const codeTools = () => {
  for (const block of document.querySelectorAll('.code')) {
    const tools = make('div', block, { className: 'code-tools' });
    addWrap(tools);
    if (navigator.clipboard) addCopy(tools, block);
  }
};
