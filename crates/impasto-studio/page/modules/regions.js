// Regions: parts of the picture that have a painting, or a part of one, of their own; and the emphasis, where the drawing is kept.
import { readNumber } from './dials.js';
import { byId, digits, el, icon, iconButton, say } from './elements.js';
import { openEditor } from './editor.js';
import { keep, recall } from './kept.js';
import { saveSetup, setup } from './setup.js';
import { change } from './steering.js';
import { emit, on, state } from './store.js';

const COLOURS = [[26, 150, 255], [255, 132, 40], [120, 205, 60], [214, 84, 206], [246, 204, 40], [30, 200, 178], [240, 70, 110], [140, 124, 250]];
const EMPHASIS = [255, 255, 255];

// Where regions are of now: the run that is shown, or the one to come.
function place() {
  if (state.view === 'setup') {
    return { key: 'setup', photo: setup.content, styles: setup.styles, value: setup.recipe, set: (set) => {
      Object.assign(setup.recipe, set);
      saveSetup();
    } };
  }
  const { run } = state;
  return { key: run.id, photo: run.content, styles: run.styles ?? [], value: { ...run.controls, ...state.draft, ...held }, set: (set) => {
    held = { ...held, ...set };
    change(set);
  } };
}

// What was sent and is not yet among the run's own values.
let held = {};
on('controls select', () => { held = {}; });

// Regions as the recipe has them, then those that nothing is drawn for yet.
const blanks = (key) => recall(`blank.${key}`, []);
function regionsOf({ key, value }) {
  const drawn = value.regions ?? [];
  return [...drawn, ...blanks(key).filter(({ name }) => !drawn.some((each) => each.name === name))];
}

function setRegions(at, regions) {
  keep(`blank.${at.key}`, regions.filter(({ mask, colour }) => !mask && !colour));
  const drawn = regions.filter(({ mask, colour }) => mask || colour);
  if (JSON.stringify(drawn) !== JSON.stringify(at.value.regions ?? [])) at.set({ regions: drawn, ...(drawn.length ? {} : { rest: 'painting' }) });
}

function vary(index, more) {
  const at = place();
  const regions = regionsOf(at).map((region, place) => (place === index ? clean({ ...region, ...more }) : region));
  setRegions(at, regions);
}
const clean = (region) => Object.fromEntries(Object.entries(region).filter(([, value]) => value !== null && value !== undefined));

function drawRegion(index, isOverPainting) {
  const at = place();
  const region = regionsOf(at)[index];
  const image = isOverPainting ? at.styles[(region.painting ?? 1) - 1] : at.photo;
  const field = isOverPainting ? 'painting_mask' : 'mask';
  openEditor({
    title: isOverPainting ? `${region.name}, over the painting` : region.name, image, colour: COLOURS[index % COLOURS.length],
    mask: region[field] ?? null, key: `${at.key} ${image.id} ${region.name} ${field}`,
    saved: (id) => vary(regionsOf(place()).findIndex(({ name }) => name === region.name), { [field]: id }),
    others: isOverPainting ? [] : regionsOf(at).map(({ mask }, other) => ({ mask: other === index ? null : mask, colour: COLOURS[other % COLOURS.length] })),
  });
}

function drawEmphasis() {
  const at = place();
  openEditor({ title: 'Emphasis: the drawing is kept here', image: at.photo, colour: EMPHASIS, mask: at.value.emphasis ?? null, key: `${at.key} ${at.photo.id} emphasis`, saved: (id) => place().set({ emphasis: id }) });
}

