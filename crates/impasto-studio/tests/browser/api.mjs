// The studio's API as a script uses it, beside the browser: to see what the server has, and to begin runs of a certain kind.
import { sleep } from './webdriver.mjs';

export class Api {
  constructor(address) {
    const { origin, searchParams } = new URL(address);
    this.origin = origin;
    this.headers = { Authorization: `Bearer ${searchParams.get('token')}`, 'X-Impasto': '1', 'Content-Type': 'application/json' };
  }

  async ask(method, path, body) {
    const answer = await fetch(this.origin + path, { method, headers: this.headers, body: body === undefined ? undefined : JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? null : answer.headers.get('content-type')?.includes('json') ? answer.json() : Buffer.from(await answer.arrayBuffer());
  }
  get(path) { return this.ask('GET', path); }
  post(path, body = {}) { return this.ask('POST', path, body); }
  run(id) { return this.get(`/api/runs/${id}`); }
  async runs() { return (await this.get('/api/runs')).runs; }

  // A run that goes on long enough to be steered.
  async begin(recipe = {}, example = 0, more = []) {
    const { examples } = await this.get('/api/studio');
    const { content, style } = examples[example];
    const styles = [style.id, ...more.map((other) => examples[other].style.id)];
    return (await this.post('/api/runs', { content: content.id, styles, recipe: { size: '160', iterations: 4000, ...recipe } })).id;
  }

  // Until something holds of a run.
  async until(id, holds, says, within_ms = 20000) {
    const end = Date.now() + within_ms;
    for (;;) {
      const run = await this.run(id);
      if (holds(run)) return run;
      if (Date.now() > end) throw new Error(`it did not come to be within ${within_ms} ms: ${says}; state ${run.state}, evaluation ${run.evaluation}, controls ${JSON.stringify(run.controls)}`);
      await sleep(80);
    }
  }

  async calm() {
    for (const run of await this.runs()) {
      if (['waiting', 'preparing', 'painting', 'paused'].includes(run.state) && !run.elsewhere) await this.post(`/api/runs/${run.id}/stop`).catch(() => {});
    }
    for (let tries = 0; tries < 100; tries += 1) {
      if (!(await this.runs()).some((run) => ['waiting', 'preparing', 'painting', 'paused', 'stopping'].includes(run.state) && !run.elsewhere)) return;
      await sleep(100);
    }
    throw new Error('runs do not stop');
  }
}
