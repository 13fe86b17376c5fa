// What the page knows. The server is the truth: whatever stands here came from it, but for `draft`, values moved on a run that
// paints no more, which wait for a branch.
import { Events, get } from './api.js';
import { complain, debounce, dismiss, notice } from './elements.js';
import { keep, recall } from './kept.js';

export const state = { studio: null, runs: [], id: null, run: null, draft: {}, view: 'loading' };

const listeners = new Map();
export function on(name, act) {
  for (const each of name.split(' ')) listeners.set(each, [...(listeners.get(each) ?? []), act]);
}
export function emit(name, detail) {
  for (const act of listeners.get(name) ?? []) act(detail);
}

export const isLive = (run) => ['waiting', 'preparing', 'painting', 'paused'].includes(run?.state) && !run.elsewhere;
export const isOver = (run) => ['stopped', 'finished', 'failed'].includes(run?.state);

const events = new Events({
  snapshot({ runs }) {
    state.runs = runs ?? [];
    emit('runs');
    if (state.id) load();
  },
  iteration(told) {
    if (told.id !== state.id || !state.run) return note(told.id, told);
    const { loss } = told;
    const losses = state.run.losses;
    while (losses.evaluation.length && losses.evaluation.at(-1) >= told.evaluation) cutLast(losses);
    losses.evaluation.push(told.evaluation);
    for (const column of ['total', 'content', 'style']) losses[column].push(loss[column]);
    for (const [layer, value] of Object.entries(loss.layers ?? {})) (losses.layers[layer] ??= []).push(value);
    Object.assign(state.run, { ...told, loss });
    note(told.id, told);
    emit('iteration');
  },
  preview({ id, revision }) {
    const known = state.runs.find((run) => run.id === id);
    if (known) known.revision = revision;
    if (id !== state.id || !state.run) return;
    state.run.revision = revision;
    emit('preview');
  },
  applied(told) {
    if (told.id !== state.id) return;
    emit('applied', told);
    reload();
  },
  state(run) {
    const at = state.runs.findIndex((each) => each.id === run.id);
    if (at < 0) state.runs.unshift(run);
    else Object.assign(state.runs[at], run);
    emit('runs');
    if (run.id !== state.id || !state.run) return;
    const isOther = run.state !== state.run.state;
    Object.assign(state.run, run);
    emit('run');
    // With its stage come others of its values: the dials of one that has begun, the losses of one that is over.
    if (isOther) reload();
  },
  error({ id, error }) {
    if (id === state.id) notice(error, { stays: true });
  },
}, (sentence) => {
  if (sentence) notice(sentence, { key: 'lost', stays: true });
  else dismiss('lost');
});

function cutLast(losses) {
  for (const column of [losses.evaluation, losses.total, losses.content, losses.style, ...Object.values(losses.layers)]) column.pop();
}

function note(id, told) {
  const known = state.runs.find((run) => run.id === id);
  if (known) Object.assign(known, { evaluation: told.evaluation, seconds: told.seconds, seconds_left: told.seconds_left });
}

function takeRun(run) {
  run.losses = { evaluation: [], total: [], content: [], style: [], layers: {}, ...run.losses };
  run.controls ??= {};
  const isNew = state.run?.id !== run.id;
  state.run = run;
  if (isNew) {
    state.draft = recall(`draft.${run.id}`, {});
    emit('select');
  }
  emit('run');
  emit('controls');
}

// The run that is shown, as the server has it now. Of several answers the one that was asked for last counts.
let asked = 0;
async function load() {
  const id = state.id;
  if (!id) return;
  asked += 1;
  const mine = asked;
  try {
    const run = await get(`/api/runs/${id}`);
    if (mine === asked && state.id === id) takeRun(run);
  } catch (error) {
    if (state.id !== id) return;
    complain(error);
    if (error.status === 404) location.hash = '#new';
  }
}
export const reload = debounce(load, 120);

export const listen = () => events.open();

export function setDraft(set) {
  state.draft = set;
  keep(`draft.${state.id}`, Object.keys(set).length ? set : null);
  emit('controls');
  emit('run');
}

// Whether there is a picture to ask for. One that is over has its last in its folder, whatever revision that was.
export const hasPicture = (run) => run?.revision > 0 || (isOver(run) && run.evaluation > 0);

// A picture's size is known once its photo is read; until then the photo's own stands for it.
export function sizeOf(run) {
  if (run?.size?.width > 0) return run.size;
  return run?.content ? { width: run.content.width, height: run.content.height } : { width: 512, height: 384 };
}

// Shows a run, or none for a new picture.
export function show(id) {
  state.view = id ? 'run' : 'setup';
  if (state.id !== id) {
    state.id = id;
    state.run = null;
  }
  document.body.dataset.view = state.view;
  emit('view');
  if (id) load();
}

// The run with all that descends from the run it began with.
export function family(id) {
  const byName = new Map(state.runs.map((run) => [run.id, run]));
  let root = byName.get(id);
  while (root?.parent && byName.has(root.parent)) root = byName.get(root.parent);
  const members = [];
  const add = (run, depth) => {
    members.push({ run, depth });
    state.runs.filter((each) => each.parent === run.id).sort((a, b) => a.created_s - b.created_s).forEach((each) => add(each, depth + 1));
  };
  if (root) add(root, 0);
  return members;
}
