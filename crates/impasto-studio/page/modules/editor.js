// Drawing a mask over an image on the stage: tools, their keys, and what is drawn kept at each stroke.
import { imageAddress, upload } from './api.js';
import { Dial, byFactor, linear } from './dials.js';
import { byId, complain, debounce, el, icon, iconButton, say } from './elements.js';
import { forgetDrawing, keepDrawing, recall, recallDrawing, keep } from './kept.js';
import { Mask } from './mask.js';
import { drawOn, view } from './stage.js';
import { emit } from './store.js';

const LONG_EDGE = 1536;
const SEND_MS = 700;
const SEND_AGAIN_MS = 3000;
const settings = { tool: 'brush', isErasing: false, size: 60, soft: 0.3, tolerance: 18, isEverywhere: false, ...recall('brush', {}) };
let now = null;

export const isOpen = () => Boolean(now);

export function maskSize(image) {
  const share = Math.min(1, LONG_EDGE / Math.max(image.width, image.height));
  return { width: Math.max(1, Math.round(image.width * share)), height: Math.max(1, Math.round(image.height * share)) };
}

export async function loadImage(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  return image;
}

// what: { title, image, colour, mask (an id or null), key (of the unsent drawing), saved(id), others: [{ mask, colour }] }
export async function openEditor(what) {
  if (now) await closeEditor();
  const size = maskSize(what.image);
  const layer = el('canvas', { class: 'layer', width: size.width, height: size.height, 'aria-hidden': 'true' });
  const below = el('canvas', { class: 'layer', width: size.width, height: size.height, 'aria-hidden': 'true' });
  const lines = el('canvas', { class: 'layer', width: size.width, height: size.height, 'aria-hidden': 'true' });
  const ring = el('span', { class: 'ring', 'aria-hidden': 'true', hidden: true });
  const mask = new Mask(size.width, size.height, (rectangle) => mask.tint(layer.getContext('2d'), what.colour, 0.6, rectangle));
  const chip = el('p', { class: 'draw-title' });
  now = { ...what, chip, mask, maskId: what.mask, layer, lines, below, ring, points: [], cursor: { x: size.width / 2, y: size.height / 2 }, isUnsent: false, pixels: null };
  byId('sheet').append(below, layer, lines);
  byId('view').append(ring, chip);
  drawOn(what.image, size, tool);
  emit('view');
  drawTools();
  byId('view').focus({ preventScroll: true });
  say(`${what.title}. Arrow keys move the brush, Enter puts it down and lifts it.`);
  await loadMask();
  loadPixels(size);
  for (const other of what.others ?? []) if (other.mask) showOther(other, size);
}

async function loadMask() {
  const mine = now;
  try {
    const unsent = await recallDrawing(mine.key);
    const image = unsent ? await createImageBitmap(unsent) : mine.maskId ? await loadImage(`/api/masks/${mine.maskId}`) : null;
    if (image && now === mine) mine.mask.load(image);
    if (unsent && now === mine) touched();
  } catch (error) {
    complain(error);
  }
}

async function showOther({ mask: id, colour }, size) {
  const mine = now;
  try {
    const other = new Mask(size.width, size.height, () => {});
    other.load(await loadImage(`/api/masks/${id}`));
    const canvas = new OffscreenCanvas(size.width, size.height);
    other.tint(canvas.getContext('2d'), colour, 0.32);
    if (now === mine) mine.below.getContext('2d').drawImage(canvas, 0, 0);
  } catch {
    // Only a hint of the other regions is missing.
  }
}

// The image's own colours, for filling by colour.
async function loadPixels({ width, height }) {
  const mine = now;
  try {
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext('2d', { willReadFrequently: true });
    // Grain of the photo is no edge.
    context.filter = 'blur(1.2px)';
    context.drawImage(await loadImage(imageAddress(mine.image.id, Math.max(width, height))), 0, 0, width, height);
    mine.pixels = context.getImageData(0, 0, width, height);
  } catch (error) {
    complain(error);
  }
}

// --- what is drawn is kept in this browser at once, and sent when the hand rests

async function touched() {
  const mine = now;
  mine.isUnsent = true;
  showState();
  sendSoon();
  byId('draw-tools').dataset.kept = 'no';
  await keepDrawing(mine.key, await mine.mask.toPng());
  if (mine === now) byId('draw-tools').dataset.kept = 'yes';
}

async function send() {
  const mine = now;
  if (!mine?.isUnsent) return;
  mine.isUnsent = false;
  try {
    const { id } = await upload('/api/masks', await mine.mask.toPng(), 'image/png');
    mine.maskId = id;
    mine.saved(id);
    if (!mine.isUnsent) await forgetDrawing(mine.key);
  } catch (error) {
    mine.isUnsent = true;
    complain(error);
    if (mine === now) sendAgain();
  }
  if (mine === now) showState();
}
const sendSoon = debounce(send, SEND_MS);
const sendAgain = debounce(send, SEND_AGAIN_MS);

