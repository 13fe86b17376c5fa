// The studio in a real browser (Debian's chromium and chromedriver), as people use it.
//
//     node run.mjs [ADDRESS] [--only WORDS] [--pictures DIR]
//
// ADDRESS is what `impasto studio --no-open` prints, token included. Without it the mock is started. For axe-core, npm fetches it
// once into a folder of the system's own for temporary files; IMPASTO_AXE names a file instead.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Api } from './api.mjs';
import { Browser } from './webdriver.mjs';
import { drawing } from './drawing_tests.mjs';
import { manners } from './manners_tests.mjs';
import { steering } from './steering_tests.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const option = (name) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? null : process.argv[at + 1];
};

async function startMock() {
  const mock = spawn(process.execPath, [path.join(here, 'mock.mjs'), '--evaluation-ms', '60'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const address = await new Promise((resolve) => { mock.stdout.once('data', (line) => resolve(String(line).trim())); });
  return { address, stop: () => mock.kill() };
}

function axeSource() {
  const given = process.env.IMPASTO_AXE;
  if (given) return readFileSync(given, 'utf8');
  const folder = path.join(os.tmpdir(), 'impasto-axe');
  const file = path.join(folder, 'node_modules/axe-core/axe.min.js');
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true });
    spawnSync('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder, 'axe-core@4'], { stdio: 'ignore', timeout: 120000 });
  }
  return existsSync(file) ? readFileSync(file, 'utf8') : null;
}

const given = process.argv[2]?.startsWith('http') ? process.argv[2] : null;
const server = given ? { address: given, stop() {} } : await startMock();
const context = { address: server.address, api: new Api(server.address), isMock: !given, axe: axeSource(), pictures: option('pictures'), assets: path.join(here, '../../../../assets') };
const only = option('only');
const tests = { ...steering, ...drawing, ...manners };
let failed = 0;
try {
  for (const [name, test] of Object.entries(tests)) {
    if (only && !name.includes(only)) continue;
    const began = Date.now();
    const browser = await Browser.start(test.browser ?? {});
    try {
      await context.api.calm();
      await test({ ...context, browser });
      // A mistake of the page's own, or something that its policy forbids, fails any test.
      const mistakes = (await browser.complaints()).filter((message) => /Uncaught|Content Security Policy/.test(message));
      if (mistakes.length) throw new Error(mistakes.join('; '));
      console.log(`ok      ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}\n        ${error.stack?.split('\n').slice(0, 4).join('\n        ')}`);
      const notices = await browser.text('#notices').catch(() => '');
      if (notices) console.log(`        the page says: ${notices}`);
      if (context.pictures) await browser.picture(path.join(context.pictures, `failed-${name.replace(/\W+/g, '-')}.png`)).catch(() => {});
    } finally {
      await browser.stop();
    }
  }
  if (context.isMock || !failed) await context.api.calm();
} finally {
  server.stop();
}
if (!context.axe) console.log('skipped: axe-core could not be fetched');
console.log(failed ? `${failed} failed` : 'all passed');
process.exitCode = failed ? 1 : 0;
