// The studio's page: from the address to what is shown.
import { get } from './api.js';
import { curvesPart } from './curves.js';
import { closeEditor, isOpen } from './editor.js';
import { byId, complain, el, notice } from './elements.js';
import { regionsPart } from './regions.js';
import { setupPanel } from './setup.js';
import { listen, on, show, state } from './store.js';
import { steeringSection } from './steering.js';
import './branches.js';
import './keys.js';
import './runs.js';
import './stage.js';
import './transport.js';

const panel = byId('panel');

function drawPanel() {
  const focused = document.activeElement?.id;
  if (state.view === 'setup') panel.replaceChildren(...setupPanel(regionsPart));
  else if (state.run) panel.replaceChildren(el('div', { class: 'scroll' }, steeringSection(), regionsPart(), curvesPart()), el('p', { id: 'more-facts', class: 'more-facts' }));
  else panel.replaceChildren();
  panel.dataset.view = state.view;
  if (focused) byId(focused)?.focus({ preventScroll: true });
}
on('panel select', drawPanel);
// A run has its dials once it is prepared; then, and where it gets others, the panel is made anew.
let dialNames = '';
on('controls', () => {
  const { style_layers: layers, style_blend: shares } = state.run.recipe ?? {};
  const names = JSON.stringify([Object.keys(state.run.controls).sort(), layers, shares]);
  if (names === dialNames && panel.dataset.run === state.id) return;
  dialNames = names;
  panel.dataset.run = state.id;
  drawPanel();
});
on('view', () => { if (state.view !== 'setup') drawPanel(); });

async function route() {
  if (isOpen()) await closeEditor();
  const [, id] = /^#run=([\w-]+)$/.exec(location.hash) ?? [];
  if (id || location.hash === '#new') return show(id ?? null);
  // Nothing is asked for: what is being painted, or else a new picture.
  try {
    state.runs = (await get('/api/runs')).runs;
  } catch (error) {
    complain(error);
  }
  const busy = state.runs.find((run) => ['preparing', 'painting', 'paused', 'stopping'].includes(run.state));
  history.replaceState(null, '', busy ? `#run=${busy.id}` : '#new');
  return show(busy?.id ?? null);
}

async function begin() {
  try {
    state.studio = await get('/api/studio');
  } catch (error) {
    notice(error.message, { key: 'lost', stays: true, action: { label: 'Try again', act: begin } });
    return;
  }
  addEventListener('hashchange', route);
  await route();
  listen();
  document.body.dataset.ready = 'yes';
  performance.mark('ready');
}
begin();
