// A mask: a grey canvas, white inside. Strokes take the lighter of what is there and the brush, or the darker, so that a soft edge
// stays soft however often it is passed. Undo keeps the rectangle that an act touched.

const UNDO_BYTES = 96 * 1024 * 1024;

export class Mask {
  // changed(rectangle): after every change.
  constructor(width, height, changed) {
    Object.assign(this, { width, height, changed, done: [], undone: [], brush: null });
    this.canvas = new OffscreenCanvas(width, height);
    this.context = this.canvas.getContext('2d', { willReadFrequently: true, alpha: false });
    this.former = new OffscreenCanvas(width, height);
    this.formerContext = this.former.getContext('2d', { willReadFrequently: true, alpha: false });
    this.context.fillStyle = '#000';
    this.context.fillRect(0, 0, width, height);
  }

  get all() { return { left: 0, top: 0, right: this.width, bottom: this.height }; }

  within({ left, top, right, bottom }) {
    return { left: Math.max(0, Math.floor(left)), top: Math.max(0, Math.floor(top)), right: Math.min(this.width, Math.ceil(right)), bottom: Math.min(this.height, Math.ceil(bottom)) };
  }

  // --- an act: begin, touch any number of times, end

  begin() {
    this.formerContext.drawImage(this.canvas, 0, 0);
    this.touched = null;
  }

  touch(rectangle) {
    const now = this.within(rectangle);
    if (now.right <= now.left || now.bottom <= now.top) return;
    const was = this.touched;
    this.touched = was ? { left: Math.min(was.left, now.left), top: Math.min(was.top, now.top), right: Math.max(was.right, now.right), bottom: Math.max(was.bottom, now.bottom) } : now;
    this.changed(now);
  }

  end() {
    if (!this.touched) return false;
    this.done.push(this.greys(this.formerContext, this.touched));
    this.undone = [];
    let bytes = 0;
    const from = this.done.findLastIndex((act) => (bytes += act.grey.length) > UNDO_BYTES);
    if (from >= 0) this.done.splice(0, Math.min(from + 1, this.done.length - 1));
    this.touched = null;
    return true;
  }

  cancel() {
    if (!this.touched) return;
    this.context.drawImage(this.former, 0, 0);
    this.touched = null;
    this.changed(this.all);
  }

  greys(context, { left, top, right, bottom }) {
    const { data } = context.getImageData(left, top, right - left, bottom - top);
    const grey = new Uint8Array(data.length / 4);
    for (let at = 0; at < grey.length; at += 1) grey[at] = data[at * 4];
    return { left, top, right, bottom, grey };
  }

  put({ left, top, right, bottom, grey }) {
    const image = new ImageData(right - left, bottom - top);
    for (let at = 0; at < grey.length; at += 1) {
      image.data.fill(grey[at], at * 4, at * 4 + 3);
      image.data[at * 4 + 3] = 255;
    }
    this.context.putImageData(image, left, top);
  }

  back(from, to) {
    const act = from.pop();
    if (!act) return false;
    to.push(this.greys(this.context, act));
    this.put(act);
    this.changed(act);
    return true;
  }
  undo() { return this.back(this.done, this.undone); }
  redo() { return this.back(this.undone, this.done); }

  // --- brush

  // A disc of the radius in pixels; `soft` is the share of the radius that fades.
  stampOf(radius, soft, isErasing) {
    const key = `${radius.toFixed(1)} ${soft} ${isErasing}`;
    if (this.brush?.key === key) return this.brush;
    const side = 2 * Math.ceil(radius + 1);
    const canvas = new OffscreenCanvas(side, side);
    const context = canvas.getContext('2d');
    const [inside, outside] = isErasing ? [0, 255] : [255, 0];
    const core = Math.min(radius * (1 - soft), Math.max(0, radius - 0.7));
    const edge = Math.max(radius, core + 1);
    const fade = context.createRadialGradient(side / 2, side / 2, core, side / 2, side / 2, edge);
    for (let at = 0; at <= 8; at += 1) {
      const t = at / 8;
      const level = Math.round(inside + (outside - inside) * t * t * (3 - 2 * t));
      fade.addColorStop(t, `rgb(${level},${level},${level})`);
    }
    context.fillStyle = fade;
    context.fillRect(0, 0, side, side);
    this.brush = { key, canvas, half: side / 2 };
    return this.brush;
  }

  stamp(x, y, radius, soft, isErasing) {
    const { canvas, half } = this.stampOf(radius, soft, isErasing);
    this.context.globalCompositeOperation = isErasing ? 'darken' : 'lighten';
    this.context.drawImage(canvas, x - half, y - half);
    this.context.globalCompositeOperation = 'source-over';
    this.touch({ left: x - half, top: y - half, right: x + half, bottom: y + half });
  }

