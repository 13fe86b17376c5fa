// Manners: axe-core, phones, light and dark, weight, and what a hidden tab does.
import assert from 'node:assert/strict';
import path from 'node:path';
import { openAt, revision } from './steering_tests.mjs';
import { readPng } from './png.mjs';
import { KEY, sleep } from './webdriver.mjs';

async function complaintsOfAxe(browser, axe, where) {
  if (!axe) return;
  await browser.ask('POST', '/execute/sync', { script: `${axe}\n;window.axe = window.axe ?? axe;`, args: [] });
  const violations = await browser.run(`
    const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
    return violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.slice(0, 3).map(({ target, failureSummary }) => target + ': ' + failureSummary) }));`);
  const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  assert.deepEqual(serious, [], `axe-core complains of ${where}`);
  for (const { id, nodes } of violations) console.log(`        axe, not serious, ${where}: ${id} ${nodes[0]}`);
}

async function allStates({ browser, address, api, axe, pictures }, mode) {
  const look = async (where) => {
    await sleep(350);
    await complaintsOfAxe(browser, axe, `${where}, ${mode}`);
    if (pictures) await browser.picture(path.join(pictures, `${mode}-${where.replace(/\W+/g, '-')}.png`));
  };
  await openAt(browser, address, '#new');
  await look('a new picture');
  await browser.click('[data-kind=photo] .samples button');
  await browser.click('[data-kind=painting] .samples button');
  await browser.until("document.querySelectorAll('.frame').length === 2");
  await look('both images');
  const id = await api.begin({}, 1, [2]);
  await openAt(browser, address, `#run=${id}`);
  await browser.until(`${revision} > 2`);
  await browser.run("for (const fold of document.querySelectorAll('#panel details')) fold.open = true;");
  await look('painting');
  await browser.run("document.querySelector('#view').focus();");
  await browser.keys(KEY.space);
  await browser.until("document.querySelector('#transport').dataset.state === 'paused'");
  await look('paused');
  await browser.keys('b');
  await look('the dialog of a branch');
  await browser.keys(KEY.escape, '?');
  await look('the keys');
  await browser.keys(KEY.escape, 'x');
  await look('export');
  await browser.keys(KEY.escape, 'r');
  await look('the runs');
  await browser.keys(KEY.escape);
  await browser.run("document.querySelector('#regions').open = true;");
  await browser.click('#add-region');
  await browser.until("document.querySelector('.ring')");
  await look('drawing');
  await browser.click('#draw-done');
  await browser.until("!document.querySelector('.ring')");
}

