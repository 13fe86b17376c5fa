// Where the sheet lies in the view: zoom, moving, and which pointer does what. A tool that draws may take single pointers; two
// fingers always zoom and move.

const FURTHEST = 24;

export class View {
  constructor(view, sheet, changed) {
    Object.assign(this, { view, sheet, changed, width: 1, height: 1, scale: 1, x: 0, y: 0, isFitted: true, tool: null });
    this.pointers = new Map();
    this.held = null;
    this.pen = false;
    view.addEventListener('pointerdown', (event) => this.down(event));
    view.addEventListener('pointermove', (event) => this.move(event));
    for (const name of ['pointerup', 'pointercancel', 'lostpointercapture']) view.addEventListener(name, (event) => this.up(event));
    view.addEventListener('pointerleave', () => this.tool?.hover?.(null));
    view.addEventListener('wheel', (event) => this.wheel(event), { passive: false });
    view.addEventListener('dblclick', (event) => { if (!this.tool && !event.target.closest('.wipe')) this.toggle(event); });
    view.addEventListener('contextmenu', (event) => { if (this.tool) event.preventDefault(); });
    new ResizeObserver(() => (this.isFitted ? this.fit() : this.place())).observe(view);
  }

  // The sheet's own size in pixels.
  resize(width, height) {
    if (this.width === width && this.height === height) return;
    Object.assign(this, { width, height });
    this.sheet.style.width = `${width}px`;
    this.sheet.style.height = `${height}px`;
    this.fit();
  }

  bounds() { return this.view.getBoundingClientRect(); }

  fittingScale() {
    const { width, height } = this.bounds();
    const edge = Math.min(width, height) < 420 ? 8 : 22;
    return Math.max(0.01, Math.min((width - 2 * edge) / this.width, (height - 2 * edge) / this.height));
  }

  fit() {
    const { width, height } = this.bounds();
    if (!width || !height) return;
    this.isFitted = true;
    this.scale = this.fittingScale();
    this.x = (width - this.width * this.scale) / 2;
    this.y = (height - this.height * this.scale) / 2;
    this.place();
  }

  // Screen pixels of a picture's pixel.
  get zoom() { return this.scale * devicePixelRatio; }

  zoomTo(zoom, clientX, clientY) {
    const bounds = this.bounds();
    const x = (clientX ?? bounds.left + bounds.width / 2) - bounds.left;
    const y = (clientY ?? bounds.top + bounds.height / 2) - bounds.top;
    const least = Math.min(this.fittingScale(), 1 / devicePixelRatio) / 2;
    const scale = Math.min(FURTHEST, Math.max(least, zoom / devicePixelRatio));
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.isFitted = false;
    this.place();
  }

  moveBy(x, y) {
    this.x += x;
    this.y += y;
    this.isFitted = false;
    this.place();
  }

  toggle(event) {
    if (this.isFitted) this.zoomTo(Math.max(1, this.zoom * 2), event?.clientX, event?.clientY);
    else this.fit();
  }

  // At least a corner of the sheet stays to be seen.
  place() {
    const { width, height } = this.bounds();
    const [w, h] = [this.width * this.scale, this.height * this.scale];
    const margin = Math.min(80, width / 4);
    this.x = Math.min(width - margin, Math.max(margin - w, this.x));
    this.y = Math.min(height - margin, Math.max(margin - h, this.y));
    this.sheet.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    // Who has come close wants to see pixels; a small picture as a whole is smooth.
    this.sheet.classList.toggle('pixels', !this.isFitted && this.zoom >= 3);
    this.changed();
  }

  toSheet(event) {
    const bounds = this.bounds();
    return { x: (event.clientX - bounds.left - this.x) / this.scale, y: (event.clientY - bounds.top - this.y) / this.scale };
  }

  toView({ x, y }) { return { x: this.x + x * this.scale, y: this.y + y * this.scale }; }

  wheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    if (event.shiftKey) return this.moveBy(-event.deltaY * lines, 0);
    this.zoomTo(this.zoom * 2 ** (-event.deltaY * lines * (event.ctrlKey ? 0.01 : 0.0022)), event.clientX, event.clientY);
  }

  isDrawing(event) { return this.tool && event.button === 0 && !(event.pointerType === 'touch' && this.pen); }

  down(event) {
    if (event.target.closest('.wipe, button, input')) return;
    if (event.pointerType === 'pen') this.pen = true;
    this.pointers.set(event.pointerId, event);
    try {
      this.view.setPointerCapture(event.pointerId);
    } catch {
      // A pointer that has gone already cannot be held.
    }
    if (this.pointers.size === 2) {
      if (this.held) this.tool?.cancel();
      this.held = null;
      this.pinch = this.spread();
      return;
    }
    if (this.pointers.size > 2 || !this.isDrawing(event)) return;
    event.preventDefault();
    this.view.focus({ preventScroll: true });
    this.held = event.pointerId;
    this.tool.down(this.toSheet(event), event);
  }

  move(event) {
    this.tool?.hover?.(event.pointerType === 'touch' ? null : this.toSheet(event), event);
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    this.pointers.set(event.pointerId, event);
    if (this.held === event.pointerId) {
      const all = event.getCoalescedEvents?.() ?? [];
      for (const each of all.length ? all : [event]) this.tool.move(this.toSheet(each), each);
      return this.tool.flush?.();
    }
    if (this.pointers.size === 2) {
      const now = this.spread();
      this.moveBy(now.x - this.pinch.x, now.y - this.pinch.y);
      if (this.pinch.apart > 0) this.zoomTo((this.zoom * now.apart) / this.pinch.apart, now.x, now.y);
      this.pinch = now;
    } else if (!this.held) this.moveBy(event.clientX - before.clientX, event.clientY - before.clientY);
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    if (this.held !== event.pointerId) return;
    this.held = null;
    if (event.type === 'pointercancel') this.tool?.cancel();
    else this.tool?.up();
  }

  spread() {
    const [a, b] = [...this.pointers.values()];
    return { x: (a.clientX + b.clientX) / 2, y: (a.clientY + b.clientY) / 2, apart: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) };
  }
}
