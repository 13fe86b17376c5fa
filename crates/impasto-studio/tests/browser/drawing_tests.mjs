// Regions drawn by hand: the mask's pixels are where the hand was, by mouse, by touch at zoom 3, by keys.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { hashRun, openAt } from './steering_tests.mjs';
import { readPng } from './png.mjs';
import { KEY, sleep } from './webdriver.mjs';

const sent = "document.querySelector('#draw-tools').dataset.mask && document.querySelector('#draw-tools').dataset.sent === 'yes'";

const isKept = "document.querySelector('#draw-tools').dataset.kept === 'yes'";
const outOfReach = "window.reached = window.fetch; window.fetch = (address, more) => (String(address).includes('/api/masks') ? Promise.reject(new TypeError('out of reach')) : window.reached(address, more));";

async function beginRegion(browser, address) {
  await openAt(browser, address, '#new');
  await browser.click('[data-kind=photo] .samples button:nth-child(3)');
  await browser.until("document.querySelector('[data-kind=photo] .frame')");
  await browser.click('[data-kind=painting] .samples button');
  await browser.until("document.querySelector('[data-kind=painting] .frame') && document.querySelector('#regions')");
  await browser.run("document.querySelector('#regions').open = true;");
  await browser.click('#add-region');
  await browser.until("document.querySelector('.ring')");
  await sleep(500);
  await browser.until("document.querySelector('#photo').naturalWidth > 0");
}

async function mask({ browser, api }) {
  await browser.until(sent, { says: 'the mask is sent' });
  const id = await browser.run("return document.querySelector('#draw-tools').dataset.mask;");
  return readPng(await api.get(`/api/masks/${id}`));
}

// Where the stage has a point of the mask, and what a pixel of it is on the screen; found from what the page shows.
async function screen(browser) {
  const box = await browser.box('#sheet');
  const size = await browser.run("const { width, height } = document.querySelector('.layer'); return { width, height };");
  const scale = box.width / size.width;
  return { ...size, scale, at: (x, y) => ({ x: box.left + x * scale, y: box.top + y * scale }) };
}

// The distance of a point from the path that was drawn.
function distance(path, x, y) {
  let least = Infinity;
  for (let at = 1; at < path.length; at += 1) {
    const [a, b] = [path[at - 1], path[at]];
    const along = Math.max(0, Math.min(1, ((x - a.x) * (b.x - a.x) + (y - a.y) * (b.y - a.y)) / ((b.x - a.x) ** 2 + (b.y - a.y) ** 2 || 1)));
    least = Math.min(least, Math.hypot(x - a.x - along * (b.x - a.x), y - a.y - along * (b.y - a.y)));
  }
  return least;
}

// Every pixel: white well inside the stroke, black well outside. `slip` is how far the screen's whole pixels may put it off.
function holdsStroke(mask, path, radius, soft, slip) {
  let [inside, outside] = [0, 0];
  for (let y = 0; y < mask.height; y += 1) {
    for (let x = 0; x < mask.width; x += 1) {
      const apart = distance(path, x + 0.5, y + 0.5);
      const value = mask.at(x, y);
      if (apart < radius * (1 - soft) - slip) {
        inside += 1;
        assert.ok(value >= 250, `(${x}, ${y}) is inside, ${apart.toFixed(1)} from the path, and is ${value}`);
      } else if (apart > radius + slip) {
        outside += 1;
        assert.ok(value <= 5, `(${x}, ${y}) is outside, ${apart.toFixed(1)} from the path, and is ${value}`);
      }
    }
  }
  assert.ok(inside > 50 && outside > 50, `${inside} inside, ${outside} outside`);
}

async function brush(browser, size, soft) {
  await browser.fill('[data-field=brush-size]', `${size}\uE007`);
  await browser.fill('[data-field=brush-soft]', `${soft}\uE007`);
}
const whole = (point) => ({ x: Math.round(point.x), y: Math.round(point.y) });

