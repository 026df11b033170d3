// The theme of the page, as charts see it.

const preference = () => matchMedia('(prefers-color-scheme: dark)');

export const isDark = () => {
  const { theme } = document.documentElement.dataset;
  return theme === 'dark' || (theme !== 'light' && preference().matches);
};

// Calls back when the page becomes dark or light.
export const onThemeChange = (work) => {
  let wasDark = isDark();
  const follow = () => {
    if (isDark() === wasDark) return;
    wasDark = isDark();
    work();
  };
  new MutationObserver(follow).observe(document.documentElement, { attributeFilter: ['data-theme'] });
  const prefersDark = preference();
  prefersDark.addEventListener('change', follow);
};

// Colours of the page, where the chart asks for none of its own.
export const themed = (ink, dark) => {
  const line = dark ? '#fff3' : '#0002';
  const texts = { labelColor: ink, titleColor: ink };
  return {
    background: null,
    axis: { ...texts, domainColor: line, gridColor: line, tickColor: line },
    legend: texts,
    header: texts,
    title: { color: ink, subtitleColor: ink },
    style: { 'guide-label': { fill: ink }, 'guide-title': { fill: ink }, 'group-title': { fill: ink }, cell: { stroke: line } },
    mark: {},
    text: { fill: ink },
  };
};
