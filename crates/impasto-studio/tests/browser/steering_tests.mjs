// From two images to a picture, and what can be done with it on the way.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { readPng } from './png.mjs';
import { KEY, sleep } from './webdriver.mjs';

export const ready = "document.body.dataset.ready === 'yes'";
export const revision = "Number(document.querySelector('#sheet').dataset.revision ?? 0)";
const shown = (id) => `location.hash === '#run=${id}' && document.querySelector('#transport').dataset.state`;
export const hashRun = async (browser) => /#run=(.+)/.exec(await browser.address())?.[1];
const close = (a, b, within = 0.011) => Math.abs(a - b) <= within * Math.max(1, Math.abs(b));

export async function openAt(browser, address, hash) {
  await browser.open(address);
  await browser.until(ready);
  await browser.run('location.hash = args[0];', hash);
  await browser.until(hash === '#new' ? "!document.querySelector('#setup').hidden && document.querySelector('#paint')" : `(${shown(hash.slice(5))})`);
}
const openRun = async ({ browser, address, api }, recipe, ...more) => {
  const id = await api.begin(recipe, ...more);
  await openAt(browser, address, `#run=${id}`);
  await browser.until("document.querySelector('[data-dial=strength]')");
  return id;
};

// Files dropped on an element, as a browser tells of them.
const drop = (browser, css, names) => browser.run(`
  const [css, names] = args;
  const data = new DataTransfer();
  const { examples } = await (await fetch('/api/studio')).json();
  for (const name of names) {
    const image = examples.flatMap(({ content, style }) => [content, style]).find((image) => image.name.startsWith(name));
    const bytes = await (await fetch('/api/images/' + image.id + '?long_edge=4096')).blob();
    data.items.add(new File([bytes], name + '-dropped.' + (bytes.type.endsWith('png') ? 'png' : 'jpg'), { type: bytes.type }));
  }
  const target = document.querySelector(css);
  for (const type of ['dragenter', 'dragover', 'drop']) target.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: data }));
`, css, names);

