// Pictures, fetched by revision: the newest wins, one in flight, none while the tab is hidden.

const PATIENCE_MS = 20000;
const AGAIN_MS = 1000;
const TRIES = 4;

export class Pictures {
  // show: called with an image that is decoded, and what was wanted.
  constructor(show) {
    Object.assign(this, { show, wanted: null, isBusy: false, shown: '', era: 0, failures: 0 });
    document.addEventListener('visibilitychange', () => this.next());
  }

  want(address, detail) {
    if (this.wanted?.address !== address) this.failures = 0;
    this.wanted = { address, detail };
    this.next();
  }

  // Something else is looked at: what is still on its way is not shown.
  forget() {
    this.wanted = null;
    this.shown = '';
    this.era += 1;
  }

  async next() {
    const isDue = this.wanted && this.wanted.address !== this.shown && this.failures < TRIES;
    if (!isDue || this.isBusy || document.hidden) return;
    const { wanted, era } = this;
    const image = new Image();
    this.isBusy = true;
    let timer;
    try {
      image.src = wanted.address;
      await Promise.race([image.decode(), new Promise((_, reject) => { timer = setTimeout(reject, PATIENCE_MS); })]);
      if (era === this.era) {
        this.shown = wanted.address;
        this.show(image, wanted.detail);
      }
    } catch {
      image.src = '';
      if (this.wanted?.address === wanted.address) this.failures += 1;
      await new Promise((resolve) => { setTimeout(resolve, AGAIN_MS); });
    } finally {
      clearTimeout(timer);
      this.isBusy = false;
    }
    this.next();
  }
}
