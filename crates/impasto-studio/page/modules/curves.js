// The losses over the evaluations, on a logarithmic axis; live, with each layer's where asked for.
import { byId, digits, el } from './elements.js';
import { keep, recall } from './kept.js';
import { on, state } from './store.js';

const shown = new Set(recall('curves', ['total', 'content', 'style']));
let canvas = null;
let legend = null;
let pointed = null;

const COLOUR_NAMES = ['--curve-1', '--curve-2', '--curve-3', '--curve-4', '--curve-5', '--curve-6', '--curve-7', '--curve-8', '--curve-9', '--curve-10'];

function columns() {
  const { losses } = state.run;
  return [['total', losses.total], ['content', losses.content], ['style', losses.style], ...Object.keys(losses.layers).sort().map((layer) => [layer, losses.layers[layer]])];
}

export function curvesPart() {
  canvas = el('canvas', { class: 'curves', role: 'img', 'aria-label': 'Losses', onpointermove: (event) => {
    pointed = event.offsetX / canvas.clientWidth;
    drawSoon();
  }, onpointerleave: () => {
    pointed = null;
    drawSoon();
  } });
  legend = el('div', { class: 'legend', role: 'group', 'aria-label': 'Curves' });
  const part = el('details', { class: 'fold', id: 'curves', open: recall('curves open', true), ontoggle: (event) => {
    keep('curves open', event.target.open);
    drawSoon();
  } }, el('summary', {}, 'Curves'), canvas, legend);
  new ResizeObserver(drawSoon).observe(canvas);
  drawLegend();
  return part;
}

function drawLegend() {
  const names = columns().map(([name]) => name);
  if (legend.dataset.names === names.join()) return;
  legend.dataset.names = names.join();
  legend.replaceChildren(...names.map((name, at) => {
    const dot = el('span', { class: 'dot' });
    dot.style.background = `var(${COLOUR_NAMES[at % COLOUR_NAMES.length]})`;
    const button = el('button', { type: 'button', 'aria-pressed': String(shown.has(name)), onclick: () => {
      if (!shown.delete(name)) shown.add(name);
      button.setAttribute('aria-pressed', String(shown.has(name)));
      keep('curves', [...shown]);
      drawSoon();
    } }, dot, name, el('b', { 'data-curve': name }));
    return button;
  }));
}

let isDue = false;
function drawSoon() {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    if (canvas?.isConnected && state.run && !document.hidden) draw();
  });
}

function draw() {
  drawLegend();
  const { losses, timeline = [] } = state.run;
  const ratio = devicePixelRatio;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width || !height) return;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const context = canvas.getContext('2d');
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const style = getComputedStyle(canvas);
  const all = columns();
  const lines = all.map(([name, values], at) => ({ name, values, colour: style.getPropertyValue(COLOUR_NAMES[at % COLOUR_NAMES.length]) })).filter(({ name }) => shown.has(name));
  const seen = lines.flatMap(({ values }) => values.filter((value) => value > 0));
  const count = losses.evaluation.length;
  const index = pointed === null ? count - 1 : Math.round(pointed * (count - 1));
  for (const [name, values] of all) {
    const value = legend.querySelector(`[data-curve="${name}"]`);
    if (value) value.textContent = count ? digits(Number(values[index]?.toPrecision(3))) : '';
  }
  if (!seen.length) return;
  const [least, most] = [Math.log(Math.min(...seen)), Math.log(Math.max(...seen) * 1.02)];
  const y = (value) => 4 + (height - 18) * (1 - (Math.log(value) - least) / Math.max(1e-6, most - least));
  const last = Math.max(losses.evaluation.at(-1), 2);
  const x = (evaluation) => 1 + ((width - 2) * (evaluation - 1)) / (last - 1);
  context.font = `10px ${style.fontFamily}`;
  context.fillStyle = style.getPropertyValue('--muted');
  context.strokeStyle = style.getPropertyValue('--line');
  context.lineWidth = 1;
  for (let power = Math.ceil(least / Math.LN10); power <= most / Math.LN10; power += 1) {
    const at = Math.round(y(10 ** power)) + 0.5;
    context.beginPath();
    context.moveTo(0, at);
    context.lineTo(width, at);
    context.stroke();
    context.fillText(power > 3 || power < -2 ? `1e${power}` : String(10 ** power), 2, at - 3);
  }
  context.textAlign = 'right';
  context.fillText(String(losses.evaluation[index] ?? ''), pointed === null ? width - 2 : Math.max(24, Math.min(width - 2, x(losses.evaluation[index]) + 12)), height - 2);
  context.textAlign = 'left';
  context.setLineDash([2, 3]);
  for (const { before_evaluation: before } of timeline) {
    context.beginPath();
    context.moveTo(x(before), 4);
    context.lineTo(x(before), height - 14);
    context.stroke();
  }
  context.setLineDash([]);
  for (const { values, colour } of lines) {
    context.strokeStyle = colour;
    context.lineWidth = 1.6;
    context.beginPath();
    const stride = Math.max(1, Math.floor(count / width));
    for (let at = 0; at < count; at += stride) if (values[at] > 0) context.lineTo(x(losses.evaluation[at]), y(values[at]));
    if (values[count - 1] > 0) context.lineTo(x(losses.evaluation[count - 1]), y(values[count - 1]));
    context.stroke();
  }
  if (pointed !== null && count) {
    context.strokeStyle = style.getPropertyValue('--muted');
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x(losses.evaluation[index]), 4);
    context.lineTo(x(losses.evaluation[index]), height - 14);
    context.stroke();
  }
  canvas.setAttribute('aria-label', `Losses at evaluation ${losses.evaluation.at(-1)}: ${all.slice(0, 3).map(([name, values]) => `${name} ${digits(Number(values.at(-1)?.toPrecision(3)))}`).join(', ')}`);
}

on('iteration run', drawSoon);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawSoon);
