// Steering: dials of the run that is shown. What is moved is gathered for a moment and sent; it counts from the next evaluation on.
// On a run that paints no more it waits for a branch.
import { post } from './api.js';
import { BRUSH, COLOURS, CONTENT, Choice, Dial, SMOOTHNESS, STRENGTH, byFactor, fromZero, layersFold, shareDials } from './dials.js';
import { byId, complain, debounce, el, say } from './elements.js';
import { keep, recall } from './kept.js';
import { isLive, on, reload, setDraft, state } from './store.js';

const WAIT_MS = 220;
let dials = [];
let layerDials = [];

// --- sending

let unsent = {};
let isSending = false;

export function change(set, isDone = true) {
  if (!isLive(state.run)) return setDraft({ ...state.draft, ...set });
  Object.assign(unsent, set);
  keep(`unsent.${state.id}`, unsent);
  if (isDone) sendSoon.cancel();
  return isDone ? send() : sendSoon();
}

async function send() {
  const id = state.id;
  if (isSending || !Object.keys(unsent).length || !id) return;
  const set = unsent;
  unsent = {};
  isSending = true;
  try {
    const { before_evaluation: before } = await post(`/api/runs/${id}/params`, { set });
    if (before) showCounted(before);
  } catch (error) {
    complain(error);
    reload();
  } finally {
    isSending = false;
    keep(`unsent.${id}`, Object.keys(unsent).length ? unsent : null);
  }
  if (state.id === id) send();
  else unsent = {};
}
const sendSoon = debounce(send, WAIT_MS);
const hideSoon = debounce(() => { byId('counted').hidden = true; }, 3500);

function showCounted(before) {
  const line = byId('counted');
  line.textContent = `counts from evaluation ${before} on`;
  line.hidden = false;
  hideSoon();
  say(`Counts from evaluation ${before} on`);
}

// --- the panel

const valueOf = (name) => state.draft[name] ?? unsent[name] ?? state.run.controls[name];

export function steeringSection() {
  const { run } = state;
  const { controls, recipe = {} } = run;
  const begun = (name) => recipe[name] ?? controls[name];
  const one = (more) => {
    const dial = new Dial({ ...more, value: valueOf(more.name) ?? 0, moved: (value, isDone) => change({ [more.name]: value }, isDone) });
    dials.push(dial);
    if (begun(more.name) !== undefined) dial.mark(begun(more.name));
    return dial.element;
  };
  dials = [];
  layerDials = [];
  const parts = [];
  if ('strength' in controls) parts.push(one(STRENGTH));
  else if ('style_weight' in controls) parts.push(one({ name: 'style_weight', label: 'Style weight', scale: byFactor(begun('style_weight') / 16, begun('style_weight') * 16) }));
  if ('content_weight' in controls) parts.push(one({ ...CONTENT, scale: fromZero(begun('content_weight')) }));
  if ('tv_weight' in controls) parts.push(one({ ...SMOOTHNESS, scale: fromZero(begun('tv_weight')) }));
  if (controls.match_weight > 0) parts.push(one({ name: 'match_weight', label: 'Matching', scale: fromZero(begun('match_weight')), hint: 'How much each place is drawn to its nearest of the painting' }));
  if ('style_scale' in controls) parts.push(one(BRUSH));
  if ('colours' in controls) {
    const colours = new Choice({ name: 'colours', label: 'Colours', options: COLOURS, value: valueOf('colours'), moved: (value) => change({ colours: value }) });
    colours.name = 'colours';
    dials.push(colours);
    parts.push(colours.element);
  }
  const styles = run.styles ?? [];
  if (styles.length > 1) {
    const shares = shareDials(styles, valueOf('style_blend'), (value, isDone) => change({ style_blend: value }, isDone));
    shares.forEach((dial, at) => {
      dial.read = () => valueOf('style_blend')?.[at] ?? 1;
      dials.push(dial);
    });
    parts.push(el('fieldset', { class: 'shares tight' }, el('legend', {}, 'Shares of the paintings'), ...shares.map(({ element }) => element)));
  }
  if (controls.style_layers) parts.push(layersPart(begun('style_layers')));
  const section = el('section', { class: 'dials', 'aria-label': 'Steering' }, ...parts);
  setEnabled(section);
  return section;
}

function layersPart(layers) {
  const fold = layersFold(layers, valueOf('style_layers'), (layer, value, isDone) => change({ style_layers: { ...valueOf('style_layers'), [layer]: value } }, isDone));
  layerDials = fold.dials;
  return fold.element;
}

function setEnabled(section) {
  const isElsewhere = Boolean(state.run?.elsewhere);
  for (const input of section.querySelectorAll('input')) input.disabled = isElsewhere;
}

on('controls', () => {
  for (const dial of dials) {
    const value = dial.read ? dial.read() : valueOf(dial.name);
    if (value !== undefined && value !== null) dial.set(value);
  }
  for (const { layer, dial } of layerDials) dial.set(valueOf('style_layers')?.[layer] ?? 0);
});

// What a reload left unsent is sent now, where the run still paints.
on('select', () => {
  unsent = recall(`unsent.${state.id}`, {});
  if (isLive(state.run)) send();
  else unsent = {};
});
on('applied', ({ before_evaluation: before }) => showCounted(before));
