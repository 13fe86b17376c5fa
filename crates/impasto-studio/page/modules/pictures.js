// Pictures, fetched by revision: the newest wins, one in flight, none while the tab is hidden.

const PATIENCE_MS = 20000;

export class Pictures {
  // show: called with an image that is decoded, and what was wanted.
  constructor(show) {
    this.show = show;
    this.wanted = null;
    this.isBusy = false;
    this.shown = '';
    document.addEventListener('visibilitychange', () => this.next());
  }

  want(address, detail) {
    this.wanted = { address, detail };
    this.next();
  }

  forget() {
    this.wanted = null;
    this.shown = '';
  }

  async next() {
    if (this.isBusy || document.hidden || !this.wanted || this.wanted.address === this.shown) return;
    const wanted = this.wanted;
    this.isBusy = true;
    const image = new Image();
    let timer;
    try {
      image.src = wanted.address;
      await Promise.race([image.decode(), new Promise((_, reject) => { timer = setTimeout(reject, PATIENCE_MS); })]);
      this.shown = wanted.address;
      if (this.wanted) this.show(image, wanted.detail);
    } catch {
      image.src = '';
      await new Promise((resolve) => { setTimeout(resolve, 1000); });
    } finally {
      clearTimeout(timer);
      this.isBusy = false;
    }
    this.next();
  }
}
