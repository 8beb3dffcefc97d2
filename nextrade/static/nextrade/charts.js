// Draws each canvas[data-figure] from the JSON of the id that it names, in the page's colours.
"use strict";

const COLOURS = ["--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7", "--c8"];
const dark = matchMedia("(prefers-color-scheme: dark)");
const drawn = [];

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const amount = (unit) => (value) =>
  unit + Number(value).toLocaleString("en-US", {maximumFractionDigits: Math.abs(value) < 1000 && unit ? 2 : 0});

function options(data) {
  const ticks = {color: colour("--soft"), font: {size: 11}};
  const text = amount(data.unit);
  const label = (item) => `${item.label}: ${text(item.parsed?.y ?? item.parsed)}`;
  const base = {
    animation: false,
    responsive: true,
    maintainAspectRatio: false,
    plugins: {
      legend: {display: data.kind === "doughnut", position: "right", labels: {color: colour("--ink"), boxWidth: 10}},
      tooltip: {displayColors: false, callbacks: {title: () => "", label}},
    },
  };
  if (data.kind === "doughnut") return {...base, cutout: "62%"};
  const y = {ticks: {...ticks, callback: text, maxTicksLimit: 5}, grid: {color: colour("--line")}, border: {display: false}};
  const x = {ticks: {...ticks, maxRotation: 0, autoSkipPadding: 24}, grid: {display: false}};
  return {...base, interaction: {mode: "index", intersect: false}, scales: {x, y}};
}

function dataset(data) {
  const data_ = data.values.map(Number);
  if (data.kind === "line") {
    return {data: data_, borderColor: colour("--c1"), backgroundColor: colour("--wash"), fill: true, borderWidth: 2, pointRadius: 0, pointHitRadius: 8, tension: 0.2};
  }
  const filling = data.kind === "bar" ? colour("--c1") : data_.map((_, place) => colour(COLOURS[place % COLOURS.length]));
  return {data: data_, backgroundColor: filling, borderColor: colour("--card"), borderWidth: data.kind === "bar" ? 0 : 2, borderRadius: data.kind === "bar" ? 4 : 0, maxBarThickness: 48};
}

function draw() {
  drawn.splice(0).forEach((chart) => chart.destroy());
  for (const canvas of document.querySelectorAll("canvas[data-figure]")) {
    const data = JSON.parse(document.getElementById(canvas.dataset.figure).textContent);
    drawn.push(new Chart(canvas, {type: data.kind, data: {labels: data.labels, datasets: [dataset(data)]}, options: options(data)}));
  }
}

draw();
dark.addEventListener("change", draw);
