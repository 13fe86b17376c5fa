// The studio's HTTP API (docs/studio.md). Every refusal is one sentence.

export class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

async function ask(method, address, body, headers = {}) {
  let answer;
  try {
    answer = await fetch(address, { method, body, headers: method === 'GET' ? {} : { 'X-Impasto': '1', ...headers } });
  } catch {
    throw new Refused(0, 'The studio does not answer. Is it still running in the terminal?');
  }
  const text = answer.status === 204 ? '' : await answer.text();
  let said = null;
  try {
    said = text ? JSON.parse(text) : null;
  } catch {
    if (answer.ok) throw new Refused(answer.status, 'The studio gave an answer that this page cannot read.');
  }
  if (answer.ok) return said;
  throw new Refused(answer.status, said?.error ?? `The studio refused this (${answer.status}).`);
}

export const get = (address) => ask('GET', address);
export const post = (address, values = {}) => ask('POST', address, JSON.stringify(values), { 'Content-Type': 'application/json' });
export const upload = (address, blob, type) => ask('POST', address, blob, { 'Content-Type': type || blob.type || 'application/octet-stream' });
export const remove = (address) => ask('DELETE', address);

export const imageAddress = (id, longEdge) => `/api/images/${id}?long_edge=${longEdge}`;
export const previewAddress = (run, longEdge, revision = run.revision) => `/api/runs/${run.id}/preview/${revision}.jpg?long_edge=${longEdge}`;

// One stream of events, about all runs. It is closed while the tab is hidden; what it says first when it is opened again, the
// snapshot, is the truth.
const EVENTS = ['snapshot', 'iteration', 'preview', 'applied', 'state'];

export class Events {
  constructor(handlers, lost) {
    this.handlers = handlers;
    this.lost = lost;
    this.source = null;
    document.addEventListener('visibilitychange', () => (document.hidden ? this.close() : this.open()));
    addEventListener('pagehide', () => this.close());
    addEventListener('pageshow', () => this.open());
  }

  open() {
    if (document.hidden || this.source) return;
    const source = new EventSource('/api/events');
    this.source = source;
    for (const name of EVENTS) {
      source.addEventListener(name, (event) => {
        if (name === 'snapshot') this.lost(false);
        this.handlers[name](JSON.parse(event.data));
      });
    }
    source.addEventListener('error', (event) => {
      if (event.data) return this.handlers.error(JSON.parse(event.data));
      if (source !== this.source) return;
      this.check();
      if (source.readyState === EventSource.CLOSED) {
        this.source = null;
        setTimeout(() => this.open(), 3000);
      }
    });
  }

  // A stream ends for many reasons; only where the studio itself is silent is anything said.
  async check() {
    try {
      await get('/api/health');
    } catch (error) {
      this.lost(error.status === 401 ? 'This page is not let in any more: open the address that the terminal printed.' : error.message);
    }
  }

  close() {
    this.source?.close();
    this.source = null;
  }
}