// A stroke across the middle while the server is out of reach: it stays in the browser.
async function drawOutOfReach({ browser, address }) {
  await beginRegion(browser, address);
  await brush(browser, 60, 0);
  const { at, width, height } = await screen(browser);
  await browser.run(outOfReach);
  await browser.drag([whole(at(0.3 * width, 0.5 * height)), whole(at(0.7 * width, 0.5 * height))]);
  await browser.until(isKept, { says: 'the drawing is kept in the browser' });
  return { width, height };
}

async function touchAtZoom(context, kind, more = {}, radius = 12) {
  const { browser, address } = context;
  await beginRegion(browser, address);
  await brush(browser, 24, 0);
  await browser.fill('.zoom', '300\uE007');
  await browser.until("document.querySelector('.zoom').value === '300 %' || document.activeElement.matches('.zoom')");
  await browser.run("document.querySelector('#view').focus();");
  await browser.keys(KEY.right, KEY.right);
  const { scale, at } = await screen(browser);
  const ratio = await browser.run('return devicePixelRatio;');
  assert.ok(Math.abs(scale * ratio - 3) < 0.01, `the zoom is ${scale * ratio}`);
  const middle = await browser.run("const { left, top, width, height } = document.querySelector('#view').getBoundingClientRect(); return { x: left + width / 2, y: top + height / 2 };");
  const path = [{ x: -80, y: -60 }, { x: 70, y: -30 }, { x: 20, y: 80 }].map(({ x, y }) => whole({ x: middle.x + x, y: middle.y + y }));
  const origin = at(0, 0);
  await browser.drag(path, kind, more);
  const drawn = path.map(({ x, y }) => ({ x: (x - origin.x) / scale, y: (y - origin.y) / scale }));
  holdsStroke(await mask(context), drawn, radius, 0, 1.5);
}

