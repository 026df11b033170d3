// The page's own script: theme, code, outline, anchors. The page is complete without it, so the
// controls that need it stay hidden, or are made here.
(() => {
  'use strict';
  const root = document.documentElement;
  const all = (selector) => document.querySelectorAll(selector);

  // Storage is refused in some browsers for file: pages; a choice then lasts as long as the page.
  const stored = {
    get(key) { try { return localStorage.getItem(`nbc-${key}`); } catch { return null; } },
    set(key, value) { try { localStorage.setItem(`nbc-${key}`, value); } catch { /* see above */ } },
  };

  // Before the first paint where the script stands in the page: no flash of the other theme.
  const themes = ['auto', 'light', 'dark'];
  let theme = themes.includes(stored.get('theme')) ? stored.get('theme') : 'auto';
  const showTheme = () => {
    if (theme === 'auto') delete root.dataset.theme; else root.dataset.theme = theme;
  };
  showTheme();
  if (stored.get('wrap')) root.dataset.wrap = '';

  const make = (name, parent, properties) => {
    const made = Object.assign(document.createElement(name), properties);
    parent.append(made);
    return made;
  };

  const themeButtons = () => {
    const buttons = all('button[data-action="theme"]');
    const label = () => {
      const next = themes[(themes.indexOf(theme) + 1) % themes.length];
      const shown = theme[0].toUpperCase() + theme.slice(1);
      for (const button of buttons) {
        button.textContent = shown;
        button.setAttribute('aria-label', `${shown} theme; change to ${next}`);
        button.title = 'Colour theme';
        button.dataset.theme = theme;
      }
    };
    for (const button of buttons) {
      button.hidden = false;
      button.addEventListener('click', () => {
        theme = themes[(themes.indexOf(theme) + 1) % themes.length];
        stored.set('theme', theme);
        showTheme();
        label();
      });
    }
    label();
  };

  const codeButtons = () => {
    const folds = all('details.code-fold');
    for (const button of all('button[data-action="toggle-code"]')) {
      if (folds.length === 0) continue;
      button.hidden = false;
      button.addEventListener('click', () => {
        const open = button.getAttribute('aria-pressed') !== 'true';
        for (const fold of folds) fold.open = open;
        button.setAttribute('aria-pressed', String(open));
      });
    }
  };

  // Copy, and wrapping of long lines, beside each piece of code.
  const codeTools = () => {
    for (const block of all('.code')) {
      const tools = make('div', block, { className: 'code-tools' });
      const wrap = make('button', tools, { type: 'button', className: 'bar-button', textContent: 'Wrap' });
      wrap.dataset.action = 'wrap';
      wrap.setAttribute('aria-pressed', String('wrap' in root.dataset));
      wrap.addEventListener('click', () => {
        const on = !('wrap' in root.dataset);
        if (on) root.dataset.wrap = ''; else delete root.dataset.wrap;
        stored.set('wrap', on ? '1' : '');
        for (const button of all('button[data-action="wrap"]')) button.setAttribute('aria-pressed', String(on));
      });
      if (!navigator.clipboard) continue;
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
    }
  };

  const anchors = () => {
    for (const heading of all('main :is(h1, h2, h3, h4, h5, h6)[id]')) {
      if (heading.closest('a, summary, button')) continue;
      const anchor = make('a', heading, { className: 'anchor', href: `#${heading.id}`, textContent: '#' });
      anchor.setAttribute('aria-label', 'Link to this heading');
    }
  };

  // The outline is open beside the text, folded above it, and marks what is being read.
  const outline = () => {
    const fold = document.querySelector('details.outline-fold');
    if (!fold) return;
    const wide = matchMedia('(min-width: 70.01rem)');
    const adapt = () => { fold.open = wide.matches; };
    wide.addEventListener('change', adapt);
    adapt();
    const links = new Map();
    for (const link of fold.querySelectorAll('a')) {
      const heading = document.getElementById(decodeURIComponent(link.hash.slice(1)));
      if (heading) links.set(heading, link);
    }
    const headings = [...links.keys()];
    const mark = () => {
      const read = headings.filter((it) => it.getBoundingClientRect().top < innerHeight / 4).pop();
      for (const [heading, link] of links) {
        if (heading === read) link.setAttribute('aria-current', 'true'); else link.removeAttribute('aria-current');
      }
    };
    // Whatever lies above counts as seen, so that a jump past a heading is noticed too.
    const seen = new IntersectionObserver(mark, { rootMargin: '1000000px 0px -75% 0px' });
    for (const heading of headings) seen.observe(heading);
  };

  // Scrolling boxes must be within reach of the keyboard in every browser.
  const scrollers = () => {
    for (const box of all('main :is(.nbc-out, .nbc-out pre, .nbc-out math, .nbc-table-frame, .dataflow-scroll)')) {
      const overflows = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
      if (!overflows || box.tabIndex >= 0 || !/auto|scroll/.test(getComputedStyle(box).overflow)) continue;
      box.tabIndex = 0;
      if (box.hasAttribute('role')) continue;
      box.setAttribute('role', 'group');
      box.setAttribute('aria-label', 'Output');
    }
  };

  const start = () => {
    for (const step of [themeButtons, codeButtons, codeTools, anchors, outline, scrollers]) step();
  };
  if (document.readyState === 'loading') addEventListener('DOMContentLoaded', start); else start();
  // New outputs stand in the page.
  addEventListener('nbc-shown', scrollers);
})();
