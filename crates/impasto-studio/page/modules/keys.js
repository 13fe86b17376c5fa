// Keys, for everything; and the overlay that says them.
import { drawingKey, isOpen } from './editor.js';
import { byId, el, iconButton } from './elements.js';
import { openRuns } from './runs.js';
import { again, paint } from './setup.js';
import { fullScreen, view, wipeTo } from './stage.js';
import { state } from './store.js';
import { branch, larger, openExport, pauseOrGoOn, step, stop, undo } from './transport.js';

const SHEETS = [
  ['The picture', [['1', 'the photo'], ['2', 'the picture'], ['+ −', 'zoom'], ['0', 'all of it'], ['← → ↑ ↓', 'move'], ['f', 'full screen']]],
  ['The run', [['space', 'pause, go on'], ['s', 'step'], ['X', 'stop'], ['z Z', 'undo, redo a change'], ['b', 'branch'], ['l', 'larger'], ['x', 'export'], ['a', 'again with…']]],
  ['The studio', [['n', 'a new picture'], ['p', 'paint'], ['r', 'runs'], ['?', 'these keys'], ['Esc', 'back']]],
  ['Drawing', [['d', 'brush'], ['e', 'eraser'], ['l', 'lasso'], ['c', 'fill by colour'], ['[ ]', 'size'], ['i', 'invert'], ['z Z', 'undo, redo'], ['← → ↑ ↓', 'move the brush'], ['↵', 'put it down, lift it'], ['Esc', 'done']]],
];

function keysSwitch() {
  const box = el('input', { type: 'checkbox', onchange: () => {
    isOn = box.checked;
    try {
      localStorage.setItem('impasto.keys', isOn ? 'on' : 'off');
    } catch {
      // Then it holds as long as the page.
    }
  } });
  box.checked = isOn;
  return el('label', { class: 'check' }, box, 'Keys work');
}

export function openHelp() {
  const dialog = byId('help-dialog');
  dialog.replaceChildren(
    el('header', {}, el('h2', { id: 'help-heading' }, 'Keys'), keysSwitch(), iconButton('close', 'Close (Esc)', () => dialog.close())),
    el('div', { class: 'sheets' }, ...SHEETS.map(([name, keys]) => el('section', {}, el('h3', {}, name),
      el('dl', {}, ...keys.flatMap(([key, what]) => [el('dt', {}, ...key.split(/ (?=\S)/).map((each) => el('kbd', {}, each))), el('dd', {}, what)]))))));
  dialog.showModal();
}

const newPicture = () => { location.hash = '#new'; };
const ALWAYS = { '?': openHelp, n: newPicture, r: openRuns };
const RUN = {
  ' ': pauseOrGoOn, s: step, X: stop, z: () => undo(), Z: () => undo(true), b: branch, l: () => state.run?.state === 'finished' && larger(),
  x: openExport, a: () => state.run?.content && again(state.run), 1: () => wipeTo(1), 2: () => wipeTo(0), 0: () => view.fit(), f: fullScreen,
  '+': () => view.zoomTo(view.zoom * 1.4), '=': () => view.zoomTo(view.zoom * 1.4), '-': () => view.zoomTo(view.zoom / 1.4),
};
const VIEW = [' ', '0', '+', '=', '-', 'f'];

// Single keys can be switched off, for those whose voice or reader sends letters.
let isOn = true;
try {
  isOn = localStorage.getItem('impasto.keys') !== 'off';
} catch {
  // Where nothing may be kept, keys work.
}

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector('dialog[open]')) return;
  const { target } = event;
  const isTyped = target.matches('input:not([type=range], [type=radio], [type=checkbox]), select, textarea');
  const isPressed = target.matches('button, a, summary, [type=radio], [type=checkbox]');
  if (!isOn && event.key !== '?' && event.key !== 'Escape') return;
  if (isTyped || (isPressed && (event.key === ' ' || event.key === 'Enter'))) return;
  if (isOpen() && drawingKey(event)) return void event.preventDefault();
  if (isOpen() && !VIEW.includes(event.key)) return;
  const does = (state.view === 'run' || isOpen() ? RUN[event.key] : event.key === 'p' ? paint : null) ?? (isOpen() ? null : ALWAYS[event.key]);
  if (!does || event.repeat) return;
  event.preventDefault();
  does();
});

byId('open-help').addEventListener('click', openHelp);
byId('open-runs').addEventListener('click', openRuns);
byId('open-new').addEventListener('click', newPicture);
for (const dialog of document.querySelectorAll('dialog')) {
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
}
