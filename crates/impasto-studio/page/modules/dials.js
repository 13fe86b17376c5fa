// Dials: a slider for the hand and a field for the number. What is typed may lie beyond the slider.
import { digits, el, say } from './elements.js';

const STEPS = 1000;
const clamp = (value) => Math.min(1, Math.max(0, value));

// Each scale maps a value to 0..1 along the slider, and back.
export const linear = (least, most, step = (most - least) / 100) => ({
  along: (value) => clamp((value - least) / (most - least)),
  value: (along) => Number((Math.round((least + along * (most - least)) / step) * step).toPrecision(6)),
});
export const byFactor = (least, most) => ({
  along: (value) => (value > 0 ? clamp(Math.log(value / least) / Math.log(most / least)) : 0),
  value: (along) => Number((least * (most / least) ** along).toPrecision(3)),
});
// From 0 on, finest near 0; `usual` stands in the middle.
export const fromZero = (usual) => {
  const bend = Math.log(225);
  const most = (usual > 0 ? usual : 1) * 16;
  return {
    along: (value) => clamp(Math.log1p((224 * Math.max(0, value)) / most) / bend),
    value: (along) => Number((((Math.exp(along * bend) - 1) / 224) * most).toPrecision(3)),
  };
};

export function readNumber(text, least = 0, most = Infinity) {
  const value = Number(String(text).trim().replace(',', '.'));
  return String(text).trim() !== '' && Number.isFinite(value) && value >= least && value <= most ? value : null;
}

let made = 0;

export class Dial {
  // moved(value, isDone): isDone is false while the hand is still on the slider.
  constructor({ name, label, scale, value, moved, least = 0, most = Infinity, hint = null, unit = null }) {
    Object.assign(this, { name, scale, moved, least, most, isHeld: false });
    const id = `dial-${name}-${(made += 1)}`;
    this.slider = el('input', { type: 'range', min: 0, max: STEPS, id, 'data-dial': name,
      oninput: () => this.slid(false), onchange: () => this.slid(true), onpointerdown: () => { this.isHeld = true; }, onpointerup: () => { this.isHeld = false; }, onblur: () => { this.isHeld = false; } });
    this.field = el('input', { type: 'text', inputmode: 'decimal', autocomplete: 'off', 'aria-label': `${label}, as a number`, 'data-field': name,
      onchange: () => this.typed(), onkeydown: (event) => this.key(event), onfocus: () => this.field.select(), onblur: () => this.left() });
    this.element = el('div', { class: 'dial', title: hint }, el('label', { for: id }, label, unit && el('small', {}, ` ${unit}`)), this.field, this.slider);
    this.set(value);
  }

  // From outside. While the hand is on it, or a number is half typed, it waits.
  set(value) {
    const isTyping = document.activeElement === this.field && this.field.value !== digits(this.value);
    if (this.isHeld || isTyping) {
      this.told = value;
      return;
    }
    this.value = value;
    this.show();
    this.field.value = digits(value);
  }

  left() {
    if (this.told !== undefined) this.value = this.told;
    this.told = undefined;
    this.show();
  }

  // What it was when it began, told by a mark on the track.
  mark(value) { this.slider.style.setProperty('--mark', this.scale.along(value)); }

  show() {
    this.slider.value = Math.round(this.scale.along(this.value) * STEPS);
    this.slider.style.setProperty('--along', this.scale.along(this.value));
    this.slider.setAttribute('aria-valuetext', digits(this.value));
    if (document.activeElement !== this.field) this.field.value = digits(this.value);
    this.field.removeAttribute('aria-invalid');
    delete this.element?.dataset.wrong;
  }

  // What was typed is none; what would be one is said beside it.
  refuse(what) {
    this.field.setAttribute('aria-invalid', 'true');
    this.element.dataset.wrong = what;
    say(`${this.field.value} is none; ${what}`);
  }

