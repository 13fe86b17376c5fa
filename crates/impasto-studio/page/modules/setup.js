// A new picture: photo and painting, preset and size, and what it will take, said before.
import { imageAddress, post, upload } from './api.js';
import { BRUSH, COLOURS, CONTENT, Choice, Dial, SMOOTHNESS, STRENGTH, byFactor, fromZero, layersFold, shareDials } from './dials.js';
import { about, byId, complain, debounce, dimensions, dismiss, el, icon, iconButton, memory, notice, say } from './elements.js';
import { keep, recall } from './kept.js';
import { emit, on, state } from './store.js';

const EMPTY = { content: null, styles: [], preset: null, size: '512', recipe: {}, device: null, from: null };
export const setup = { ...EMPTY, ...recall('setup', {}) };
let forecastNow = null;

export function saveSetup() {
  keep('setup', setup);
  forecastSoon();
}

// --- what is dropped, pasted or picked

export async function take(files, kind) {
  for (const file of files) {
    const limit = state.studio?.limits?.upload_mib ?? 64;
    if (file.size > limit * 1024 * 1024) {
      notice(`${file.name} is larger than ${limit} MiB.`);
      continue;
    }
    const place = kind ?? (setup.content ? 'painting' : 'photo');
    const card = byId('setup').querySelector(`[data-kind="${place}"]`);
    card?.classList.add('busy');
    try {
      put(place, await upload(`/api/images?name=${encodeURIComponent(file.name || 'pasted.png')}`, file));
      dismiss(`take ${place}`);
    } catch (error) {
      notice(error.message, { key: `take ${place}`, stays: true });
    } finally {
      card?.classList.remove('busy');
    }
  }
}

function put(kind, image) {
  if (kind === 'photo') keep('blank.setup', null);
  if (kind === 'photo') Object.assign(setup, { content: image, recipe: { ...setup.recipe, regions: undefined, emphasis: undefined } });
  else if (!setup.styles.some(({ id }) => id === image.id)) setup.styles.push(image);
  say(`${image.name}, ${dimensions(image)} pixels`);
  saveSetup();
  draw();
}

// Its regions are after the first painting now, without the part that was drawn over it; the others keep theirs.
function takePaintingAway(at) {
  setup.styles.splice(at, 1);
  const ofThis = ({ painting_mask: _, ...region }) => ({ ...region, painting: 1 });
  const moved = (region) => ((region.painting ?? 1) === at + 1 ? ofThis(region) : (region.painting ?? 1) > at + 1 ? { ...region, painting: region.painting - 1 } : region);
  if (setup.recipe.regions) setup.recipe.regions = setup.recipe.regions.map(moved);
  const blank = recall('blank.setup', []);
  if (blank.length) keep('blank.setup', blank.map(moved));
}

// What a run was painted with at its end: its recipe, and where its dials stand.
const DIALS = ['content_weight', 'tv_weight', 'match_weight', 'style_scale', 'colours', 'style_blend', 'style_layers', 'regions', 'rest', 'emphasis'];

const CHOSEN = ['strength', 'style_scale', 'colours', 'style_blend', 'regions', 'rest', 'emphasis'];

export function again(run) {
  const { timeline, format, version, engine, content, styles, preset, size, strength, style_weight: weight, ...recipe } = run.recipe ?? {};
  const controls = run.controls ?? {};
  for (const name of DIALS) if (controls[name] !== undefined) recipe[name] = controls[name];
  if (controls.strength !== undefined) recipe.strength = controls.strength;
  else recipe.style_weight = controls.style_weight ?? weight;
  if ((run.styles?.length ?? 0) < 2) delete recipe.style_blend;
  for (const [name, value] of Object.entries(recipe)) if (value === null || value === undefined) delete recipe[name];
  Object.assign(setup, EMPTY, {
    content: run.content, styles: [...(run.styles ?? [])], preset: preset ?? run.preset, size: String(size ?? Math.max(run.size.width, run.size.height)), recipe, from: run.name,
  });
  saveSetup();
  location.hash = '#new';
  if (state.view === 'setup') draw();
}

const order = () => ({
  content: setup.content.id, styles: setup.styles.map(({ id }) => id),
  recipe: { ...setup.recipe, ...(setup.preset ? { preset: setup.preset } : {}), size: setup.size },
  ...(setup.device ? { device: setup.device } : {}),
});
const isWhole = () => Boolean(setup.content && setup.styles.length);

export async function paint() {
  if (!isWhole()) {
    const [example] = state.studio?.examples ?? [];
    if (!example || setup.content || setup.styles.length) return say(setup.content ? 'A painting is missing' : 'A photo is missing');
    Object.assign(setup, { content: example.content, styles: [example.style] });
  }
  const button = byId('paint');
  if (button?.getAttribute('aria-busy')) return undefined;
  button?.setAttribute('aria-busy', 'true');
  try {
    const { id } = await post('/api/runs', order());
    saveSetup();
    location.hash = `#run=${id}`;
  } catch (error) {
    complain(error);
  } finally {
    button?.removeAttribute('aria-busy');
  }
  return undefined;
}

