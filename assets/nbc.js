// The page's own script: copy buttons, code folding, theme. The page is complete without it, so
// the controls that need it stay hidden until it runs.
(() => {
  'use strict';
  const root = document.documentElement;
  const buttons = (action) => document.querySelectorAll(`button[data-action="${action}"]`);

  // Storage is refused in some browsers for file: pages; the choice then lasts as long as the page.
  const stored = {
    get() { try { return localStorage.getItem('nbc-theme'); } catch { return null; } },
    set(value) { try { localStorage.setItem('nbc-theme', value); } catch { /* see above */ } },
  };
  const systemIsDark = () => matchMedia('(prefers-color-scheme: dark)').matches;
  const setTheme = (theme) => {
    root.dataset.theme = theme;
    for (const button of buttons('toggle-theme')) {
      button.textContent = theme === 'dark' ? 'Light' : 'Dark';
      button.setAttribute('aria-label', theme === 'dark' ? 'Use light colours' : 'Use dark colours');
    }
  };
  const saved = stored.get();
  setTheme(saved === 'dark' || saved === 'light' ? saved : systemIsDark() ? 'dark' : 'light');
  for (const button of buttons('toggle-theme')) {
    button.hidden = false;
    button.addEventListener('click', () => {
      const next = root.dataset.theme === 'dark' ? 'light' : 'dark';
      setTheme(next);
      stored.set(next);
    });
  }

  const folds = document.querySelectorAll('details.code-fold');
  for (const button of buttons('toggle-code')) {
    if (folds.length === 0) continue;
    button.hidden = false;
    button.addEventListener('click', () => {
      const open = button.getAttribute('aria-pressed') !== 'true';
      for (const fold of folds) fold.open = open;
      button.setAttribute('aria-pressed', String(open));
      button.textContent = open ? 'Hide code' : 'Show code';
    });
  }

  for (const button of buttons('copy')) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener('click', async () => {
      const code = button.parentElement?.querySelector('code');
      if (!code) return;
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = 'Copied';
      } catch {
        button.textContent = 'Not allowed';
      }
      setTimeout(() => { button.textContent = 'Copy'; }, 1500);
    });
  }

  const outline = document.querySelector('details.outline-fold');
  if (outline && matchMedia('(max-width: 70rem)').matches) outline.open = false;
})();
