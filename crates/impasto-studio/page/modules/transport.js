// What can be done with the run that is shown, how far it is, and what comes of it: export, command, again.
import { get, post } from './api.js';
import { about, byId, complain, debounce, dimensions, duration, el, icon, memory, notice, say } from './elements.js';
import { again } from './setup.js';
import { hasPicture, isLive, isOver, on, reload, setDraft, state } from './store.js';

const WORDS = { waiting: 'Waits in line', preparing: 'Getting ready', painting: 'Painting', paused: 'Paused', stopping: 'Stopping', stopped: 'Stopped', finished: 'Finished', failed: 'Failed' };
const FORMATS = [['png8', 'PNG'], ['png16', 'PNG, 16 bits'], ['jpeg', 'JPEG'], ['webp', 'WebP'], ['tiff', 'TIFF']];

export async function act(what, body) {
  const { id } = state;
  if (!id) return null;
  try {
    return await post(`/api/runs/${id}/${what}`, body);
  } catch (error) {
    complain(error);
    return null;
  }
}

export function pauseOrGoOn() {
  const { run } = state;
  if (run?.elsewhere) return;
  if (run?.state === 'painting' || run?.state === 'preparing') act('pause');
  else if (run?.state === 'paused' || run?.state === 'stopped') act('resume');
}
export const step = () => (state.run?.state === 'painting' ? act('pause') : act('step'));
export const stop = () => act('stop');
export const undo = (isRedo = false) => {
  if (!isLive(state.run)) return Object.keys(state.draft).length && !isRedo ? setDraft({}) : undefined;
  return act(isRedo ? 'redo' : 'undo').then((done) => {
    if (!done) return;
    say(isRedo ? 'The change is made again' : 'The change is undone');
    // A run that waits applies it later; the dials show it now.
    reload();
  });
};

// Painted on at twice the size, once its size and time were said: four times the pixels, for as many evaluations as a coarse size has.
export function larger() {
  const { run } = state;
  const dialog = byId('branch-dialog');
  const { iterations = run.evaluations, coarse_iterations: coarse = iterations } = run.recipe ?? {};
  const seconds = (4 * run.seconds * Math.min(coarse, iterations)) / Math.max(1, run.evaluations);
  const size = { width: 2 * run.size.width, height: 2 * run.size.height };
  const begin = async () => {
    dialog.close();
    const begun = await act('larger');
    if (begun) location.hash = `#run=${begun.id}`;
  };
  dialog.replaceChildren(el('form', { method: 'dialog', onsubmit: (event) => {
    event.preventDefault();
    begin();
  } },
  el('h2', { id: 'branch-heading' }, 'Larger'),
  el('p', {}, `This picture painted on at ${dimensions(size)}${seconds > 0 ? `, ${about(seconds)}` : ''}.`),
  el('div', { class: 'buttons' }, el('button', { type: 'button', class: 'quiet', onclick: () => dialog.close() }, 'Cancel'), el('button', { type: 'submit', class: 'primary', id: 'larger-go', autofocus: true }, 'Paint larger'))));
  dialog.showModal();
}

// --- branching: from where, with what

export function branch() {
  const { run, draft } = state;
  if (!run) return;
  const dialog = byId('branch-dialog');
  const from = el('input', { type: 'text', inputmode: 'numeric', id: 'branch-from', value: run.evaluation });
  const stopFirst = el('input', { type: 'checkbox', id: 'branch-stop' });
  stopFirst.checked = isLive(run);
  const changes = Object.keys(draft).length;
  const begin = async () => {
    const at = Number(from.value.trim());
    if (!Number.isInteger(at) || at < 0 || at > run.evaluation) return from.setAttribute('aria-invalid', 'true');
    dialog.close();
    const begun = await act('branch', { set: draft, ...(at === run.evaluation ? {} : { from: at }) });
    if (!begun) return undefined;
    if (stopFirst.checked && isLive(run)) await act('stop');
    if (changes) setDraft({});
    location.hash = `#run=${begun.id}`;
    return undefined;
  };
  dialog.replaceChildren(el('form', { method: 'dialog', onsubmit: (event) => {
    event.preventDefault();
    begin();
  } },
  el('h2', { id: 'branch-heading' }, 'Branch'),
  el('p', {}, changes ? 'A second run from this one, with the values that you moved.' : 'A second run from this one. Move its dials and compare.'),
  el('div', { class: 'row' }, el('label', { for: 'branch-from' }, 'From evaluation'), from),
  isLive(run) && el('label', { class: 'check', for: 'branch-stop' }, stopFirst, 'Stop this one, so that the branch paints now'),
  el('div', { class: 'buttons' }, el('button', { type: 'button', class: 'quiet', onclick: () => dialog.close() }, 'Cancel'), el('button', { type: 'submit', class: 'primary', id: 'branch-go', autofocus: true }, 'Branch'))));
  dialog.showModal();
}

