"use strict";
// One thing is chosen at a time: an iteration. The slider, the curves and the address (#iteration=40) all say which.
const run = JSON.parse(document.getElementById("run").textContent);
const figures = [...document.querySelectorAll(".film figure")];
const slider = document.getElementById("time");
const now = document.getElementById("now");
const play = document.getElementById("play");
const last = run.iterations.length - 1;

const short = (value) => {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e6 || size < 1e-3) ? value.toExponential(2).replace("e+", "e") : String(Number(value.toPrecision(4)));
};
const duration = (seconds) =>
  seconds < 60 ? seconds.toFixed(1) + " s" : Math.floor(seconds / 60) + " min " + Math.round(seconds % 60) + " s";

// The place of an iteration among the points of the curves, or of the nearest one.
const pointOf = (iteration) => {
  let best = 0;
  run.iterations.forEach((at, place) => {
    if (Math.abs(at - iteration) < Math.abs(run.iterations[best] - iteration)) best = place;
  });
  return best;
};

const showPoint = (point) => {
  if (last < 0) return;
  const first = run.iterations[0];
  const span = run.iterations[last] - first;
  const left = span > 0 ? (100 * (run.iterations[point] - first)) / span : 50;
  for (const chart of document.querySelectorAll(".chart")) {
    const cursor = chart.querySelector(".cursor");
    if (!cursor) continue;
    cursor.style.display = "block";
    cursor.style.left = left + "%";
    const series = run.charts[chart.dataset.chart];
    chart.querySelectorAll(".legend b").forEach((value, place) => (value.textContent = short(series[place][point])));
  }
  return "iteration " + run.iterations[point] + " · loss " + short(run.charts.losses[0][point]) + " · " + duration(run.seconds[point]);
};

const iterationOf = (place) => run.pictures[place][0] ?? run.iterations[last];

const showPicture = (place) => {
  figures.forEach((figure, other) => figure.classList.toggle("seen", other === place));
  const [iteration, name] = run.pictures[place];
  const said = showPoint(pointOf(iterationOf(place))) ?? "";
  if (slider) {
    slider.value = place;
    slider.setAttribute("aria-valuetext", name);
    now.textContent = iteration === null ? name + " · " + said : said;
  }
};

const nearestPicture = (iteration) => {
  let best = 0;
  run.pictures.forEach((_, place) => {
    if (Math.abs(iterationOf(place) - iteration) <= Math.abs(iterationOf(best) - iteration)) best = place;
  });
  return best;
};

if (figures.length > 0) {
  document.body.classList.add("moving");
  showPicture(figures.length - 1);
}

let timer = null;
const stop = () => {
  clearInterval(timer);
  timer = null;
  if (play) play.textContent = "Play";
};
// What a person chooses ends the playing.
const choose = (place) => {
  stop();
  showPicture(place);
};

if (slider) {
  document.querySelector(".control").hidden = false;
  slider.addEventListener("input", () => choose(Number(slider.value)));
  play.addEventListener("click", () => {
    if (timer !== null) return stop();
    if (Number(slider.value) === figures.length - 1) showPicture(0);
    play.textContent = "Stop";
    timer = setInterval(() => {
      const next = Number(slider.value) + 1;
      showPicture(next);
      if (next >= figures.length - 1) stop();
    }, 250);
  });
}

for (const plot of document.querySelectorAll(".plot")) {
  const pointUnder = (event) => {
    const box = plot.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return pointOf(run.iterations[0] + share * (run.iterations[last] - run.iterations[0]));
  };
  plot.addEventListener("pointermove", (event) => {
    const said = showPoint(pointUnder(event));
    if (now) now.textContent = said;
  });
  plot.addEventListener("pointerleave", () => {
    if (figures.length > 0) showPicture(figures.findIndex((figure) => figure.classList.contains("seen")));
    else showPoint(last);
  });
  plot.addEventListener("click", (event) => {
    if (figures.length > 0) choose(nearestPicture(run.iterations[pointUnder(event)]));
  });
}

const fromAddress = () => {
  const asked = /^#iteration=(\d+)$/.exec(location.hash);
  if (asked && figures.length > 0) choose(nearestPicture(Number(asked[1])));
};
addEventListener("hashchange", fromAddress);
fromAddress();
