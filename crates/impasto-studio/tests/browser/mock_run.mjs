// A run of the mock: states, changes, losses that fall, and a picture that is the photo seen through a filter.
import { randomBytes } from 'node:crypto';
import { mediaType } from './image_size.mjs';

const LAYERS = ['conv1_1', 'conv2_1', 'conv3_1', 'conv3_3', 'conv4_1', 'conv4_2', 'conv5_1'];
const dataAddress = (image) => `data:${mediaType(image.bytes)};base64,${image.bytes.toString('base64')}`;
const imageOf = ({ id, name, width, height }) => ({ id, name, width, height });

export class FakeRun {
  static sizeOf(content, recipe) {
    const size = String(recipe.size ?? 512);
    const [, width, height] = /^(\d+)x(\d+)$/.exec(size) ?? [];
    if (width) return { width: Number(width), height: Number(height) };
    const share = Number(size) / Math.max(content.width, content.height);
    return { width: Math.round(content.width * share), height: Math.round(content.height * share) };
  }

  constructor({ order, content, styles, pace, tell, nextInLine, parent, from, set, larger }) {
    Object.assign(this, { id: randomBytes(6).toString('hex'), order, content, styles, pace, tell, nextInLine });
    this.parent = parent ?? null;
    this.branched_at = parent ? from : null;
    this.isLarger = Boolean(larger);
    this.state = 'waiting';
    this.size = FakeRun.sizeOf(content, order.recipe ?? {});
    this.evaluations = Number(order.recipe?.iterations ?? pace.evaluations) + (larger ? from : 0);
    this.evaluation = parent ? from : 0;
    this.revision = parent ? 1 : 0;
    this.seconds = 0;
    this.created_s = Date.now() / 1000;
    this.losses = { evaluation: [], total: [], content: [], style: [], layers: {} };
    for (const layer of LAYERS) this.losses.layers[layer] = [];
    this.timeline = [];
    this.undone = [];
    this.controls = parent ? structuredClone(parent.controls) : this.firstControls(order.recipe ?? {});
    if (parent) {
      const upTo = parent.losses.evaluation.filter((evaluation) => evaluation <= from).length;
      for (const column of ['evaluation', 'total', 'content', 'style']) this.losses[column] = parent.losses[column].slice(0, upTo);
      for (const layer of LAYERS) this.losses.layers[layer] = parent.losses.layers[layer].slice(0, upTo);
      this.timeline = parent.timeline.filter((entry) => entry.before_evaluation <= from);
      if (Object.keys(set).length) this.change(set);
    }
  }

  firstControls(recipe) {
    const strength = recipe.strength ?? 1;
    return {
      strength, style_weight: recipe.style_weight ?? 15 * 16 ** (strength - 1), content_weight: recipe.content_weight ?? 1,
      tv_weight: recipe.tv_weight ?? 2, style_scale: recipe.style_scale ?? 1, colours: recipe.colours ?? 'painting',
      style_blend: recipe.style_blend ?? this.styles.map(() => 1),
      style_layers: recipe.style_layers ?? Object.fromEntries(LAYERS.map((layer) => [layer, 0.2])),
      content_layers: { conv4_2: 1 }, regions: recipe.regions ?? [], rest: recipe.rest ?? 'painting', emphasis: recipe.emphasis ?? null,
    };
  }

  isBusy() { return ['preparing', 'painting', 'paused', 'stopping', 'waiting'].includes(this.state); }

  tellState() { this.tell('state', describe(this), this.id); }

  become(state) {
    this.state = state;
    this.tellState();
    if (['stopped', 'finished', 'failed'].includes(state)) this.nextInLine();
  }

  start() {
    this.become('preparing');
    setTimeout(() => {
      if (this.state !== 'preparing') return;
      this.become('painting');
      this.again();
    }, 300);
  }

  again() { setTimeout(() => this.state === 'painting' && (this.evaluate(), this.again()), this.pace.evaluationMs); }

  evaluate() {
    this.evaluation += 1;
    this.seconds += this.pace.evaluationMs / 1000;
    const along = this.evaluation;
    const level = this.level();
    const style = 40 * Math.exp(-along / 18) * (1 + 2 * (level === 4)) + 2 + Math.random() * 0.05;
    const content = 0.6 + 2.4 * (1 - Math.exp(-along / 12));
    this.loss = { total: content * this.controls.content_weight + style * this.controls.style_weight, content, style };
    this.losses.evaluation.push(along);
    for (const name of ['total', 'content', 'style']) this.losses[name].push(this.loss[name]);
    const layers = Object.fromEntries(LAYERS.map((layer, at) => [layer, style * (0.3 + at / 9) / 5]));
    for (const layer of LAYERS) this.losses.layers[layer].push(layers[layer]);
    this.tell('iteration', {
      id: this.id, evaluation: along, loss: { ...this.loss, layers }, painted: this.painted(), seconds: this.seconds,
      seconds_left: this.secondsLeft(), memory_mib: 412 + level * 30,
    }, this.id);
    this.revision += 1;
    this.tell('preview', { id: this.id, revision: this.revision, ...this.painted() }, this.id);
    if (along >= this.evaluations) this.become('finished');
  }

  level() { return this.isLarger ? 1 : [4, 4, 2, 2, 1, 1][Math.floor((6 * Math.min(this.evaluation, this.evaluations - 1)) / this.evaluations)]; }
  painted() {
    const level = this.level();
    return { width: Math.round(this.size.width / level), height: Math.round(this.size.height / level) };
  }
  secondsLeft() { return this.isBusy() ? ((this.evaluations - this.evaluation) * this.pace.evaluationMs) / 1000 : 0; }