// --- the forecast

const forecastSoon = debounce(async () => {
  const line = byId('forecast');
  if (!line) return;
  if (!isWhole()) {
    line.textContent = '';
    return;
  }
  if (!line.textContent) line.textContent = 'Measuring…';
  const asked = (forecastNow = {});
  line.classList.add('busy');
  try {
    const { seconds, memory_mib: mib, width, height } = await post('/api/forecast', order());
    if (asked !== forecastNow) return;
    line.classList.remove('bad', 'busy');
    line.replaceChildren(el('strong', {}, about(seconds)), `${width} × ${height} · ${memory(mib)}`);
    say(`${about(seconds)}, ${width} by ${height} pixels`);
  } catch (error) {
    if (asked !== forecastNow) return;
    line.classList.remove('busy');
    line.classList.add('bad');
    line.textContent = error.message;
  }
}, 250);

// --- the two cards

function examplesOf(kind) {
  const seen = new Map();
  for (const { content, style } of state.studio?.examples ?? []) {
    const image = kind === 'photo' ? content : style;
    seen.set(image.id, image);
  }
  return [...seen.values()];
}

function card(kind) {
  const isPhoto = kind === 'photo';
  const images = isPhoto ? [setup.content].filter(Boolean) : setup.styles;
  const file = el('input', { type: 'file', accept: 'image/*', multiple: !isPhoto, class: 'visually-hidden', tabindex: '-1', 'aria-hidden': 'true', 'data-file': kind, onchange: () => take(file.files, kind) });
  const open = () => file.click();
  const name = isPhoto ? 'Photo' : 'Painting';
  const frames = images.map((image, at) => el('figure', { class: 'frame' },
    el('img', { src: imageAddress(image.id, 768), alt: `${name}: ${image.name}`, draggable: 'false' }),
    el('figcaption', {}, el('span', {}, image.name), iconButton('close', `Take ${image.name} away`, () => {
      if (isPhoto) setup.content = null;
      else takePaintingAway(at);
      delete setup.recipe.style_blend;
      saveSetup();
      draw();
    }))));
  const target = images.length
    ? el('button', { type: 'button', class: 'more', onclick: open }, icon(isPhoto ? 'photo' : 'plus'), isPhoto ? 'another photo' : 'one more painting')
    : el('button', { type: 'button', class: 'drop', onclick: open }, icon(isPhoto ? 'photo' : 'painting'), el('strong', {}, name), el('small', {}, 'drop, paste or choose'));
  const samples = examplesOf(kind).filter((image) => !images.some(({ id }) => id === image.id));
  const row = el('div', { class: 'samples', role: 'group', 'aria-label': `Examples: ${name.toLowerCase()}` }, ...samples.map((image) => el('button', {
    type: 'button', title: image.name, 'aria-label': image.name, onclick: () => {
      if (!isPhoto && setup.styles.length === 1 && examplesOf(kind).some(({ id }) => id === setup.styles[0].id)) setup.styles = [];
      put(kind, image);
    },
  }, el('img', { src: imageAddress(image.id, 160), alt: '', loading: 'lazy' }))));
  return el('div', { class: `card${images.length ? ' filled' : ''}${images.length > 1 ? ' several' : ''}`, 'data-kind': kind }, file, el('div', { class: 'frames' }, ...frames, images.length ? null : target), el('div', { class: 'card-foot' }, images.length ? target : null, row));
}

// --- the panel

export function setupPanel(regionsPart) {
  const { studio } = state;
  const preset = el('select', { id: 'preset', onchange: () => {
    const was = String(valuesOf().size);
    setup.preset = preset.value;
    // What is the preset's own is the new one's now; what was chosen beside it stays.
    setup.recipe = Object.fromEntries(Object.entries(setup.recipe).filter(([name]) => CHOSEN.includes(name)));
    setup.from = null;
    // A size of one's own stays.
    if (valuesOf().size && setup.size === was) setup.size = String(valuesOf().size);
    saveSetup();
    emit('panel');
  } }, ...presets().map(({ name }) => el('option', { value: name }, name)));
  setup.preset ??= presets()[0]?.name ?? null;
  preset.value = setup.preset;
  const values = valuesOf();
  const aboutPreset = el('p', { class: 'about' }, studio?.presets?.find(({ name }) => name === setup.preset)?.about ?? '');
  const set = (name) => (value) => {
    setup.recipe[name] = value;
    if (name === 'strength') delete setup.recipe.style_weight;
    saveSetup();
  };
  const one = (spec, otherwise) => {
    const dial = new Dial({ ...spec, value: setup.recipe[spec.name] ?? otherwise, moved: set(spec.name) });
    dial.mark(otherwise);
    return dial.element;
  };
  const device = (studio?.devices?.length ?? 0) > 1 && el('select', { id: 'device', onchange: () => {
    setup.device = device.value;
    saveSetup();
  } }, ...studio.devices.map(({ id, name }) => el('option', { value: id }, name)));
  if (device) device.value = setup.device ?? studio.device;
  const shares = setup.styles.length > 1 && el('fieldset', { class: 'shares tight' }, el('legend', {}, 'Shares of the paintings'),
    ...shareDials(setup.styles, setup.recipe.style_blend, set('style_blend')).map(({ element }) => element));
  return [
    el('div', { class: 'scroll' },
      setup.from && el('p', { class: 'from' }, `Again with the recipe of ${setup.from}`, iconButton('close', 'A plain recipe', () => {
        Object.assign(setup, { recipe: {}, from: null });
        saveSetup();
        draw();
      })),
      el('div', { class: 'row' }, el('label', { for: 'preset' }, 'Preset'), preset), aboutPreset,
      sizePart(),
      one(STRENGTH, 1),
      ...[CONTENT, SMOOTHNESS].map((spec) => values[spec.name] !== undefined && one({ ...spec, scale: fromZero(values[spec.name]) }, values[spec.name])),
      one(BRUSH, 1),
      new Choice({ name: 'colours', label: 'Colours', options: COLOURS, value: setup.recipe.colours ?? 'painting', moved: set('colours') }).element,
      shares, values.style_layers && layersPart(values.style_layers), isWhole() && regionsPart(),
      device && el('div', { class: 'row' }, el('label', { for: 'device' }, 'Device'), device)),
    el('div', { class: 'panel-foot' }, el('p', { id: 'forecast', class: 'forecast' }),
      el('button', { id: 'paint', type: 'button', class: 'primary', onclick: paint, disabled: !isWhole() && Boolean(setup.content || setup.styles.length) },
        isWhole() || setup.content || setup.styles.length ? 'Paint' : 'Paint an example')),
  ];
}