export async function closeEditor() {
  if (!now) return;
  sendSoon.cancel();
  sendAgain.cancel();
  tool.cancel();
  await send();
  const { layer, lines, below, ring, chip } = now;
  now = null;
  for (const element of [layer, lines, below, ring, chip]) element.remove();
  byId('draw-tools').hidden = true;
  drawOn(null, null, null);
  emit('view');
  emit('panel');
}

// --- the tool that the view's pointers move

const radiusAt = (event) => {
  const pressure = event?.pointerType === 'pen' && event.pressure > 0 ? 0.15 + 0.85 * event.pressure : 1;
  return Math.max(0.5, (settings.size / 2) * pressure);
};
let last = null;

const tool = {
  down(point, event) {
    now.mask.begin();
    now.cursor = point;
    const { isErasing, soft } = settings;
    if (settings.tool === 'fill') {
      if (now.pixels) now.mask.fill(point.x, point.y, now.pixels, settings.tolerance, settings.isEverywhere, isErasing);
      return;
    }
    if (settings.tool === 'lasso') now.points = [point];
    else now.mask.stamp(point.x, point.y, radiusAt(event), soft, isErasing);
    last = { ...point, radius: radiusAt(event) };
  },
  move(point, event) {
    now.cursor = point;
    if (settings.tool === 'lasso') now.points.push(point);
    else if (settings.tool === 'brush' && last) {
      const radius = radiusAt(event);
      now.mask.line(last, point, (radius + last.radius) / 2, settings.soft, settings.isErasing);
      last = { ...point, radius };
    }
  },
  flush() { if (settings.tool === 'lasso') drawLasso(); },
  up() {
    if (settings.tool === 'lasso') now.mask.polygon(now.points, settings.isErasing);
    now.points = [];
    last = null;
    drawLasso();
    if (now.mask.end()) touched();
    showState();
  },
  cancel() {
    now.mask.cancel();
    now.points = [];
    last = null;
    drawLasso();
    now.isPenDown = false;
  },
  hover(point) {
    const { ring } = now;
    ring.hidden = !point || settings.tool !== 'brush';
    if (!ring.hidden) placeRing(point);
  },
};

function placeRing(point) {
  const { x, y } = view.toView(point);
  const side = settings.size * view.scale;
  Object.assign(now.ring.style, { width: `${side}px`, height: `${side}px`, transform: `translate(${x - side / 2}px, ${y - side / 2}px)` });
  now.ring.classList.toggle('erasing', settings.isErasing);
}

function drawLasso() {
  const context = now.lines.getContext('2d');
  context.clearRect(0, 0, now.mask.width, now.mask.height);
  if (now.points.length < 2) return;
  const thick = 1.5 / view.scale;
  context.beginPath();
  for (const { x, y } of now.points) context.lineTo(x, y);
  for (const [colour, width] of [['#000', thick * 2], ['#fff', thick]]) Object.assign(context, { strokeStyle: colour, lineWidth: width }), context.stroke();
}

// --- the toolbar

const act = (does) => () => {
  now.mask.begin();
  does(now.mask);
  if (now.mask.end()) touched();
  showState();
};
const acts = { invert: act((mask) => mask.invert()), clear: act((mask) => mask.clear()) };

export function undoDrawing(isRedo = false) {
  if (isRedo ? now.mask.redo() : now.mask.undo()) touched();
  showState();
}

function setTool(name, isErasing = settings.isErasing) {
  Object.assign(settings, { tool: name, isErasing });
  keep('brush', settings);
  drawTools();
}

function resizeBrush(factor) {
  settings.size = Math.min(2000, Math.max(1, Number((settings.size * factor).toPrecision(3))));
  keep('brush', settings);
  now.dials?.size.set(settings.size);
  placeRing(now.cursor);
}

