// Charts of Plotly.

const plotlyConfig = { displaylogo: false, showSendToCloud: false, plotlyServerURL: '', showLink: false, responsive: true };

export const drawPlotly = (stage, { data, layout, frames }) => {
  const { Plotly } = window;
  return [() => Plotly.purge(stage), Plotly.newPlot(stage, { data, layout, frames, config: plotlyConfig })];
};