function row(region, index, at) {
  const dot = el('span', { class: 'dot' });
  dot.style.background = `rgb(${COLOURS[index % COLOURS.length].join(' ')})`;
  const name = el('input', { type: 'text', class: 'name', value: region.name, 'aria-label': `Name of region ${index + 1}`, maxlength: 60, onchange: () => {
    const wanted = name.value.trim();
    if (!wanted || regionsOf(place()).some((each, other) => other !== index && each.name === wanted)) name.value = region.name;
    else vary(index, { name: wanted });
  } });
  const painting = at.styles.length > 1 && el('select', { 'aria-label': `Painting of ${region.name}`, onchange: () => vary(index, { painting: Number(painting.value), painting_mask: null }) },
    ...at.styles.map((style, number) => el('option', { value: number + 1 }, style.name.replace(/\.\w+$/, ''))));
  if (painting) painting.value = region.painting ?? 1;
  const strength = el('input', { type: 'text', inputmode: 'decimal', class: 'number', title: 'Strength here, 0 to 2', 'aria-label': `Strength of ${region.name}`,
    value: digits(1 + Math.log(region.weight ?? 1) / Math.log(16)), onchange: () => {
      const value = readNumber(strength.value);
      if (value === null || value > 2) return strength.setAttribute('aria-invalid', 'true');
      strength.removeAttribute('aria-invalid');
      return vary(index, { weight: value === 1 ? null : Number((16 ** (value - 1)).toPrecision(3)) });
    } });
  return el('li', {}, dot, name, painting, strength,
    iconButton('brush', `Draw ${region.name} over the photo`, () => drawRegion(index, false), { 'data-draw': 'photo', 'aria-pressed': String(Boolean(region.mask)) }),
    iconButton('painting', `Draw the part of the painting for ${region.name}`, () => drawRegion(index, true), { 'data-draw': 'painting', 'aria-pressed': String(Boolean(region.painting_mask)) }),
    iconButton('bin', `Remove ${region.name}`, () => {
      setRegions(place(), regionsOf(place()).filter((_, other) => other !== index));
      emit('panel');
    }));
}

export function regionsPart() {
  const at = place();
  const regions = regionsOf(at);
  const rest = regions.length > 0 && el('select', { id: 'rest', onchange: () => place().set({ rest: rest.value }) },
    el('option', { value: 'painting' }, 'after the first painting'), el('option', { value: 'photo' }, 'as the photo has it'));
  if (rest) rest.value = at.value.rest ?? 'painting';
  const add = el('button', { type: 'button', class: 'quiet', id: 'add-region', onclick: () => {
    const known = regionsOf(place());
    let number = known.length + 1;
    while (known.some(({ name }) => name === `part ${number}`)) number += 1;
    setRegions(place(), [...known, { name: `part ${number}`, ...(at.styles.length > 1 ? { painting: Math.min(at.styles.length, number + 1) } : {}) }]);
    emit('panel');
    byId('regions')?.querySelector('li:last-child')?.scrollIntoView({ block: 'nearest' });
    drawRegion(known.length, false);
  } }, icon('plus'), 'Region');
  const emphasis = el('button', { type: 'button', class: 'quiet', title: 'White keeps the drawing, black lets it go; it helps faces', onclick: drawEmphasis, 'aria-pressed': String(Boolean(at.value.emphasis)) }, icon('eye'), 'Emphasis');
  const noEmphasis = at.value.emphasis && iconButton('bin', 'Remove the emphasis', () => {
    place().set({ emphasis: null });
    emit('panel');
  });
  const isOpen = regions.length > 0 || Boolean(at.value.emphasis) || recall('regions open', false);
  return el('details', { class: 'fold', id: 'regions', open: isOpen, ontoggle: (event) => keep('regions open', event.target.open) },
    el('summary', {}, 'Regions', regions.length ? el('small', {}, ` ${regions.length}`) : null),
    el('ul', { class: 'regions' }, ...regions.map((region, index) => row(region, index, at))),
    rest && el('div', { class: 'row' }, el('label', { for: 'rest' }, 'The rest'), rest),
    el('div', { class: 'row' }, add, emphasis, noEmphasis));
}

on('controls', () => {
  const part = byId('regions');
  if (!part || part.contains(document.activeElement)) return;
  part.replaceWith(regionsPart());
});
on('applied', ({ set }) => { if ('regions' in set) say('Regions changed'); });
