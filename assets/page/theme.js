// The theme of the page, and choices that last.

// Storage is refused in some browsers for file: pages; a choice then lasts as long as the page.
export const stored = {
  get(key) { try { return localStorage.getItem(`nbc-${key}`); } catch { return null; } },
  set(key, value) { try { localStorage.setItem(`nbc-${key}`, value); } catch { /* see above */ } },
};

const themes = ['auto', 'light', 'dark'];
export const known = (theme) => (themes.includes(theme) ? theme : 'auto');
export const nextOf = (theme) => themes[(themes.indexOf(theme) + 1) % themes.length];

export const showTheme = (theme) => {
  const { dataset } = document.documentElement;
  if (theme === 'auto') delete dataset.theme; else dataset.theme = theme;
};

export const themeButtons = () => {
  const buttons = document.querySelectorAll('button[data-action="theme"]');
  let theme = known(stored.get('theme'));
  const label = () => {
    const shown = theme[0].toUpperCase() + theme.slice(1);
    for (const button of buttons) {
      button.textContent = shown;
      button.setAttribute('aria-label', `${shown} theme; change to ${nextOf(theme)}`);
      button.title = 'Colour theme';
      button.dataset.theme = theme;
    }
  };
  for (const button of buttons) {
    button.hidden = false;
    button.addEventListener('click', () => {
      theme = nextOf(theme);
      stored.set('theme', theme);
      showTheme(theme);
      label();
    });
  }
  label();
};