  line(from, to, radius, soft, isErasing) {
    const apart = Math.hypot(to.x - from.x, to.y - from.y);
    const steps = Math.max(1, Math.ceil(apart / Math.max(0.5, radius * 0.12)));
    for (let step = 1; step <= steps; step += 1) {
      const t = step / steps;
      this.stamp(from.x + (to.x - from.x) * t, from.y + (to.y - from.y) * t, radius, soft, isErasing);
    }
  }

  // --- areas

  polygon(points, isErasing) {
    if (points.length < 3) return;
    this.context.fillStyle = isErasing ? '#000' : '#fff';
    this.context.beginPath();
    for (const { x, y } of points) this.context.lineTo(x, y);
    this.context.fill();
    const xs = points.map(({ x }) => x);
    const ys = points.map(({ y }) => y);
    this.touch({ left: Math.min(...xs) - 1, top: Math.min(...ys) - 1, right: Math.max(...xs) + 1, bottom: Math.max(...ys) + 1 });
  }

  // Everything of the colour at a point: what hangs together with it, or everywhere. `pixels` is the image at the mask's size.
  fill(x, y, pixels, tolerance, isEverywhere, isErasing) {
    const { width, height } = this;
    const start = Math.floor(y) * width + Math.floor(x);
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    const { data } = pixels;
    const [r, g, b] = data.slice(start * 4, start * 4 + 3);
    const most = (tolerance * 4.4) ** 2;
    const isLike = (at) => {
      const [dr, dg, db] = [data[at * 4] - r, data[at * 4 + 1] - g, data[at * 4 + 2] - b];
      return 2 * dr * dr + 4 * dg * dg + 3 * db * db <= most;
    };
    const found = new Uint8Array(width * height);
    if (isEverywhere) for (let at = 0; at < found.length; at += 1) found[at] = isLike(at) ? 1 : 0;
    else {
      const waiting = [start];
      found[start] = 1;
      while (waiting.length) {
        const at = waiting.pop();
        const column = at % width;
        for (const next of [column > 0 ? at - 1 : -1, column < width - 1 ? at + 1 : -1, at - width, at + width]) {
          if (next >= 0 && next < found.length && !found[next] && isLike(next)) {
            found[next] = 1;
            waiting.push(next);
          }
        }
      }
    }
    const was = this.greys(this.context, this.all);
    for (let row = 0; row < height; row += 1) {
      for (let column = 0; column < width; column += 1) {
        let sum = 0;
        let seen = 0;
        for (let y2 = Math.max(0, row - 1); y2 <= Math.min(height - 1, row + 1); y2 += 1) {
          for (let x2 = Math.max(0, column - 1); x2 <= Math.min(width - 1, column + 1); x2 += 1) {
            sum += found[y2 * width + x2];
            seen += 1;
          }
        }
        if (!sum) continue;
        const at = row * width + column;
        const level = Math.round((255 * sum) / seen);
        was.grey[at] = isErasing ? Math.min(was.grey[at], 255 - level) : Math.max(was.grey[at], level);
      }
    }
    this.put(was);
    this.touch(this.all);
  }

  invert() {
    this.context.globalCompositeOperation = 'difference';
    this.context.fillStyle = '#fff';
    this.context.fillRect(0, 0, this.width, this.height);
    this.context.globalCompositeOperation = 'source-over';
    this.touch(this.all);
  }

  clear() {
    this.context.fillStyle = '#000';
    this.context.fillRect(0, 0, this.width, this.height);
    this.touch(this.all);
  }

  // From a picture of any size: its light is what is in.
  load(image) {
    this.context.fillStyle = '#000';
    this.context.fillRect(0, 0, this.width, this.height);
    this.context.drawImage(image, 0, 0, this.width, this.height);
    const pixels = this.context.getImageData(0, 0, this.width, this.height);
    const { data } = pixels;
    for (let at = 0; at < data.length; at += 4) data.fill(Math.round(0.2126 * data[at] + 0.7152 * data[at + 1] + 0.0722 * data[at + 2]), at, at + 3);
    this.context.putImageData(pixels, 0, 0);
    this.touch(this.all);
  }

  toPng() { return this.canvas.convertToBlob({ type: 'image/png' }); }

  // Writes the mask as a tint into another canvas of the same size.
  tint(context, [r, g, b], strength, rectangle = this.all) {
    const { left, top, right, bottom } = this.within(rectangle);
    if (right <= left || bottom <= top) return;
    const pixels = this.context.getImageData(left, top, right - left, bottom - top);
    const { data } = pixels;
    for (let at = 0; at < data.length; at += 4) {
      data[at + 3] = data[at] * strength;
      data[at] = r;
      data[at + 1] = g;
      data[at + 2] = b;
    }
    context.putImageData(pixels, left, top);
  }
}
