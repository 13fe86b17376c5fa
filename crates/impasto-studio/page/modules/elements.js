// Making elements, saying things, and words for numbers.

export const byId = (id) => document.getElementById(id);

// el('button', { class: 'quiet', onclick: act, 'aria-pressed': 'true' }, 'text', child...)
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'value') element.value = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const ICONS = {
  pause: 'M8 5v14M16 5v14',
  play: 'M7 4.5v15l12-7.5z',
  step: 'M6 5v14l9-7zM19 5v14',
  stop: 'M6 6h12v12H6z',
  undo: 'M8 5 4 9l4 4M4 9h10a6 6 0 0 1 0 12h-3',
  redo: 'm16 5 4 4-4 4M20 9H10a6 6 0 0 0 0 12h3',
  branch: 'M6 4v16M6 14c0-5 12-2 12-8M15 8l3-3 3 3',
  larger: 'M4 10V4h6M14 20h6v-6M4 4l7 7M20 20l-7-7',
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  fit: 'M4 4h16v16H4zM9 9h6v6H9z',
  full: 'M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5',
  brush: 'M20 3 10 13M7 14a3.5 3.5 0 0 0-3 6c3 1 7 0 7-4a3 3 0 0 0-4-2z',
  lasso: 'M12 4c5 0 9 2.500 9 6s-4 6-9 6-9-2.500-9-6 4-6 9-6zM7 15c-2 2 0 4 1 6',
  fill: 'm11 3 8 8-7 7-8-7zM20 15s2 2.500 2 4a2 2 0 0 1-4 0c0-1.500 2-4 2-4z',
  erase: 'm14 4 6 6-9 9H7l-4-4zM9 9l6 6M11 20h10',
  invert: 'M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18',
  check: 'm5 13 4 4L19 7',
  close: 'm6 6 12 12M18 6 6 18',
  bin: 'M5 7h14M10 3h4M7 7l1 13h8l1-13',
  download: 'M12 4v11M7 11l5 5 5-5M5 20h14',
  upload: 'M12 16V5M7 9l5-5 5 5M5 20h14',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  again: 'M20 12a8 8 0 1 1-3-6.200M20 3v4h-4',
  photo: 'M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.500 9h.01',
  painting: 'M5 5h14v14H5zM8 8h8v8H8zM9 15c2-4 4-1 6-6',
  eye: 'M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z',
};

export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  for (const [key, value] of Object.entries({ viewBox: '0 0 24 24', class: `icon icon-${name}`, 'aria-hidden': 'true' })) svg.setAttribute(key, value);
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', ICONS[name]);
  svg.append(path);
  return svg;
}

// A button with an icon; its name is read out and shown under the pointer.
export function iconButton(name, label, act, more = {}) {
  return el('button', { type: 'button', class: 'icon-button', title: label, 'aria-label': label.replace(/ \(.*\)$/, ''), onclick: act, ...more }, icon(name));
}

// For ears: said once, politely.
let saidLast = '';
export function say(sentence) {
  if (sentence === saidLast) return;
  saidLast = sentence;
  byId('said').textContent = sentence;
}

// For eyes and ears: a sentence that goes by itself, or stays until it is put away.
export function notice(sentence, { key = sentence, stays = false, action = null } = {}) {
  dismiss(key);
  const close = () => note.remove();
  const note = el('div', { class: 'notice', 'data-key': key }, el('p', {}, sentence),
    action && el('button', { type: 'button', onclick: () => { close(); action.act(); } }, action.label),
    iconButton('close', 'Put away', close));
  byId('notices').append(note);
  if (!stays) setTimeout(close, 9000);
}
export function dismiss(key) {
  for (const note of byId('notices').children) if (note.dataset.key === key) note.remove();
}
export const complain = (error) => notice(error.message ?? String(error));

export function duration(seconds) {
  if (!Number.isFinite(seconds)) return '';
  if (seconds < 1) return 'under a second';
  if (seconds < 90) return `${Math.round(seconds)} second${Math.round(seconds) === 1 ? '' : 's'}`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} minutes`;
  return `${(seconds / 3600).toFixed(1)} hours`;
}
export const about = (seconds) => (seconds < 1 ? 'under a second' : `about ${duration(seconds)}`);
export const memory = (mib) => (mib >= 1000 ? `${(mib / 1024).toFixed(1)} GiB` : `${Math.round(mib)} MiB`);
export const dimensions = ({ width, height }) => `${width} × ${height}`;

// Up to four digits that matter, without noise behind the point.
export function digits(value) {
  if (!Number.isFinite(value)) return '';
  if (value !== 0 && (Math.abs(value) >= 1e6 || Math.abs(value) < 1e-3)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

export function debounce(act, wait_ms) {
  let timer = 0;
  const later = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...values), wait_ms);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}
