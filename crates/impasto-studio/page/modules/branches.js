// The tree of branches: each node a kept run, with its picture. It is the history.
import { previewAddress } from './api.js';
import { byId, digits, el } from './elements.js';
import { family, hasPicture, on, state } from './store.js';

const STEP_X = 124;
const STEP_Y = 66;
const place = byId('branches');

// What a branch is called: what was set when it began, or where it began.
const labelOf = (run) => (!run.parent ? run.name : run.branched_at === null ? 'larger' : `from ${run.branched_at}`);

function draw() {
  const members = state.id ? family(state.id) : [];
  place.hidden = members.length < 2 || state.view !== 'run' || document.body.dataset.drawing === 'yes';
  document.body.dataset.branches = place.hidden ? 'no' : 'yes';
  if (place.hidden) return place.replaceChildren();
  const signature = members.map(({ run, depth }) => `${run.id}${depth}`).join();
  if (place.dataset.signature !== signature || !place.firstChild) {
    place.dataset.signature = signature;
    build(members);
  }
  for (const { run } of members) {
    const node = place.querySelector(`[data-run="${run.id}"]`);
    node.toggleAttribute('aria-current', run.id === state.id);
    if (run.id === state.id) node.setAttribute('aria-current', 'true');
    node.dataset.state = run.state;
    const share = node.querySelector('.share');
    share.style.width = `${(100 * run.evaluation) / Math.max(1, run.evaluations)}%`;
    node.setAttribute('aria-label', `${labelOf(run)}, ${run.state}, evaluation ${run.evaluation} of ${run.evaluations}${run.loss ? `, loss ${digits(run.loss.total)}` : ''}`);
  }
  thumbnails(members);
  return undefined;
}

// A member goes right of its parent, in the parent's lane where that is free, else in a new one.
function lanes(members) {
  const spots = new Map();
  let lane = -1;
  members.forEach(({ run, depth }, at) => {
    const isFirstChild = at > 0 && members[at - 1].run.id === run.parent;
    if (!isFirstChild) lane += 1;
    spots.set(run.id, { x: 8 + depth * STEP_X, y: 8 + lane * STEP_Y });
  });
  return { spots, width: 16 + STEP_X * (1 + Math.max(...members.map(({ depth }) => depth))), height: 8 + STEP_Y * (lane + 1) };
}

function build(members) {
  const { spots, width, height } = lanes(members);
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  for (const [name, value] of Object.entries({ width, height, 'aria-hidden': 'true', class: 'twigs' })) svg.setAttribute(name, value);
  for (const { run } of members) {
    const [from, to] = [spots.get(run.parent), spots.get(run.id)];
    if (!from) continue;
    const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    const [x1, y1, x2, y2] = [from.x + 96, from.y + 28, to.x, to.y + 28];
    path.setAttribute('d', `M${x1} ${y1}C${x1 + 18} ${y1} ${x2 - 18} ${y2} ${x2} ${y2}`);
    svg.append(path);
  }
  const nodes = members.map(({ run }) => {
    const node = el('a', { href: `#run=${run.id}`, class: 'node', 'data-run': run.id, title: run.name }, el('img', { alt: '' }), el('span', { class: 'label' }, labelOf(run)), el('span', { class: 'share' }));
    Object.assign(node.style, { left: `${spots.get(run.id).x}px`, top: `${spots.get(run.id).y}px` });
    return node;
  });
  const tree = el('div', { class: 'tree' }, svg, ...nodes);
  Object.assign(tree.style, { width: `${width}px`, height: `${height}px` });
  place.replaceChildren(tree);
  place.querySelector(`[data-run="${state.id}"]`)?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
}

// Small pictures, renewed now and then; the run that is painted shows its own on the stage.
function thumbnails(members) {
  if (document.hidden) return;
  for (const { run } of members) {
    const image = place.querySelector(`[data-run="${run.id}"] img`);
    const isDue = !image.dataset.revision || (run.state !== 'painting' && image.dataset.revision !== String(run.revision));
    if (!hasPicture(run) || !isDue) continue;
    image.dataset.revision = run.revision;
    image.src = previewAddress(run, 128);
  }
}

on('runs select view', draw);