// --- what comes of it

export function exportPart(run, after = () => {}) {
  return el('div', { class: 'menu' },
    ...FORMATS.map(([format, name]) => el('a', { href: `/api/runs/${run.id}/export?format=${format}`, download: '', 'data-format': format, onclick: after }, icon('download'), name)),
    el('hr'),
    el('button', { type: 'button', 'data-copy': 'command', onclick: () => copyCommand(run).then(after) }, icon('copy'), 'Copy as command'),
    el('button', { type: 'button', onclick: () => saveRecipe(run).then(after) }, icon('download'), 'Recipe file'));
}

async function copyCommand(run) {
  try {
    const { command } = await get(`/api/runs/${run.id}/command`);
    try {
      await navigator.clipboard.writeText(command);
      notice('Copied: paste it in a terminal.');
    } catch {
      notice(command, { stays: true });
    }
  } catch (error) {
    complain(error);
  }
}

async function saveRecipe(run) {
  try {
    const { recipe, recipe_file: name } = await get(`/api/runs/${run.id}/command`);
    const address = URL.createObjectURL(new Blob([JSON.stringify(recipe, null, 2)], { type: 'application/json' }));
    el('a', { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  } catch (error) {
    complain(error);
  }
}

// --- the bar

const bar = byId('transport');
const progress = el('progress', { 'aria-label': 'Evaluations', max: 1, value: 0 });
const facts = el('p', { class: 'facts' });
const draftBar = el('div', { class: 'draft', hidden: true }, el('span', {}, 'This run paints no more.'),
  el('button', { type: 'button', class: 'quiet', onclick: () => setDraft({}) }, 'Put back'), el('button', { type: 'button', class: 'primary small', id: 'branch-draft', onclick: branch }, icon('branch'), 'Branch with these values'));
const menu = el('div', { id: 'export-menu', popover: 'auto' });
const named = (name, id, label, keyName, does, isMain = false) => el('button', { type: 'button', id, class: isMain ? 'main' : '', title: `${label} (${keyName})`, onclick: does }, icon(name), el('span', {}, label));
const buttons = {
  pause: named('pause', 'pause', 'Pause', 'space', pauseOrGoOn, true), step: named('step', 'step', 'Step', 's', step), stop: named('stop', 'stop', 'Stop', 'shift x', stop),
  undo: named('undo', 'undo', 'Undo', 'z', () => undo()), redo: named('redo', 'redo', 'Redo', 'shift z', () => undo(true)),
  branch: named('branch', 'branch', 'Branch', 'b', branch), larger: named('larger', 'larger', 'Larger', 'l', larger),
  again: named('again', 'again', 'Again with…', 'a', () => again(state.run)), export: named('download', 'export', 'Export', 'x', () => openExport()),
};
bar.append(progress, draftBar, el('div', { class: 'buttons' }, ...Object.values(buttons)), facts, menu);

export function openExport() {
  if (buttons.export.disabled) return;
  menu.replaceChildren(exportPart(state.run, () => menu.hidePopover()));
  menu.showPopover();
  const { left, right, top } = buttons.export.getBoundingClientRect();
  menu.style.left = `${Math.max(8, Math.min(left, innerWidth - menu.offsetWidth - 8, right))}px`;
  menu.style.top = `${Math.max(8, top - menu.offsetHeight - 8)}px`;
  menu.querySelector('a').focus();
}

function drawFacts() {
  const { run } = state;
  progress.max = Math.max(1, run.evaluations);
  progress.value = Math.min(run.evaluations, run.evaluation);
  // A branch that begins anew comes first to where it leaves its parent.
  const isRepeating = run.state === 'painting' && run.evaluation < (run.branched_at ?? 0);
  const state_ = isRepeating ? `Repeats until ${run.branched_at}` : WORDS[run.state] ?? run.state;
  const parts = [
    ['state', state_], ['evaluation', `${run.evaluation} of ${run.evaluations}`],
    ['left', isLive(run) && run.state !== 'waiting' && run.seconds_left > 0 ? `${about(run.seconds_left)} left` : isOver(run) && run.seconds ? `in ${duration(run.seconds)}` : ''],
  ].filter(([, text]) => text);
  const more = byId('more-facts');
  if (more) {
    const size = run.painted?.width && run.painted.width < run.size.width ? `${dimensions(run.painted)} of ${dimensions(run.size)}` : run.size.width ? dimensions(run.size) : '';
    const text = [size, run.memory_mib ? memory(run.memory_mib) : '', run.device === 'auto' ? '' : run.device].filter(Boolean).join(' · ');
    if (more.textContent !== text) more.textContent = text;
  }
  if (facts.childElementCount !== parts.length) facts.replaceChildren(...parts.map(() => el('span')));
  parts.forEach(([name, text], at) => {
    const span = facts.children[at];
    span.dataset.fact = name;
    if (span.textContent !== text) span.textContent = text;
  });
  bar.dataset.state = run.state;
  document.title = isLive(run) && run.state !== 'waiting' ? `${Math.round((100 * run.evaluation) / Math.max(1, run.evaluations))} % ${run.name} · impasto` : `${run.name} · impasto`;
}

function drawButtons() {
  const { run } = state;
  const goesOn = run.state === 'paused' || run.state === 'stopped';
  const { pause } = buttons;
  if (pause.dataset.goes !== String(goesOn)) {
    pause.dataset.goes = String(goesOn);
    pause.replaceChildren(icon(goesOn ? 'play' : 'pause'), el('span', {}, goesOn ? 'Go on' : 'Pause'));
  }
  const mine = !run.elsewhere;
  const set = (name, can, isShown = true) => {
    if (buttons[name].disabled && can === false) {
      buttons[name].hidden = !isShown;
      return;
    }
    if (document.activeElement === buttons[name] && !can) byId('view').focus({ preventScroll: true });
    buttons[name].disabled = !can;
    buttons[name].hidden = !isShown;
  };
  const isDone = run.state === 'finished' || run.state === 'failed';
  set('pause', mine && ['preparing', 'painting', 'paused', 'stopped'].includes(run.state), !isDone);
  set('step', mine && run.state === 'paused', !isDone && run.state !== 'stopped');
  set('stop', mine && (isLive(run)), !isDone && run.state !== 'stopped');
  set('undo', mine && isLive(run) && run.can_undo !== false, !isOver(run));
  set('redo', mine && isLive(run) && run.can_redo !== false, !isOver(run));
  set('branch', run.evaluation > 0 || isOver(run));
  set('larger', run.state === 'finished', run.state === 'finished');
  set('again', Boolean(run.content));
  set('export', hasPicture(run));
  buttons.larger.classList.toggle('main', run.state === 'finished');
  draftBar.hidden = !Object.keys(state.draft).length || isLive(run);
}

let before = '';
on('run select', () => {
  const { run } = state;
  bar.hidden = false;
  byId('title').textContent = run.name ?? '';
  drawFacts();
  drawButtons();
  if (before !== `${run.id} ${run.state}`) {
    before = `${run.id} ${run.state}`;
    sayState(run);
  }
});
const sayState = debounce((run) => say(`${run.name}: ${WORDS[run.state] ?? run.state}${run.evaluation ? `, evaluation ${run.evaluation} of ${run.evaluations}` : ''}${run.error ? `. ${run.error}` : ''}`), 150);
on('iteration', () => {
  drawFacts();
  if (buttons.export.disabled || buttons.branch.disabled) drawButtons();
});
on('preview', () => { if (buttons.export.disabled) drawButtons(); });
// Beside a new picture stands what is being painted, one press away.
on('view runs iteration', () => {
  if (state.view !== 'setup') return;
  document.title = 'impasto studio';
  const busy = state.runs.find((run) => ['preparing', 'painting', 'paused'].includes(run.state));
  byId('title').replaceChildren(...(busy ? [el('a', { href: `#run=${busy.id}` }, busy.name)] : []));
});
on('view', () => {
  bar.hidden = state.view !== 'run' || document.body.dataset.drawing === 'yes';
});