// Presets that paint a photo after a painting; the other two take one image alone.
const presets = () => (state.studio?.presets ?? []).filter(({ name }) => name !== 'texture' && name !== 'reconstruction');

// What the preset has where nothing is chosen; the dials begin there.
const valuesOf = () => state.studio?.presets?.find(({ name }) => name === setup.preset)?.values ?? {};

function layersPart(usual) {
  const layers = { ...usual, ...setup.recipe.style_layers };
  return layersFold(usual, layers, (layer, value) => {
    layers[layer] = value;
    setup.recipe.style_layers = { ...layers };
    saveSetup();
  }).element;
}

function sizePart() {
  const edge = () => Math.max(...setup.size.split('x').map(Number)) || 512;
  const dial = new Dial({ name: 'size', label: 'Size', unit: 'long edge, pixels', scale: byFactor(128, 4096), value: edge(), least: 1, hint: '--size: a number, or a width and a height as 400x300', moved: (value) => {
    dial.value = Math.max(1, Math.round(value / (value > 256 ? 16 : 1)) * (value > 256 ? 16 : 1));
    setup.size = String(dial.value);
    dial.show();
    saveSetup();
  } });
  // A typed size is taken as it is, and may be a width and a height.
  dial.typed = () => {
    const text = dial.field.value.trim().replace(/\s*[×x*]\s*/i, 'x');
    const sides = /^[1-9]\d{0,4}(x[1-9]\d{0,4})?$/.test(text) ? text.split('x').map(Number) : [];
    if (!sides.length || sides.some((side) => side > 65535)) return dial.refuse('1 to 65535, or 400x300');
    setup.size = text;
    dial.value = edge();
    dial.show();
    dial.field.value = text;
    return saveSetup();
  };
  const show = dial.show.bind(dial);
  dial.show = () => {
    show();
    if (document.activeElement !== dial.field) dial.field.value = setup.size;
  };
  dial.show();
  return dial.element;
}

export function draw() {
  byId('setup').replaceChildren(el('div', { class: 'cards' }, card('photo'), card('painting')));
  emit('panel');
  forecastSoon();
}

// --- drop and paste, anywhere on the page

const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes('Files');
for (const name of ['dragenter', 'dragover']) {
  addEventListener(name, (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    const over = event.target.closest?.('[data-kind]');
    for (const each of document.querySelectorAll('[data-kind]')) each.classList.toggle('over', each === over || (!over && each.dataset.kind === (setup.content ? 'painting' : 'photo')));
  });
}
const calm = () => document.querySelectorAll('.over').forEach((each) => each.classList.remove('over'));
addEventListener('dragleave', (event) => { if (!event.relatedTarget) calm(); });
addEventListener('drop', (event) => {
  calm();
  if (!hasFiles(event)) return;
  event.preventDefault();
  const kind = event.target.closest?.('[data-kind]')?.dataset.kind;
  if (state.view !== 'setup') {
    Object.assign(setup, { ...EMPTY, recipe: {} });
    location.hash = '#new';
  }
  take(event.dataTransfer.files, kind);
});
addEventListener('paste', (event) => {
  const files = [...(event.clipboardData?.files ?? [])].filter(({ type }) => type.startsWith('image/'));
  if (!files.length || state.view !== 'setup') return;
  event.preventDefault();
  take(files, document.activeElement?.closest?.('[data-kind]')?.dataset.kind);
});

on('view', () => {
  byId('setup').hidden = state.view !== 'setup' || document.body.dataset.drawing === 'yes';
  if (state.view === 'setup') draw();
});