  slid(isDone) {
    this.told = undefined;
    this.value = Math.max(this.least, this.scale.value(this.slider.value / STEPS));
    this.show();
    this.moved(this.value, isDone);
  }

  typed() {
    const value = readNumber(this.field.value, this.least, this.most);
    if (value === null) return this.refuse(this.most < Infinity ? `a number from ${this.least} to ${this.most}` : `a number from ${this.least} on`);
    this.told = undefined;
    this.value = value;
    this.show();
    this.field.value = digits(value);
    this.moved(value, true);
    return undefined;
  }

  key(event) {
    if (event.key === 'Escape') {
      this.field.value = digits(this.value);
      this.field.blur();
    }
    if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return;
    event.preventDefault();
    const way = (event.key === 'ArrowUp' ? 1 : -1) * (event.shiftKey ? 50 : 10);
    this.slider.value = Number(this.slider.value) + way;
    this.slid(true);
    this.field.value = digits(this.value);
  }
}

// One of a few, side by side.
export class Choice {
  constructor({ name, label, options, value, moved }) {
    const group = `choice-${name}-${(made += 1)}`;
    this.radios = options.map(([key, text, hint]) => {
      const radio = el('input', { type: 'radio', name: group, value: key, 'data-dial': name, onchange: () => moved(key, true) });
      return { key, radio, element: el('label', { title: hint }, radio, el('span', {}, text)) };
    });
    this.element = el('fieldset', { class: 'choice' }, el('legend', {}, label), el('div', { class: 'segments' }, ...this.radios.map(({ element }) => element)));
    this.set(value);
  }

  set(value) { for (const { key, radio } of this.radios) radio.checked = key === value; }
  mark() {}
}

export const COLOURS = [
  ['painting', 'painting', 'The painting’s colours'],
  ['photo', 'photo', 'The photo’s colours, place by place; only light and dark are painted'],
  ['match', 'match', 'The painted colours as a whole brought to the photo’s'],
  ['photo-before', 'photo-before', 'The painting recoloured after the photo before it is looked at'],
];

export const STRENGTH = { name: 'strength', label: 'Style strength', scale: linear(0, 2, 0.02), most: 2, hint: '0 is a tint of the painting, 1 what the preset gives, 2 leaves hardly anything of the photo' };
export const BRUSH = { name: 'style_scale', label: 'Brush scale', scale: byFactor(0.25, 4), least: 0.001, hint: 'Smaller: a finer brush. Larger: broader strokes.' };

export const CONTENT = { name: 'content_weight', label: 'Content', hint: 'How much the photo’s drawing counts' };
export const SMOOTHNESS = { name: 'tv_weight', label: 'Smoothness', hint: 'Against grain, dots and meshes in flat places' };

// Dials for the weights of layers, folded away. moved(layer, value, isDone).
export function layersFold(usual, values, moved) {
  const dials = Object.keys(usual).sort().map((layer) => {
    const dial = new Dial({ name: `layer-${layer}`, label: layer, scale: fromZero(usual[layer]), value: values[layer] ?? 0, moved: (value, isDone) => moved(layer, value, isDone) });
    dial.mark(usual[layer]);
    return { layer, dial };
  });
  return { dials, element: el('details', { class: 'fold' }, el('summary', {}, 'Layers'), el('div', { class: 'tight' }, ...dials.map(({ dial }) => dial.element))) };
}

// A dial for each painting's share.
export function shareDials(styles, shares, moved) {
  const values = styles.map((_, at) => shares?.[at] ?? 1);
  const scale = linear(0, 2 * Math.max(...values), Math.max(...values) / 50);
  return styles.map((style, at) => new Dial({
    name: `share-${at + 1}`, label: style.name.replace(/\.\w+$/, ''), scale, value: values[at],
    moved: (value, isDone) => {
      values[at] = value;
      if (values.some((each) => each > 0)) moved([...values], isDone);
    },
  }));
}