export const steering = {
  async 'two drops make a picture'({ browser, address, api, pictures }) {
    await openAt(browser, address, '#new');
    assert.equal(await browser.text('#paint'), 'Paint an example');
    await drop(browser, '[data-kind=photo]', ['rocket']);
    await browser.until("document.querySelector('[data-kind=photo] .frame img')?.naturalWidth > 0");
    await drop(browser, 'body', ['whirls']);
    await browser.until("document.querySelector('[data-kind=painting] .frame img')?.naturalWidth > 0");
    await browser.fill('[data-field=size]', '96\uE007');
    await browser.run("const preset = document.querySelector('#preset'); preset.value = 'quick'; preset.dispatchEvent(new Event('change'));");
    await browser.until("/about .* ?(second|minute)|under a second/.test(document.querySelector('#forecast').textContent) && document.querySelector('#forecast').textContent.includes('96 ×')", { says: 'a forecast of 96 pixels' });
    const began = Date.now();
    await browser.click('#paint');
    await browser.until("document.querySelector('#photo').naturalWidth > 0", { within_ms: 5000 });
    const photo_ms = Date.now() - began;
    await browser.until(`${revision} > 0`, { within_ms: 30000 });
    const id = await hashRun(browser);
    await browser.until("document.querySelector('#transport').dataset.state === 'finished'", { within_ms: 240000 });
    const run = await api.run(id);
    assert.equal(run.state, 'finished');
    assert.equal(Math.max(run.size.width, run.size.height), 96);
    await browser.until(`${revision} === ${run.revision}`, { says: 'the last picture is shown' });
    assert.match(await browser.text('#transport'), /Finished/);
    console.log(`        the photo stood on the stage ${photo_ms} ms after Paint was pressed`);
    if (pictures) await browser.picture(path.join(pictures, 'finished.png'));
  },

  async 'one button paints an example'({ browser, address, api }) {
    await openAt(browser, address, '#new');
    await browser.click('#paint');
    await browser.until("location.hash.startsWith('#run=')");
    const id = await hashRun(browser);
    await api.until(id, (run) => ['preparing', 'painting', 'finished'].includes(run.state), 'it paints');
  },

  async 'a slider moved while it paints counts'(context) {
    const { browser, api } = context;
    const id = await openRun(context);
    await api.until(id, (run) => run.evaluation > 2, 'it paints');
    const before = await api.run(id);
    const box = await browser.box('[data-dial=strength]');
    const y = box.top + box.height / 2;
    await browser.drag(Array.from({ length: 16 }, (_, at) => ({ x: box.left + box.width * (0.5 + 0.02 * at), y })));
    const typed = Number(await browser.run("return document.querySelector('[data-field=strength]').value;"));
    assert.ok(typed > 1.5 && typed < 1.8, `the field says ${typed}`);
    const run = await api.until(id, (run) => run.timeline.length > before.timeline.length && close(run.controls.strength, typed), `strength ${typed}`);
    assert.ok(run.timeline.at(-1).before_evaluation > before.evaluation);
    assert.ok(run.timeline.length - before.timeline.length <= 4, `one move became ${run.timeline.length} changes`);
  },

  async 'what was steered is repeated by the command line'(context) {
    const { browser, api, isMock } = context;
    if (isMock) return;
    const id = await openRun(context, { size: '64', iterations: 30, levels: 1 });
    await api.until(id, (run) => run.evaluation > 2, 'it paints');
    await api.post(`/api/runs/${id}/pause`);
    await browser.fill('[data-field=strength]', '1.7\uE007');
    await browser.fill('[data-field=tv_weight]', '9\uE007');
    await api.until(id, (run) => run.controls.tv_weight === 9 && close(run.controls.strength, 1.7), 'two changes are taken');
    await api.post(`/api/runs/${id}/resume`);
    const run = await api.until(id, (run) => run.state === 'finished', 'it is finished', 240000);
    assert.ok(run.timeline.length >= 1 && run.timeline[0].before_evaluation > 2, JSON.stringify(run.timeline));
    const { command } = await api.get(`/api/runs/${id}/command`);
    const folder = mkdtempSync(path.join(os.tmpdir(), 'impasto-again-'));
    try {
      // As it was copied, in a folder where nothing lies.
      execFileSync('sh', ['-c', `${command} --quiet`], { cwd: folder });
      const painted = readPng(readFileSync(path.join(folder, readdirSync(folder).find((name) => name.endsWith('.png')))));
      const exported = readPng(await api.get(`/api/runs/${id}/export?format=png8`));
      assert.deepEqual([painted.width, painted.height], [exported.width, exported.height]);
      assert.ok(painted.pixels.equals(exported.pixels), 'the same pixels');
    } finally {
      rmSync(folder, { recursive: true });
    }
  },

  async 'a number typed counts'(context) {
    const { browser, api } = context;
    const id = await openRun(context);
    await api.until(id, (run) => run.evaluation > 0, 'it paints');
    await browser.fill('[data-field=content_weight]', '3,5\uE007');
    await api.until(id, (run) => run.controls.content_weight === 3.5, 'content weight 3.5');
    await browser.fill('[data-field=content_weight]', 'nonsense\uE007');
    assert.equal(await browser.run("return document.querySelector('[data-field=content_weight]').getAttribute('aria-invalid');"), 'true');
    await sleep(400);
    assert.equal((await api.run(id)).controls.content_weight, 3.5);
  },

  async 'colours, shares and layers are steered'(context) {
    const { browser, api } = context;
    const id = await openRun(context, {}, 0, [1]);
    await api.until(id, (run) => run.evaluation > 0, 'it paints');
    await browser.run("document.querySelector('[data-dial=colours][value=photo]').click();");
    await api.until(id, (run) => run.controls.colours === 'photo', "the photo's colours");
    const first = Number(await browser.run("return document.querySelector('[data-field=share-1]').value;"));
    await browser.fill('[data-field=share-2]', `${first / 2}\uE007`);
    const { controls: { style_blend: [one, two] } } = await api.until(id, (run) => close(run.controls.style_blend?.[1] / run.controls.style_blend?.[0], 0.5), 'shares 1 to 0.5');
    assert.ok(one > two);
    await browser.click('.dials summary');
    await browser.fill('[data-field=layer-conv3_1]', '0.7\uE007');
    await api.until(id, (run) => run.controls.style_layers.conv3_1 === 0.7, 'a layer of 0.7');
  },

  async 'pause, step, go on, stop'(context) {
    const { browser, api } = context;
    const id = await openRun(context);
    await browser.until("document.querySelector('#transport').dataset.state === 'painting'");
    await browser.until(`${revision} > 0`);
    await browser.run("document.querySelector('#view').focus();");
    await browser.keys(KEY.space);
    await browser.until("document.querySelector('#transport').dataset.state === 'paused'");
    const paused = await api.run(id);
    await sleep(700);
    assert.equal((await api.run(id)).evaluation, paused.evaluation, 'nothing is painted while it is paused');
    assert.match(await browser.text('#said'), /Paused/);
    await browser.keys('s');
    await api.until(id, (run) => run.evaluation === paused.evaluation + 1 && run.state === 'paused', 'one step');
    await sleep(300);
    assert.equal((await api.run(id)).evaluation, paused.evaluation + 1);
    await browser.keys(KEY.space);
    await api.until(id, (run) => run.state === 'painting' && run.evaluation > paused.evaluation + 3, 'it goes on');
    await browser.click('#stop');
    await api.until(id, (run) => run.state === 'stopped', 'it is stopped');
    await browser.until("document.querySelector('#transport').dataset.state === 'stopped'");
  },

  async 'undo and redo'(context) {
    const { browser, api } = context;
    const id = await openRun(context);
    const { controls: { tv_weight: begun } } = await api.until(id, (run) => run.evaluation > 0, 'it paints');
    await browser.fill('[data-field=tv_weight]', '9\uE007');
    await api.until(id, (run) => run.controls.tv_weight === 9, 'smoothness 9');
    await browser.run("document.querySelector('#view').focus();");
    await browser.keys('z');
    await api.until(id, (run) => run.controls.tv_weight === begun, 'it is undone');
    await browser.until(`document.querySelector('[data-field=tv_weight]').value === '${begun}'`, { says: 'the dial went back' });
    await browser.chord(KEY.shift, 'Z');
    await api.until(id, (run) => run.controls.tv_weight === 9, 'it is redone');
  },

  async 'a branch is a second run, and the tree shows both'(context) {
    const { browser, api } = context;
    const id = await openRun(context);
    await api.until(id, (run) => run.evaluation > 4, 'it paints');
    await browser.run("document.querySelector('#view').focus();");
    await browser.keys('b');
    await browser.until("document.querySelector('#branch-dialog').open");
    await browser.keys(KEY.enter);
    await browser.until(`location.hash.startsWith('#run=') && location.hash !== '#run=${id}'`);
    const branch = await hashRun(browser);
    const run = await api.until(branch, (each) => each.parent === id, 'a branch');
    assert.ok(run.branched_at > 0);
    await browser.until(`document.querySelectorAll('.node').length === 2 && document.querySelector('.node[aria-current]').dataset.run === '${branch}'`);
    await api.until(branch, (each) => each.state === 'painting' && each.evaluation > run.branched_at, 'the branch paints, its parent being stopped');
    assert.equal((await api.run(id)).state, 'stopped');
    await browser.click(`.node[data-run="${id}"]`);
    await browser.until(`location.hash === '#run=${id}' && document.querySelector('#transport').dataset.state === 'stopped'`);
  },

  async 'dials moved on a stopped run wait for a branch, over a reload'(context) {
    const { browser, api } = context;
    const id = await openRun(context);
    await api.until(id, (run) => run.evaluation > 3, 'it paints');
    await api.post(`/api/runs/${id}/stop`);
    await browser.until("document.querySelector('#transport').dataset.state === 'stopped'");
    await browser.fill('[data-field=strength]', '1.6\uE007');
    await browser.until("!document.querySelector('.draft').hidden");
    await browser.reload();
    await browser.until("document.querySelector('[data-field=strength]')?.value === '1.6'", { says: 'the value stands after a reload' });
    await browser.click('#branch-draft');
    await browser.until("document.querySelector('#branch-dialog').open");
    await browser.click('#branch-go');
    await browser.until(`location.hash.startsWith('#run=') && location.hash !== '#run=${id}'`);
    await api.until(await hashRun(browser), (run) => close(run.controls.strength, 1.6), 'the branch has strength 1.6');
  },

  async 'a reload in the middle loses nothing and stops nothing'(context) {
    const { browser, api } = context;
    const id = await openRun(context);
    await browser.until(`${revision} > 0`);
    await browser.fill('[data-field=strength]', '1.4\uE007');
    await api.until(id, (run) => close(run.controls.strength, 1.4), 'strength 1.4');
    const before = await api.run(id);
    await browser.reload();
    await browser.until(`${revision} > 0`);
    assert.equal(await hashRun(browser), id);
    await browser.until("document.querySelector('[data-field=strength]').value === '1.4'");
    const after = await api.until(id, (run) => run.evaluation > before.evaluation, 'it went on');
    assert.equal(after.state, 'painting');
    // From the bare address too: what is being painted is shown.
    await browser.open(new URL(context.address).origin);
    await browser.until(`location.hash === '#run=${id}'`);
  },

  async 'a new picture keeps its choices over a reload'({ browser, address }) {
    await openAt(browser, address, '#new');
    await browser.click('[data-kind=photo] .samples button');
    await browser.click('[data-kind=painting] .samples button');
    await browser.fill('[data-field=size]', '400x300\uE007');
    await browser.until("document.querySelector('#forecast').textContent.includes('400 × 300')");
    await browser.reload();
    await browser.until("document.querySelectorAll('.frame').length === 2 && document.querySelector('[data-field=size]').value === '400x300'");
  },

  async 'two tabs see the same'(context) {
    const { browser, api } = context;
    const id = await openRun(context);
    const [first] = await browser.windows();
    await browser.until(`${revision} > 0`);
    // A window, so that both are in sight and follow by what they are told, not by asking anew.
    await browser.to(await browser.newTab('window'));
    await browser.open(`${new URL(context.address).origin}/#run=${id}`);
    await browser.until(`${revision} > 0`);
    await browser.fill('[data-field=strength]', '0.6\uE007');
    await api.until(id, (run) => close(run.controls.strength, 0.6), 'strength 0.6');
    await browser.to(first);
    await browser.until("document.querySelector('[data-field=strength]').value === '0.6'", { says: 'the first tab follows' });
    await browser.run("document.querySelector('#view').focus();");
    await browser.keys(KEY.space);
    await browser.until("document.querySelector('#transport').dataset.state === 'paused'");
    await browser.to((await browser.windows()).at(-1));
    await browser.until("document.querySelector('#transport').dataset.state === 'paused'", { says: 'the second tab follows' });
    // A tab that is closed stops nothing.
    await browser.ask('DELETE', '/window');
    await browser.to(first);
    await api.post(`/api/runs/${id}/resume`);
    const { evaluation } = await api.run(id);
    await api.until(id, (run) => run.evaluation > evaluation + 2, 'it goes on');
  },

  async 'what is refused is said, and the dial goes back'(context) {
    const { browser, api } = context;
    const id = await openRun(context);
    const { controls: { content_weight: begun } } = await api.until(id, (run) => run.evaluation > 0, 'it paints');
    await browser.fill('[data-field=content_weight]', '1e13\uE007');
    await browser.until("document.querySelector('#notices .notice p')?.textContent.length > 10");
    await browser.run('document.activeElement.blur();');
    await browser.until(`document.querySelector('[data-field=content_weight]').value === '${begun}'`, { says: 'the dial went back' });
  },

  async 'behind a paused run it is said that it waits for that'(context) {
    const { browser, api } = context;
    const first = await api.begin();
    await api.until(first, (run) => run.evaluation > 0, 'it paints');
    await api.post(`/api/runs/${first}/pause`);
    await api.until(first, (run) => run.state === 'paused', 'it is paused');
    const second = await api.begin();
    await openAt(browser, context.address, `#run=${second}`);
    await browser.until("document.querySelector('#stage-note').textContent.endsWith(', which is paused')");
    await browser.click('#stage-note a');
    await browser.until(`location.hash === '#run=${first}'`);
  },

  async 'an undo shows while it is paused, and a number that is none says what would be one'(context) {
    const { browser, api } = context;
    const id = await openRun(context);
    const { controls: { tv_weight: begun } } = await api.until(id, (run) => run.evaluation > 0, 'it paints');
    await api.post(`/api/runs/${id}/pause`);
    await api.until(id, (run) => run.state === 'paused', 'it is paused');
    await browser.fill('[data-field=tv_weight]', '9\uE007');
    await browser.until("!document.querySelector('#undo').disabled");
    await browser.run("document.querySelector('#view').focus();");
    await browser.keys('z');
    await browser.until(`document.querySelector('[data-field=tv_weight]').value === '${begun}'`, { says: 'the dial went back while it waits' });
    await browser.fill('[data-field=strength]', '50\uE007');
    await browser.until("document.querySelector('[data-field=strength]').closest('.dial').dataset.wrong === 'a number from 0 to 2'");
  },

  async 'a region whose painting is taken away is of the one that is left'(context) {
    const { browser, address, api } = context;
    await openAt(browser, address, '#new');
    await browser.click('[data-kind=photo] .samples button');
    await browser.click('[data-kind=painting] .samples button');
    await browser.until("document.querySelectorAll('[data-kind=painting] .frame').length === 1");
    await drop(browser, '[data-kind=painting]', ['marbled']);
    await browser.until("document.querySelectorAll('[data-kind=painting] .frame').length === 2");
    const mask = await browser.run(`
      const canvas = Object.assign(document.createElement('canvas'), { width: 8, height: 8 });
      const draw = canvas.getContext('2d');
      draw.fillRect(0, 0, 8, 8); draw.fillStyle = 'white'; draw.fillRect(0, 0, 4, 8);
      const body = await new Promise((done) => canvas.toBlob(done, 'image/png'));
      return (await (await fetch('/api/masks', { method: 'POST', headers: { 'X-Impasto': '1', 'Content-Type': 'image/png' }, body })).json()).id;`);
    await browser.run("const setup = (await import('/modules/setup.js')).setup; setup.recipe.regions = [{ name: 'left', mask: args[0], painting: 2 }];", mask);
    await browser.click('[data-kind=painting] .frame:nth-child(2) [aria-label^=Take]');
    await browser.until("document.querySelectorAll('[data-kind=painting] .frame').length === 1");
    await browser.until("/about|under a second/.test(document.querySelector('#forecast').textContent)", { says: 'it can be painted' });
    await api.calm();
  },

  async 'a second run waits in line, and can be taken out of it'(context) {
    const { browser, api } = context;
    await api.until(await api.begin(), (run) => run.evaluation > 0, 'it paints');
    const second = await api.begin();
    await openAt(browser, context.address, `#run=${second}`);
    await browser.until("document.querySelector('#stage-note').textContent === 'Waits in line, first'");
    await browser.click('#stop');
    await api.until(second, (run) => run.state === 'stopped', 'it is out of the line');
  },

  async 'a finished picture is exported in every format, and painted larger'({ browser, address, api }) {
    const id = await api.begin({ size: '64', iterations: 3, levels: 1 });
    await api.until(id, (run) => run.state === 'finished', 'it is finished', 120000);
    await openAt(browser, address, `#run=${id}`);
    await browser.until("document.querySelector('#transport').dataset.state === 'finished' && !document.querySelector('#export').disabled");
    await browser.click('#export');
    const answers = await browser.run(`
      const links = [...document.querySelectorAll('#export-menu a')];
      return Promise.all(links.map(async ({ href }) => { const answer = await fetch(href); return [answer.status, answer.headers.get('content-disposition'), (await answer.blob()).size]; }));`);
    assert.equal(answers.length, 5);
    for (const [status, disposition, bytes] of answers) assert.ok(status === 200 && disposition?.startsWith('attachment') && bytes > 100, JSON.stringify(answers));
    const { command, recipe } = await api.get(`/api/runs/${id}/command`);
    assert.match(command, / paint .* --recipe /);
    assert.ok(recipe.preset);
    await browser.keys(KEY.escape);
    await browser.run("document.querySelector('#view').focus();");
    await browser.keys('l');
    await browser.until("document.querySelector('#branch-dialog').open && document.querySelector('#branch-dialog').textContent.includes('128 × ')");
    await browser.keys(KEY.enter);
    await browser.until(`location.hash.startsWith('#run=') && location.hash !== '#run=${id}'`);
    const larger = await api.until(await hashRun(browser), (run) => run.size.width > 0, 'its size is known');
    assert.equal(Math.max(larger.size.width, larger.size.height), 128);
    assert.equal(larger.parent, id);
    await browser.until("document.querySelectorAll('.node').length === 2");
  },

  async 'again with a run begins anew with its recipe'(context) {
    const { browser, api } = context;
    const id = await openRun(context, { strength: 1.3 });
    await api.until(id, (run) => run.evaluation > 0, 'it paints');
    await browser.click('#again');
    await browser.until("!document.querySelector('#setup').hidden && document.querySelectorAll('.frame').length === 2");
    assert.equal(await browser.run("return document.querySelector('[data-field=strength]').value;"), '1.3');
    await api.calm();
    await browser.click('#paint');
    await browser.until(`location.hash.startsWith('#run=') && location.hash !== '#run=${id}'`);
    await api.until(await hashRun(browser), (run) => close(run.controls.strength, 1.3), 'strength 1.3');
  },

  async 'runs are listed, opened and deleted'(context) {
    const { browser, api } = context;
    const id = await openRun(context);
    await api.until(id, (run) => run.revision > 0, 'a picture');
    await api.calm();
    await browser.click('#open-runs');
    await browser.until(`document.querySelector('.gallery [data-run="${id}"] img')?.naturalWidth > 0`);
    await browser.click(`.gallery [data-run="${id}"] .recipe summary`);
    await browser.until(`document.querySelector('.gallery [data-run="${id}"] pre')?.textContent.includes('preset')`);
    const bin = `.gallery [data-run="${id}"] [aria-label^=Delete]`;
    await browser.click(bin);
    assert.ok((await api.runs()).some((run) => run.id === id), 'once pressed, it asks');
    await browser.click(bin);
    await browser.until("!document.querySelector('.gallery [data-run=\"" + id + "\"]')");
    assert.ok(!(await api.runs()).some((run) => run.id === id));
  },

  async 'keyboard alone, from start to export'({ browser, address, api }) {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'impasto-export-'));
    await browser.chrome('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: folder });
    await openAt(browser, address, '#new');
    const tabTo = async (css) => {
      for (let presses = 0; presses < 60; presses += 1) {
        if (await browser.run('return Boolean(document.activeElement?.matches(args[0]));', css)) return;
        await browser.keys(KEY.tab);
      }
      throw new Error(`${css} is not reached by Tab`);
    };
    await tabTo('[data-kind=photo] .samples button:nth-child(2)');
    await browser.keys(KEY.enter);
    await browser.until("document.querySelector('[data-kind=photo] .frame')");
    await tabTo('[data-kind=painting] .samples button:nth-child(2)');
    await browser.keys(KEY.enter);
    await browser.until("document.querySelector('[data-kind=painting] .frame')");
    await tabTo('[data-field=size]');
    await browser.keys('9', '6', KEY.enter);
    await tabTo('#paint');
    await browser.keys(KEY.enter);
    await browser.until("location.hash.startsWith('#run=')");
    const id = await hashRun(browser);
    await browser.until(`${revision} > 0`, { within_ms: 30000 });
    await tabTo('[data-dial=strength]');
    await browser.keys(KEY.right, KEY.right, KEY.right);
    await api.until(id, (run) => run.controls.strength > 1.01 || run.state === 'finished', 'the arrow keys move the dial');
    await tabTo('#wipe');
    await browser.keys(KEY.end);
    assert.equal(await browser.run("return document.querySelector('#wipe').getAttribute('aria-valuenow');"), '100');
    await browser.keys('2');
    assert.equal(await browser.run("return document.querySelector('#wipe').getAttribute('aria-valuenow');"), '0');
    await browser.keys('x');
    await browser.until("document.activeElement?.dataset.format === 'png8'");
    await browser.keys(KEY.enter);
    const file = await (async () => {
      for (let tries = 0; tries < 100; tries += 1) {
        const found = readdirSync(folder).find((name) => !name.endsWith('.crdownload') && !name.startsWith('.'));
        if (found) return found;
        await sleep(100);
      }
      throw new Error('no file came');
    })();
    assert.ok(readFileSync(path.join(folder, file)).length > 1000, `${file} has bytes`);
  },
};