export const manners = {
  'axe-core has no serious complaint, light': (context) => allStates(context, 'light'),
  async 'axe-core has no serious complaint, dark'(context) {
    await context.browser.media({ 'prefers-color-scheme': 'dark' });
    await allStates(context, 'dark');
    const screen = readPng(Buffer.from(await context.browser.ask('GET', '/screenshot'), 'base64'));
    assert.ok(screen.at(screen.width - 4, screen.height - 4) < 60, 'the page is dark');
  },

  'a phone': Object.assign(async (context) => {
    const { browser, pictures } = context;
    await browser.viewport(390, 844, { scale: 2, isMobile: true });
    await allStates({ ...context, pictures }, 'phone');
    const { isWide, picture, dials } = await browser.run(`return {
      isWide: document.documentElement.scrollWidth > innerWidth,
      picture: document.querySelector('#view').getBoundingClientRect().bottom,
      dials: document.querySelector('#panel').getBoundingClientRect().top,
    };`);
    assert.ok(!isWide, 'nothing is wider than the phone');
    assert.ok(picture <= dials, 'the picture above, the dials below');
    const small = await browser.run(`return [...document.querySelectorAll('.transport button')].filter((each) => each.offsetParent && each.getBoundingClientRect().height < 36).map((each) => each.id);`);
    assert.deepEqual(small, []);
  }, { browser: { width: 390, height: 844, isTouch: true } }),

  async 'the picture is the largest thing on the screen'({ browser, address, api }) {
    const id = await api.begin();
    await openAt(browser, address, `#run=${id}`);
    await browser.until(`${revision} > 0`);
    const [view, panel] = [await browser.box('#view'), await browser.box('#panel')];
    assert.ok(view.width * view.height > 0.5 * 1280 * 800, `${view.width} × ${view.height}`);
    assert.ok(view.width * view.height > panel.width * panel.height);
    assert.equal(await browser.run('return document.documentElement.scrollHeight <= innerHeight;'), true, 'one screen');
  },

  async 'zoom, move, wipe, full screen'({ browser, address, api }) {
    const id = await api.begin();
    await openAt(browser, address, `#run=${id}`);
    await browser.until(`${revision} > 0`);
    const fitted = await browser.box('#sheet');
    const under = { x: Math.round(fitted.left + fitted.width * 0.25), y: Math.round(fitted.top + fitted.height * 0.25) };
    await browser.ask('POST', '/actions', { actions: [{ type: 'wheel', id: 'wheel', actions: [{ type: 'scroll', ...under, deltaX: 0, deltaY: -600, duration: 100, origin: 'viewport' }] }] });
    const zoomed = await browser.box('#sheet');
    assert.ok(zoomed.width > fitted.width * 1.5);
    assert.ok(Math.abs((under.x - zoomed.left) / zoomed.width - 0.25) < 0.01, 'what is under the pointer stays there');
    await browser.drag([under, { x: under.x + 50, y: under.y + 20 }]);
    assert.ok(Math.abs((await browser.box('#sheet')).left - zoomed.left - 50) < 2);
    await browser.run("document.querySelector('#view').focus();");
    await browser.keys('0');
    assert.ok(Math.abs((await browser.box('#sheet')).width - fitted.width) < 1);
    await browser.keys('1');
    assert.equal(await browser.run("return document.querySelector('#wipe').getAttribute('aria-valuenow');"), '100');
    await browser.keys('2');
    const grip = await browser.box('.grip');
    await browser.drag([{ x: grip.left + 19, y: grip.top + 19 }, { x: fitted.left + fitted.width / 2, y: grip.top + 19 }]);
    const now = Number(await browser.run("return document.querySelector('#wipe').getAttribute('aria-valuenow');"));
    assert.ok(now > 47 && now < 53, `the wipe is at ${now}`);
    await browser.run("document.querySelector('#view').focus();");
    await browser.keys('f');
    await browser.until("document.fullscreenElement?.id === 'stage'");
  },

  async 'a hidden tab fetches nothing'({ browser, address, api }) {
    const id = await api.begin();
    await openAt(browser, address, `#run=${id}`);
    await browser.until(`${revision} > 1`);
    await browser.run("Object.defineProperty(document, 'hidden', { value: true, configurable: true }); document.dispatchEvent(new Event('visibilitychange'));");
    await sleep(600);
    const before = await browser.run("return performance.getEntriesByType('resource').length;");
    const { evaluation } = await api.run(id);
    const facts = await browser.text('.facts');
    await sleep(1800);
    assert.equal(await browser.run("return performance.getEntriesByType('resource').length;"), before);
    assert.equal(await browser.text('.facts'), facts, 'and is told nothing');
    assert.ok((await api.run(id)).evaluation > evaluation, 'it paints on');
    await browser.run("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'));");
    const shown = await browser.run(`return ${revision};`);
    await browser.until(`${revision} > ${shown}`, { says: 'pictures come again' });
  },

  async 'light: under 200 KB, ready soon, and nothing from elsewhere'({ browser, address }) {
    await openAt(browser, address, '#new');
    const kinds = await browser.run(`return performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation')).map(({ name, decodedBodySize, responseEnd }) => ({ name, decodedBodySize, responseEnd }));`);
    for (const { name } of kinds) assert.equal(new URL(name).origin, new URL(address).origin);
    const page = kinds.filter(({ name }) => !name.includes('/api/'));
    const weight = page.reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0);
    assert.ok(weight > 50000 && weight < 200 * 1024, `${weight} bytes`);
    await browser.reload();
    await browser.until("document.body.dataset.ready === 'yes'");
    const ready = await browser.run("return performance.getEntriesByName('ready')[0]?.startTime;");
    console.log(`        ${Math.round(weight / 1024)} KiB, ready after ${Math.round(ready)} ms`);
    assert.deepEqual(await browser.complaints(), []);
  },

  async 'less motion where it is asked for'({ browser, address }) {
    await browser.media({ 'prefers-reduced-motion': 'reduce' });
    await openAt(browser, address, '#new');
    const moving = await browser.run("return [...document.querySelectorAll('*')].filter((each) => { const { transitionDuration, animationDuration } = getComputedStyle(each); return [transitionDuration, animationDuration].some((each) => each.split(',').some((time) => parseFloat(time) > 0)); }).length;");
    assert.equal(moving, 0);
  },
};