function drawTools() {
  const toggle = (name, label, isOn, does) => iconButton(name, label, does, { 'aria-pressed': String(isOn) });
  const dial = (name, label, scale, unit) => {
    const made = new Dial({ name: `brush-${name}`, label, scale, unit, value: settings[name], moved: (value) => {
      settings[name] = value;
      keep('brush', settings);
    } });
    now.dials[name] = made;
    return made.element;
  };
  now.dials = {};
  const load = el('input', { type: 'file', accept: 'image/png,image/*', class: 'visually-hidden', tabindex: '-1', 'aria-hidden': 'true', 'data-file': 'mask', onchange: () => loadFile(load.files[0]) });
  const everywhere = el('label', { class: 'check' }, el('input', { type: 'checkbox', onchange: (event) => {
    settings.isEverywhere = event.target.checked;
    keep('brush', settings);
  } }), 'everywhere');
  everywhere.firstChild.checked = settings.isEverywhere;
  byId('draw-tools').hidden = false;
  byId('draw-tools').replaceChildren(
    el('div', { class: 'group' },
      toggle('brush', 'Brush (d)', settings.tool === 'brush' && !settings.isErasing, () => setTool('brush', false)),
      toggle('erase', 'Eraser (e)', settings.isErasing, () => setTool(settings.tool, !settings.isErasing)),
      toggle('lasso', 'Lasso (l)', settings.tool === 'lasso', () => setTool('lasso')),
      toggle('fill', 'Fill by colour (c)', settings.tool === 'fill', () => setTool('fill'))),
    el('div', { class: 'group dials-inline' },
      ...(settings.tool === 'brush' ? [dial('size', 'Size', byFactor(2, 600)), dial('soft', 'Soft edge', linear(0, 1, 0.05))] : []),
      ...(settings.tool === 'fill' ? [dial('tolerance', 'Likeness', linear(0, 100, 1)), everywhere] : [])),
    el('div', { class: 'group' },
      iconButton('undo', 'Undo (z)', () => undoDrawing(), { id: 'draw-undo' }), iconButton('redo', 'Redo (Z)', () => undoDrawing(true), { id: 'draw-redo' }),
      iconButton('invert', 'Invert (i)', acts.invert), iconButton('bin', 'Clear', acts.clear),
      iconButton('upload', 'Load a PNG', () => load.click()), iconButton('download', 'Save as PNG', saveFile), load),
    el('button', { type: 'button', class: 'primary small', id: 'draw-done', onclick: closeEditor }, icon('check'), 'Done'),
  );
  now.chip.replaceChildren(el('span', { class: 'dot' }), now.title, el('span', { id: 'draw-state' }));
  now.chip.querySelector('.dot').style.background = `rgb(${now.colour.join(' ')})`;
  showState();
}

function showState() {
  if (!now) return;
  const [undo, redo, line] = [byId('draw-undo'), byId('draw-redo'), byId('draw-state')];
  if (!line) return;
  undo.disabled = !now.mask.done.length;
  redo.disabled = !now.mask.undone.length;
  line.textContent = now.isUnsent ? ' …' : '';
  byId('draw-tools').dataset.sent = now.isUnsent ? 'no' : 'yes';
  byId('draw-tools').dataset.mask = now.maskId ?? '';
}

async function loadFile(file) {
  if (!file) return;
  try {
    const image = await createImageBitmap(file);
    act((mask) => mask.load(image))();
  } catch {
    complain(new Error(`${file.name} is no picture that this browser reads.`));
  }
}

async function saveFile() {
  const address = URL.createObjectURL(await now.mask.toPng());
  el('a', { href: address, download: `${now.title.replace(/[^\w-]+/g, '-')}.png` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

// --- keys; true where one was taken

const KEYS = {
  d: () => setTool('brush', false), e: () => setTool(settings.tool, !settings.isErasing), l: () => setTool('lasso'), c: () => setTool('fill'),
  i: acts.invert, '[': () => resizeBrush(1 / 1.15), ']': () => resizeBrush(1.15),
  z: () => undoDrawing(), Z: () => undoDrawing(true), Escape: () => (now.isPenDown ? tool.cancel() : closeEditor()),
};

export function drawingKey(event) {
  if (!now) return false;
  if (KEYS[event.key]) {
    KEYS[event.key]();
    return true;
  }
  if (event.target !== byId('view')) return false;
  const step = event.shiftKey ? 1 : Math.max(2, settings.size / 4);
  const [x, y] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key] ?? [];
  if (x !== undefined) {
    const point = { x: Math.min(now.mask.width, Math.max(0, now.cursor.x + x)), y: Math.min(now.mask.height, Math.max(0, now.cursor.y + y)) };
    if (now.isPenDown) tool.move(point, null);
    now.cursor = point;
    tool.flush();
    tool.hover(point);
    say(`${Math.round(point.x)}, ${Math.round(point.y)}`);
    return true;
  }
  if (event.key !== 'Enter') return false;
  if (now.isPenDown) {
    now.isPenDown = false;
    tool.up();
  } else {
    tool.down(now.cursor, null);
    now.isPenDown = settings.tool !== 'fill';
    if (!now.isPenDown) tool.up();
  }
  tool.hover(now.cursor);
  say(now.isPenDown ? 'Brush down' : 'Brush up');
  return true;
}
