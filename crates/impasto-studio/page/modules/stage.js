// The stage: the picture in front of its photo, the slider that wipes between them, zoom and full screen.
import { imageAddress, previewAddress } from './api.js';
import { byId, dimensions, el, iconButton } from './elements.js';
import { Pictures } from './pictures.js';
import { hasPicture, on, sizeOf, state } from './store.js';
import { View } from './view.js';

const sheet = byId('sheet');
const wipe = byId('wipe');
const note = byId('stage-note');
export const view = new View(byId('view'), sheet, placed);

let wiped = 0;
let isDrawing = false;
const zoomField = el('input', { type: 'text', inputmode: 'numeric', class: 'zoom', 'aria-label': 'Zoom in per cent', onchange: () => {
  const zoom = parseFloat(zoomField.value) / 100;
  if (zoom > 0) view.zoomTo(zoom);
  placed();
} });

byId('view-tools').append(
  iconButton('minus', 'Smaller (−)', () => view.zoomTo(view.zoom / 1.4)), zoomField, iconButton('plus', 'Larger (+)', () => view.zoomTo(view.zoom * 1.4)),
  iconButton('fit', 'All of it (0)', () => view.fit()), iconButton('full', 'Full screen (f)', fullScreen),
);

export function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else byId('stage').requestFullscreen?.();
}

// Pictures are asked for as large as they are shown, from 512 pixels on, and never larger than they are.
function longEdge(size) {
  const shown = Math.max(size.width, size.height) * view.zoom;
  const all = Math.max(size.width, size.height);
  return Math.min(all, [512, 1024, 2048, 4096].find((edge) => edge >= shown * 0.75) ?? all);
}

const put = (id) => (image, detail) => {
  const old = byId(id);
  image.id = id;
  image.alt = id === 'photo' ? 'The photo' : 'The picture so far';
  image.draggable = false;
  old.replaceWith(image);
  if (id === 'picture') sheet.dataset.revision = Math.max(1, detail.revision);
  showWipe();
};
const photos = new Pictures(put('photo'));
const pictures = new Pictures(put('picture'));

function resize() {
  const { width, height } = sizeOf(state.run);
  view.resize(width, height);
}

function placed() {
  if (document.activeElement !== zoomField) zoomField.value = `${Math.round(view.zoom * 100)} %`;
  showWipe();
  fetchPictures();
}

// What lies on the stage: the run's picture, or an image that is drawn on.
let drawnOn = null;
function fetchPictures() {
  const run = state.run;
  const photo = drawnOn ?? run?.content;
  if (photo) photos.want(imageAddress(photo.id, longEdge(photo)), {});
  if (hasPicture(run) && !drawnOn) pictures.want(previewAddress(run, longEdge(sizeOf(run))), { revision: run.revision });
}

export function showWipe() {
  const picture = byId('picture');
  const photo = byId('photo');
  const isShown = Boolean(picture.src) && hasPicture(state.run) && !drawnOn;
  picture.hidden = !isShown;
  photo.hidden = !photo.src;
  wipe.hidden = !isShown || !photo.src;
  picture.style.clipPath = wiped > 0 ? `inset(0 0 0 ${wiped * 100}%)` : 'none';
  const bounds = view.bounds();
  const at = view.x + wiped * view.width * view.scale;
  const edge = wiped <= 0 || wiped >= 1 ? 20 : 0;
  wipe.style.left = `${Math.min(bounds.width - edge, Math.max(edge, at))}px`;
  const top = Math.max(0, view.y);
  wipe.style.top = `${top}px`;
  wipe.style.height = `${Math.max(0, Math.min(bounds.height, view.y + view.height * view.scale) - top)}px`;
  wipe.setAttribute('aria-valuenow', Math.round(wiped * 100));
  wipe.setAttribute('aria-valuetext', wiped <= 0 ? 'the picture alone' : wiped >= 1 ? 'the photo alone' : `${Math.round(wiped * 100)} per cent photo`);
  wipe.classList.toggle('parked', wiped <= 0 || wiped >= 1);
}

export function wipeTo(share) {
  wiped = Math.min(1, Math.max(0, share));
  showWipe();
}

wipe.addEventListener('pointerdown', (event) => {
  event.preventDefault();
  wipe.setPointerCapture(event.pointerId);
  wipe.focus();
});
wipe.addEventListener('pointermove', (event) => {
  if (wipe.hasPointerCapture(event.pointerId)) wipeTo(view.toSheet(event).x / view.width);
});
wipe.addEventListener('keydown', (event) => {
  const step = event.shiftKey ? 0.1 : 0.02;
  const to = { ArrowLeft: wiped - step, ArrowRight: wiped + step, ArrowDown: wiped - step, ArrowUp: wiped + step, PageDown: wiped - 0.1, PageUp: wiped + 0.1, Home: 0, End: 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  wipeTo(to);
});

byId('view').addEventListener('keydown', (event) => {
  if (event.target !== byId('view') || isDrawing) return;
  const step = event.shiftKey ? 160 : 40;
  const [x, y] = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key] ?? [];
  if (x === undefined) return;
  event.preventDefault();
  view.moveBy(x, y);
});

// An image is laid on the stage to be drawn on, by a tool; null for the run's picture again.
export function drawOn(image, size, tool) {
  drawnOn = image;
  isDrawing = Boolean(image);
  view.tool = tool;
  document.body.dataset.drawing = isDrawing ? 'yes' : 'no';
  photos.forget();
  pictures.forget();
  if (image) {
    byId('photo').removeAttribute('src');
    view.resize(size.width, size.height);
  } else if (state.run) resize();
  view.fit();
  fetchPictures();
  showNote();
}

function ordinal(place) {
  return ['', 'first', 'second', 'third', 'fourth', 'fifth'][place] ?? `${place}th`;
}

function showNote() {
  const run = state.run;
  const words = !run || drawnOn ? '' : {
    waiting: `Waits in line, ${ordinal(run.place_in_line ?? 1)}`, preparing: 'Getting ready', stopping: 'Stopping', failed: run.error ?? 'It failed.',
  }[run.state] ?? '';
  note.textContent = run?.elsewhere && run.state === 'painting' && !drawnOn ? 'A terminal paints it' : words;
  // One that waits for a paused one would wait for ever.
  const paused = run?.state === 'waiting' && words && state.runs.find((other) => other.state === 'paused' && !other.elsewhere);
  if (paused) note.append(' behind ', el('a', { href: `#run=${paused.id}`, onpointerdown: (event) => event.stopPropagation() }, paused.name), ', which is paused');
  note.hidden = !note.textContent;
  note.classList.toggle('bad', run?.state === 'failed');
}

on('select', () => {
  photos.forget();
  pictures.forget();
  for (const id of ['photo', 'picture']) byId(id).removeAttribute('src');
  delete sheet.dataset.revision;
  wiped = 0;
  resize();
  view.fit();
});
on('run', () => {
  if (!drawnOn && state.run) resize();
  showNote();
  fetchPictures();
  showWipe();
});
on('preview', fetchPictures);
on('iteration', () => byId('picture').setAttribute('alt', `The picture at evaluation ${state.run.evaluation}, ${dimensions(state.run.painted)} pixels`));
on('view', () => {
  byId('stage').hidden = state.view !== 'run' && !isDrawing;
  if (state.view === 'run') requestAnimationFrame(() => view.fit());
});
