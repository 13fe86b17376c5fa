// The gallery of kept runs, those of a terminal too.
import { get, previewAddress, remove } from './api.js';
import { byId, complain, digits, dimensions, duration, el, icon, iconButton, notice } from './elements.js';
import { again } from './setup.js';
import { exportPart } from './transport.js';
import { hasPicture, isOver, on, state } from './store.js';

const dialog = byId('runs-dialog');
let filter = '';

export function openRuns() {
  dialog.replaceChildren(
    el('header', {}, el('h2', { id: 'runs-heading' }, 'Runs'),
      el('input', { type: 'search', placeholder: 'Name, preset, state', 'aria-label': 'Find runs', value: filter, oninput: (event) => {
        filter = event.target.value.toLowerCase();
        draw();
      } }), iconButton('close', 'Close (Esc)', () => dialog.close())),
    el('ul', { class: 'gallery' }));
  dialog.showModal();
  draw();
}

function dated(seconds) {
  return new Date(seconds * 1000).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
}

const noPicture = () => el('span', { class: 'no-picture' }, icon('painting'));

function item(run) {
  const details = () => get(`/api/runs/${run.id}`);
  const menu = el('div', { popover: 'auto', class: 'run-menu', id: `menu-${run.id}` });
  const curve = el('canvas', { class: 'spark', 'aria-hidden': 'true', width: 400, height: 60 });
  const words = [run.state === 'finished' ? '' : run.state, run.size.width ? dimensions(run.size) : '', run.preset, run.seconds ? duration(run.seconds) : '', run.elsewhere ? 'in a terminal' : ''].filter(Boolean);
  const recipe = el('details', { class: 'recipe', ontoggle: async () => {
    if (!recipe.open || recipe.querySelector('pre')) return;
    try {
      const whole = await details();
      recipe.append(el('pre', { tabindex: '0' }, JSON.stringify({ ...whole.recipe, timeline: whole.timeline }, null, 1)));
      spark(curve, whole.losses?.total ?? []);
      curve.hidden = false;
    } catch (error) {
      complain(error);
    }
  } }, el('summary', {}, 'Recipe and curve'), curve);
  curve.hidden = true;
  return el('li', { 'data-state': run.state, 'data-run': run.id },
    el('a', { href: `#run=${run.id}`, onclick: () => dialog.close() },
      hasPicture(run) ? el('img', { src: previewAddress(run, 384), alt: `Picture of ${run.name}`, loading: 'lazy', onerror: (event) => event.target.replaceWith(noPicture()) }) : noPicture(),
      el('strong', {}, run.name), el('small', {}, words.join(' · ')), el('small', {}, dated(run.created_s), run.loss ? ` · loss ${digits(run.loss.total)}` : '')),
    el('div', { class: 'buttons' },
      el('button', { type: 'button', class: 'quiet', onclick: async () => {
        try {
          again(await details());
          dialog.close();
        } catch (error) {
          complain(error);
        }
      } }, icon('again'), 'Again with…'),
      hasPicture(run) && iconButton('download', `Export ${run.name}`, (event) => {
        menu.replaceChildren(exportPart(run, () => menu.hidePopover()));
        menu.showPopover();
        const { left, bottom } = event.target.closest('button').getBoundingClientRect();
        menu.style.left = `${Math.min(left, innerWidth - menu.offsetWidth - 8)}px`;
        menu.style.top = `${Math.min(bottom + 4, innerHeight - menu.offsetHeight - 8)}px`;
      }),
      isOver(run) && !run.elsewhere && deleteButton(run), menu),
    recipe);
}

// Twice pressed, it is gone.
function deleteButton(run) {
  const button = iconButton('bin', `Delete ${run.name}`, async () => {
    if (button.dataset.sure !== 'yes') {
      button.dataset.sure = 'yes';
      button.replaceChildren(el('span', {}, 'Delete?'));
      setTimeout(() => {
        delete button.dataset.sure;
        button.replaceChildren(icon('bin'));
      }, 4000);
      return;
    }
    try {
      await remove(`/api/runs/${run.id}`);
      state.runs = state.runs.filter(({ id }) => id !== run.id);
      if (state.id === run.id) location.hash = '#new';
      draw();
      notice(`${run.name} is deleted.`);
    } catch (error) {
      complain(error);
    }
  });
  return button;
}

function spark(canvas, values) {
  const context = canvas.getContext('2d');
  const logs = values.filter((value) => value > 0).map(Math.log);
  const [least, most] = [Math.min(...logs), Math.max(...logs)];
  context.strokeStyle = getComputedStyle(canvas).getPropertyValue('--curve-1');
  context.lineWidth = 2;
  logs.forEach((value, at) => context.lineTo((at / Math.max(1, logs.length - 1)) * 398 + 1, 56 - (52 * (value - least)) / Math.max(1e-9, most - least)));
  context.stroke();
}

function draw() {
  const list = dialog.querySelector('.gallery');
  if (!dialog.open || !list) return;
  const runs = state.runs.filter((run) => `${run.name} ${run.preset} ${run.state}`.toLowerCase().includes(filter));
  const signature = runs.map((run) => `${run.id}${run.state}`).join();
  if (list.dataset.signature === signature && list.firstChild) return;
  list.dataset.signature = signature;
  list.replaceChildren(...runs.map(item));
  if (!runs.length) list.replaceChildren(el('li', { class: 'none' }, filter ? 'None of that kind.' : 'Nothing is painted yet.'));
}

on('runs', draw);
