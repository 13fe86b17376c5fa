// A small WebDriver client, over Debian's chromium and chromedriver. No package is needed.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';

const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';
export const KEY = { enter: '\uE007', escape: '\uE00C', tab: '\uE004', left: '\uE012', up: '\uE013', right: '\uE014', down: '\uE015', shift: '\uE008', space: ' ', home: '\uE011', end: '\uE010' };
export const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

export class Browser {
  static async start({ width = 1280, height = 800, isTouch = false, preferences = {} } = {}) {
    const browser = new Browser();
    browser.driver = spawn('chromedriver', ['--port=0'], { stdio: ['ignore', 'pipe', 'pipe'] });
    browser.driver.stderr.resume();
    const port = await new Promise((resolve, reject) => {
      let said = '';
      browser.driver.stdout.on('data', (bytes) => {
        said += bytes;
        const found = /successfully on port (\d+)/.exec(said);
        if (found) resolve(found[1]);
      });
      browser.driver.on('error', () => reject(new Error('chromedriver is missing: apt-get install chromium chromium-driver')));
      browser.driver.on('exit', () => reject(new Error(`chromedriver ended: ${said}`)));
    });
    browser.base = `http://127.0.0.1:${port}`;
    const args = ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--hide-scrollbars', '--force-color-profile=srgb', `--window-size=${width},${height}`, ...(isTouch ? ['--touch-events=enabled'] : [])];
    const { sessionId } = await browser.ask('POST', '/session', { capabilities: { alwaysMatch: { browserName: 'chrome', 'goog:chromeOptions': { args, prefs: preferences }, 'goog:loggingPrefs': { browser: 'ALL' } } } });
    browser.base += `/session/${sessionId}`;
    await browser.ask('POST', '/timeouts', { script: 30000, pageLoad: 30000 });
    await browser.viewport(width, height);
    return browser;
  }

  async ask(method, address, body) {
    const answer = await fetch(this.base + address, { method, body: body === undefined ? undefined : JSON.stringify(body) });
    const { value } = await answer.json();
    if (value?.error) throw new Error(`${value.error}: ${value.message.split('\n')[0]}`);
    return value;
  }

  async stop() {
    await this.ask('DELETE', '').catch(() => {});
    this.driver.removeAllListeners('exit');
    this.driver.kill();
  }

  chrome(cmd, params = {}) { return this.ask('POST', '/goog/cdp/execute', { cmd, params }); }
  viewport(width, height, { scale = 1, isMobile = false } = {}) {
    return this.chrome('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: scale, mobile: isMobile });
  }
  media(features) {
    return this.chrome('Emulation.setEmulatedMedia', { features: Object.entries(features).map(([name, value]) => ({ name, value })) });
  }

  open(url) { return this.ask('POST', '/url', { url }); }
  reload() { return this.ask('POST', '/refresh', {}); }
  address() { return this.ask('GET', '/url'); }
  // The body of a function in the page; it may return a promise.
  run(script, ...args) { return this.ask('POST', '/execute/async', { script: `const done = arguments[arguments.length - 1]; const args = [...arguments]; (async (...args) => { ${script} })(...args.slice(0, -1)).then(done, (error) => done({ 'script failed': String(error) }));`, args })
    .then((value) => { if (value?.['script failed']) throw new Error(value['script failed']); return value; }); }

  // Until an expression in the page is true.
  async until(expression, { within_ms = 15000, says = expression } = {}) {
    const end = Date.now() + within_ms;
    for (;;) {
      const value = await this.run(`return (${expression});`).catch((error) => { if (Date.now() > end) throw error; });
      if (value) return value;
      if (Date.now() > end) throw new Error(`it did not come to be within ${within_ms} ms: ${says}`);
      await sleep(60);
    }
  }

  async find(css) { return (await this.ask('POST', '/element', { using: 'css selector', value: css }))[ELEMENT]; }
  async click(css) { return this.ask('POST', `/element/${await this.find(css)}/click`, {}); }
  // Typed into a field in place of what stands there; a file's path into a file input.
  async fill(css, text) {
    await this.run('const field = document.querySelector(args[0]); field.focus(); field.select();', css);
    return this.type(css, text);
  }
  async type(css, text) { return this.ask('POST', `/element/${await this.find(css)}/value`, { text }); }
  text(css) { return this.run('return document.querySelector(args[0])?.textContent ?? "";', css); }
  box(css) { return this.run('const { left, top, width, height } = document.querySelector(args[0]).getBoundingClientRect(); return { left, top, width, height };', css); }

  actions(actions) { return this.ask('POST', '/actions', { actions }); }
  async keys(...keys) {
    for (const key of keys) await this.actions([{ type: 'key', id: 'keyboard', actions: [{ type: 'keyDown', value: key }, { type: 'keyUp', value: key }] }]);
  }
  async chord(held, key) {
    await this.actions([{ type: 'key', id: 'keyboard', actions: [{ type: 'keyDown', value: held }, { type: 'keyDown', value: key }, { type: 'keyUp', value: key }, { type: 'keyUp', value: held }] }]);
  }
  // Along points of the screen; `kind` is mouse, touch or pen.
  drag(points, kind = 'mouse', more = {}) {
    const at = ({ x, y }, duration) => ({ type: 'pointerMove', duration, x: Math.round(x), y: Math.round(y), origin: 'viewport', ...more });
    return this.actions([{ type: 'pointer', id: `the ${kind}`, parameters: { pointerType: kind }, actions: [at(points[0], 0), { type: 'pointerDown', button: 0, ...more }, ...points.slice(1).map((point) => at(point, 60)), { type: 'pointerUp', button: 0 }] }]);
  }
  // Two fingers, each from a point to another.
  pinch(first, second) {
    const finger = (id, [from, to]) => ({ type: 'pointer', id, parameters: { pointerType: 'touch' }, actions: [
      { type: 'pointerMove', duration: 0, ...from }, { type: 'pointerDown', button: 0 }, { type: 'pointerMove', duration: 200, ...to }, { type: 'pointerUp', button: 0 }] });
    return this.actions([finger('finger one', first), finger('finger two', second)]);
  }

  async windows() { return this.ask('GET', '/window/handles'); }
  async newTab(type = 'tab') { return (await this.ask('POST', '/window/new', { type })).handle; }
  to(handle) { return this.ask('POST', '/window', { handle }); }
  async picture(file) {
    writeFileSync(file, Buffer.from(await this.ask('GET', '/screenshot'), 'base64'));
  }
  // What the page complained of.
  async complaints() {
    return (await this.ask('POST', '/se/log', { type: 'browser' })).filter(({ level }) => level === 'SEVERE').map(({ message }) => message);
  }
}