  change(set) {
    const before = this.evaluation + 1;
    const former = Object.fromEntries(Object.keys(set).map((name) => [name, this.controls[name]]));
    this.timeline.push({ before_evaluation: before, set, former });
    this.undone = [];
    this.apply(before, set);
    return before;
  }

  apply(before, set) {
    Object.assign(this.controls, set);
    if ('strength' in set) this.controls.style_weight = Number((15 * 16 ** (set.strength - 1)).toPrecision(3));
    else if ('style_weight' in set) this.controls.strength = 1 + Math.log(set.style_weight / 15) / Math.log(16);
    this.tell('applied', { id: this.id, before_evaluation: before, set }, this.id);
  }

  undo() {
    const last = this.timeline.pop();
    if (!last) return 'There is no change to undo.';
    this.undone.push(last);
    this.apply(this.evaluation + 1, last.former);
  }

  redo() {
    const last = this.undone.pop();
    if (!last) return 'There is no change to redo.';
    this.timeline.push(last);
    this.apply(this.evaluation + 1, last.set);
  }

  pause() {
    if (this.state !== 'painting') return 'It is not painting.';
    this.become('paused');
  }
  resume() {
    if (this.state === 'stopped') {
      this.become('waiting');
      this.nextInLine();
      return undefined;
    }
    if (this.state !== 'paused') return 'It is not paused.';
    this.become('painting');
    this.again();
  }
  step() {
    if (this.state !== 'paused') return 'It is not paused.';
    this.evaluate();
  }
  stop() {
    if (!this.isBusy()) return 'It paints no more.';
    if (this.state === 'waiting') return void this.become('stopped');
    this.become('stopping');
    setTimeout(() => this.become('stopped'), this.pace.evaluationMs);
  }

  command() {
    return {
      command: `impasto paint ${this.content.name} ${this.styles.map((style) => style.name).join(' ')} --recipe result.png -o painted.png`,
      recipe: this.recipe(),
    };
  }

  recipe() { return { format: 6, preset: 'default', ...this.order.recipe, ...this.order.set, timeline: this.timeline.map(({ before_evaluation, set }) => ({ before_evaluation, set })) }; }

  whole() {
    const { timeline, ...recipe } = this.recipe();
    return { ...describe(this), recipe, timeline, controls: ['waiting', 'preparing'].includes(this.state) ? {} : this.controls, losses: this.losses };
  }

  // The photo bent and tinted by the painting: the more, the later and the stronger.
  picture() {
    const { width, height } = this.size;
    const along = Math.min(1, (this.evaluation / this.evaluations) * 1.6);
    const strength = this.controls.strength;
    const shares = this.controls.style_blend;
    const paintings = this.styles.map((style, at) => `<image href="${dataAddress(style)}" x="0" y="0" width="${width}" height="${height}" preserveAspectRatio="xMidYMid slice"
        style="mix-blend-mode:${at % 2 ? 'overlay' : 'soft-light'}" opacity="${along * Math.min(1, 0.55 * strength) * ((shares[at] ?? 1) / Math.max(...shares))}"/>
      <image href="${dataAddress(style)}" x="0" y="0" width="${width}" height="${height}" preserveAspectRatio="xMidYMid slice"
        style="mix-blend-mode:color" opacity="${this.controls.colours === 'photo' ? 0 : (along * Math.min(1, 0.5 * strength)) / (at + 1)}"/>`).join('');
    const bend = Math.round(along * 26 * strength * this.controls.style_scale);
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
      <filter id="f" x="0" y="0" width="1" height="1"><feGaussianBlur stdDeviation="${(along * 0.8 * this.level()).toFixed(2)}" result="b"/>
        <feTurbulence type="turbulence" baseFrequency="${(0.022 / this.controls.style_scale).toFixed(4)}" numOctaves="2" seed="4"/>
        <feDisplacementMap in="b" scale="${bend}" xChannelSelector="R" yChannelSelector="G"/></filter>
      <g filter="url(#f)"><image href="${dataAddress(this.content)}" width="${width}" height="${height}" preserveAspectRatio="xMidYMid slice"/></g>
      <g filter="url(#f)">${''}</g>${paintings}</svg>`;
  }
}

export function describe(run) {
  // As the studio does, which knows the size and the dials once the photo is read.
  const isRead = !['waiting', 'preparing'].includes(run.state);
  const none = { width: 0, height: 0 };
  return {
    id: run.id, parent: run.parent?.id ?? null, branched_at: run.branched_at, name: run.order.name ?? `${run.content.name.replace(/\.\w+$/, '')} after ${run.styles[0].name.replace(/\.\w+$/, '')}`,
    state: run.state, preset: run.order.recipe?.preset ?? 'default', size: isRead ? run.size : none, painted: isRead ? run.painted() : none, evaluation: run.evaluation,
    evaluations: run.evaluations, seconds: run.seconds, seconds_left: run.secondsLeft(), memory_mib: run.isBusy() ? 412 : null, device: run.order.device ?? 'cpu',
    revision: run.revision, loss: run.loss ?? null, place_in_line: run.state === 'waiting' ? run.place_in_line ?? 1 : undefined,
    created_s: run.created_s, elsewhere: false, content: imageOf(run.content), styles: run.styles.map(imageOf),
    can_undo: run.timeline.length > 0, can_redo: run.undone.length > 0,
  };
}