export const drawing = {
  async 'a region drawn with the mouse'(context) {
    const { browser, address, api } = context;
    await beginRegion(browser, address);
    await brush(browser, 60, 0.4);
    const { at, scale, width, height } = await screen(browser);
    const path = [[0.3, 0.35], [0.55, 0.3], [0.6, 0.7]].map(([x, y]) => whole(at(x * width, y * height)));
    const origin = at(0, 0);
    await browser.drag(path);
    holdsStroke(await mask(context), path.map(({ x, y }) => ({ x: (x - origin.x) / scale, y: (y - origin.y) / scale })), 30, 0.4, 1.5);
    // It goes with the run.
    await browser.click('#draw-done');
    await browser.until("!document.querySelector('.ring')");
    await browser.click('#paint');
    await browser.until("location.hash.startsWith('#run=')");
    const run = await api.until(await hashRun(browser), (each) => each.controls.regions, 'its dials');
    assert.equal(run.controls.regions.length, 1);
    assert.ok(run.controls.regions[0].mask);
  },

  'a region drawn by touch at zoom 3': Object.assign((context) => touchAtZoom(context, 'touch'), { browser: { isTouch: true } }),
  // Half the pressure, a thinner stroke.
  'a region drawn with a pen at zoom 3': (context) => touchAtZoom(context, 'pen', { pressure: 0.5 }, 12 * (0.15 + 0.85 * 0.5)),

  'two fingers zoom and draw nothing': Object.assign(async (context) => {
    const { browser, address } = context;
    await beginRegion(browser, address);
    const box = await browser.box('#sheet');
    const [x, y] = [Math.round(box.left + box.width / 2), Math.round(box.top + box.height / 2)];
    await browser.pinch([{ x: x - 30, y }, { x: x - 120, y }], [{ x: x + 30, y }, { x: x + 120, y }]);
    const after = await browser.box('#sheet');
    assert.ok(after.width > box.width * 2.5, `from ${box.width} to ${after.width} pixels`);
    await sleep(900);
    assert.equal(await browser.run("return document.querySelector('#draw-tools').dataset.mask;"), '', 'nothing was drawn');
  }, { browser: { isTouch: true } }),

  async 'eraser, undo, redo, invert'(context) {
    const { browser, address } = context;
    await beginRegion(browser, address);
    await brush(browser, 80, 0);
    const { at, width, height } = await screen(browser);
    const line = (x1, y1, x2, y2) => [whole(at(x1 * width, y1 * height)), whole(at(x2 * width, y2 * height))];
    const value = async (x, y) => (await mask(context)).at(x * width, y * height);
    await browser.drag(line(0.2, 0.5, 0.8, 0.5));
    await sleep(100);
    assert.equal(await value(0.5, 0.5), 255);
    await browser.keys('e');
    await browser.drag(line(0.5, 0.2, 0.5, 0.8));
    await sleep(100);
    assert.equal(await value(0.5, 0.5), 0);
    assert.equal(await value(0.25, 0.5), 255);
    await browser.keys('z');
    await sleep(100);
    assert.equal(await value(0.5, 0.5), 255, 'undone');
    await browser.chord(KEY.shift, 'Z');
    await sleep(100);
    assert.equal(await value(0.5, 0.5), 0, 'redone');
    await browser.keys('i');
    await sleep(100);
    assert.equal(await value(0.5, 0.5), 255, 'inverted');
    assert.equal(await value(0.25, 0.5), 0, 'inverted');
  },

  async 'lasso and fill by colour'(context) {
    const { browser, address } = context;
    await beginRegion(browser, address);
    const { at, width, height } = await screen(browser);
    await browser.keys('l');
    await browser.drag([[0.1, 0.1], [0.4, 0.1], [0.4, 0.4], [0.1, 0.4]].map(([x, y]) => whole(at(x * width, y * height))));
    await sleep(100);
    let drawn = await mask(context);
    assert.equal(drawn.at(0.25 * width, 0.25 * height), 255);
    assert.equal(drawn.at(0.5 * width, 0.25 * height), 0);
    await browser.keys('z', 'c');
    await browser.fill('[data-field=brush-tolerance]', '24\uE007');
    await browser.until("document.querySelector('#photo').naturalWidth > 0");
    await sleep(500);
    // The saucer of the cup, below the cup, and not the table beside it.
    await browser.drag([whole(at(0.3 * width, 0.8 * height))]);
    await sleep(100);
    drawn = await mask(context);
    assert.ok(drawn.at(0.3 * width, 0.8 * height) > 127);
    assert.equal(drawn.at(0.95 * width, 0.5 * height), 0);
    const white = drawn.pixels.filter((value, index) => index % drawn.channels === 0 && value > 127).length / (width * height);
    assert.ok(white > 0.005 && white < 0.6, `${white} of the photo is filled`);
  },

  async 'a mask drawn by keys alone'(context) {
    const { browser, address } = context;
    await beginRegion(browser, address);
    await brush(browser, 40, 0);
    await browser.run("document.querySelector('#view').focus();");
    const { width, height } = await screen(browser);
    await browser.keys(KEY.enter, ...Array(6).fill(KEY.right), KEY.enter, KEY.down, KEY.down, KEY.down, KEY.down);
    await sleep(100);
    holdsStroke(await mask(context), [{ x: width / 2, y: height / 2 }, { x: width / 2 + 60, y: height / 2 }], 20, 0, 1.5);
    await browser.keys(']');
    assert.equal(await browser.run("return document.querySelector('[data-field=brush-size]').value;"), '46');
  },

  async 'a mask is loaded from a PNG, and saved as one'(context) {
    const { browser, address, assets } = context;
    await beginRegion(browser, address);
    await browser.type('[data-file=mask]', path.join(assets, 'coffee-cup.png'));
    await sleep(200);
    const [loaded, file] = [await mask(context), readPng(readFileSync(path.join(assets, 'coffee-cup.png')))];
    // Brought to the photo's size, so that only at edges a value may be another.
    let [others, all] = [0, 0];
    for (let y = 0.005; y < 1; y += 0.01) {
      for (let x = 0.005; x < 1; x += 0.01) {
        all += 1;
        if (Math.abs(loaded.at(x * loaded.width, y * loaded.height) - file.at(x * file.width, y * file.height)) > 16) others += 1;
      }
    }
    assert.ok(others / all < 0.03, `${others} of ${all} places`);
    const folder = mkdtempSync(path.join(os.tmpdir(), 'impasto-mask-'));
    await browser.chrome('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: folder });
    await browser.click('[aria-label="Save as PNG"]');
    let saved;
    for (let tries = 0; tries < 60 && !saved; tries += 1) {
      await sleep(100);
      saved = readdirSync(folder).find((name) => name.endsWith('.png'));
    }
    assert.deepEqual(readPng(readFileSync(path.join(folder, saved))).pixels.length % loaded.width, 0);
    assert.equal(readPng(readFileSync(path.join(folder, saved))).at(300, 200), loaded.at(300, 200));
  },

  async 'a part of the painting, and an emphasis'(context) {
    const { browser, address, api } = context;
    await beginRegion(browser, address);
    const stroke = async () => {
      const { at, width, height } = await screen(browser);
      await browser.drag([whole(at(0.3 * width, 0.4 * height)), whole(at(0.7 * width, 0.6 * height))]);
      const { width: w, height: h } = await mask(context);
      await browser.click('#draw-done');
      await browser.until("!document.querySelector('.ring')");
      return w / h;
    };
    assert.ok(Math.abs((await stroke()) - 1.5) < 0.01);
    await browser.click('#regions [data-draw=painting]');
    await browser.until("document.querySelector('.ring') && document.querySelector('.layer').width === document.querySelector('.layer').height");
    assert.equal(await stroke(), 1, 'as large as the painting');
    await browser.run("[...document.querySelectorAll('#regions button')].find((each) => each.textContent === 'Emphasis').click();");
    await browser.until("document.querySelector('.ring')");
    await stroke();
    await browser.fill('#regions .number', '1.5\uE007');
    await browser.click('#paint');
    await browser.until("location.hash.startsWith('#run=')");
    const { controls } = await api.until(await hashRun(browser), (each) => each.controls.regions, 'its dials');
    const [{ mask: over, painting_mask: part, weight }] = controls.regions;
    assert.ok(over && part && over !== part && controls.emphasis);
    assert.equal(weight, 4);
  },

  async 'a stroke that was not sent is there after a reload'(context) {
    const { browser } = context;
    const { width, height } = await drawOutOfReach(context);
    await browser.reload();
    await browser.until("document.querySelector('#regions [data-draw=photo]')");
    await browser.run("document.querySelector('#regions').open = true;");
    await browser.click('#regions [data-draw=photo]');
    await browser.until("document.querySelector('.ring')");
    const drawn = await mask(context);
    assert.equal(drawn.at(0.5 * width, 0.5 * height), 255);
    assert.equal(drawn.at(0.5 * width, 0.9 * height), 0);
  },

  async 'a stroke is sent when the server is back'(context) {
    const { browser } = context;
    const { width, height } = await drawOutOfReach(context);
    await browser.until("document.querySelector('#notices').textContent", { says: 'it says that it could not be sent' });
    assert.ok(!(await browser.run(`return Boolean(${sent});`)));
    await browser.run('window.fetch = window.reached;');
    assert.equal((await mask(context)).at(0.5 * width, 0.5 * height), 255);
  },

  async 'regions are changed while it paints'(context) {
    const { browser, address, api } = context;
    const id = await api.begin({}, 2, [1]);
    await openAt(browser, address, `#run=${id}`);
    await api.until(id, (run) => run.evaluation > 1, 'it paints');
    await browser.until("document.querySelector('#regions')");
    await browser.run("document.querySelector('#regions').open = true;");
    await browser.click('#add-region');
    await browser.until("document.querySelector('.ring')");
    await sleep(400);
    const { at, width, height } = await screen(browser);
    await browser.drag([whole(at(0.3 * width, 0.4 * height)), whole(at(0.6 * width, 0.6 * height))]);
    const run = await api.until(id, (each) => each.controls.regions?.length === 1 && each.controls.regions[0].mask, 'a region');
    assert.equal(run.controls.regions[0].painting, 2);
    await browser.click('#draw-done');
    await browser.until("!document.querySelector('.ring')");
    await browser.run("const rest = document.querySelector('#rest'); rest.value = 'photo'; rest.dispatchEvent(new Event('change'));");
    await api.until(id, (each) => each.controls.rest === 'photo', 'the rest as the photo has it');
  },
};
