// The pictures of docs/studio.md, taken in chromium from a studio that paints.
//
//     node pictures.mjs ADDRESS
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Api } from './api.mjs';
import { openAt, revision } from './steering_tests.mjs';
import { Browser, KEY, sleep } from './webdriver.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.join(here, '../../../..');
const folder = path.join(root, 'docs/studio');
const [address] = process.argv.slice(2);
const api = new Api(address);
const recipe = { size: '224', preset: 'quick' };
mkdirSync(folder, { recursive: true });

const browser = await Browser.start({ width: 1060, height: 660, isTouch: true });
// Under 100 KB each, whatever is on them.
async function take(name, quality = 82) {
  await sleep(900);
  const { data } = await browser.chrome('Page.captureScreenshot', { format: 'jpeg', quality });
  const bytes = Buffer.from(data, 'base64');
  if (bytes.length >= 100_000) return take(name, quality - 6);
  writeFileSync(path.join(folder, `${name}.jpg`), bytes);
  console.log(`${name}.jpg: ${bytes.length} bytes, quality ${quality}`);
  return undefined;
}
const finished = (id) => api.until(id, (run) => run.state === 'finished', 'it is finished', 900000);

try {
  await api.calm();
  const { examples } = await api.get('/api/studio');
  const image = (name) => examples.flatMap(({ content, style }) => [content, style]).find((each) => each.name.startsWith(name));
  const begin = async (photo, paintings, more = {}) => (await api.post('/api/runs', {
    content: image(photo).id, styles: paintings.map((name) => image(name).id), recipe: { ...recipe, ...more }, name: `${photo} after ${paintings[0]}`,
  })).id;
  const press = async (kind, name) => browser.run("[...document.querySelectorAll(`[data-kind=${args[0]}] .samples button`)].find((each) => each.title.startsWith(args[1])).click();", kind, name);

  await openAt(browser, address, '#new');
  await press('photo', 'chelsea');
  await press('painting', 'marbled');
  await browser.until("document.querySelectorAll('.frame').length === 2 && /about|under/.test(document.querySelector('#forecast').textContent) && [...document.querySelectorAll('.frame img')].every((each) => each.naturalWidth > 0)", { within_ms: 60000 });
  await browser.run('document.activeElement.blur();');
  await take('ready');

  const rocket = await begin('rocket', ['whirls']);
  await openAt(browser, address, `#run=${rocket}`);
  await api.until(rocket, (run) => run.evaluation > run.evaluations * 0.75, 'most of it is painted', 900000);
  await browser.until(`${revision} > 0`);
  const sheet = await browser.box('#sheet');
  const grip = await browser.box('.grip');
  await browser.drag([{ x: grip.left + 19, y: grip.top + 19 }, { x: sheet.left + sheet.width * 0.44, y: grip.top + 19 }]);
  await take('painting');
  await finished(rocket);

  const cat = await begin('chelsea', ['marbled']);
  await openAt(browser, address, `#run=${cat}`);
  await api.until(cat, (run) => run.evaluation > run.evaluations * 0.4, 'some of it is painted', 900000);
  await api.post(`/api/runs/${cat}/stop`);
  await api.until(cat, (run) => run.state === 'stopped', 'it is stopped');
  const twigs = [];
  for (const set of [{ strength: 1.6 }, { colours: 'photo' }]) {
    twigs.push((await api.post(`/api/runs/${cat}/branch`, { set })).id);
    await finished(twigs.at(-1));
  }
  twigs.push((await api.post(`/api/runs/${twigs[0]}/larger`)).id);
  await api.until(twigs.at(-1), (run) => run.revision > 1, 'it paints larger', 900000);
  await openAt(browser, address, `#run=${twigs[0]}`);
  await browser.until(`${revision} > 0`);
  await take('branches');
  await api.calm();

  await openAt(browser, address, '#new');
  await press('photo', 'coffee');
  await press('painting', 'waves');
  await browser.until("document.querySelectorAll('.frame').length >= 2");
  await browser.run("document.querySelector('#regions').open = true;");
  await browser.click('#add-region');
  await browser.until("document.querySelector('.ring') && document.querySelector('#photo').naturalWidth > 0");
  await sleep(600);
  await browser.type('[data-file=mask]', path.join(root, 'assets/coffee-cup.png'));
  await browser.until("document.querySelector('#draw-tools').dataset.mask");
  const cup = await browser.box('#sheet');
  await browser.actions([{ type: 'pointer', id: 'the mouse', parameters: { pointerType: 'mouse' }, actions: [{ type: 'pointerMove', duration: 10, x: Math.round(cup.left + cup.width * 0.7), y: Math.round(cup.top + cup.height * 0.62) }] }]);
  await take('regions');
  await browser.click('#draw-done');

  await finished(await begin('rocket', ['marbled']));
  const coffee = await begin('coffee', ['waves']);
  await finished(coffee);
  await openAt(browser, address, `#run=${rocket}`);
  await browser.click('#open-runs');
  await browser.until("[...document.querySelectorAll('.gallery img')].slice(0, 4).every((each) => each.naturalWidth > 0)");
  await browser.run('document.activeElement.blur();');
  await take('runs');
  await browser.keys(KEY.escape);

  await browser.media({ 'prefers-color-scheme': 'dark' });
  await browser.viewport(390, 780, { scale: 1, isMobile: true });
  await openAt(browser, address, `#run=${coffee}`);
  await browser.until(`${revision} > 0`);
  await take('phone', 88);
} finally {
  await browser.stop();
}
