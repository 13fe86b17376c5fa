// A studio without a painter: it answers as `impasto studio` does, and its pictures are the photo seen through a filter.
// For work on the page alone, and for its tests where nothing is built.
//
//     node mock.mjs [--port N] [--evaluation-ms 120] [--evaluations 160]
//
// It prints the address to open, token included, in one line.
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import { FakeRun, describe } from './mock_run.mjs';
import { imageSize, mediaType } from './image_size.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const page = path.join(here, '../../page');
const assets = path.join(here, '../../../../assets');

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(process.argv[at + 1]);
};
const pace = { evaluationMs: option('evaluation-ms', 120), evaluations: option('evaluations', 160) };
const token = randomBytes(16).toString('hex');
const images = new Map();
const masks = new Map();
const runs = [];
const streams = new Set();
let port = option('port', 0);

const PRESETS = [
  ['default', 'strokes of the painting, drawing of the photo, in the least time'],
  ['quick', "the default's look in a third of its time"],
  ['best', 'more sizes and evaluations than the default, in three times its time'],
  ['matched', "each place drawn to its nearest of the painting, beside the paper's style loss: whole strokes, colours by region"],
  ['paper', 'the setting of Gatys, Ecker and Bethge, CVPR 2016: white noise, normalised weights'],
].map(([name, about]) => ({ name, about, values: {
  content_weight: 1, tv_weight: 2, style_weight: 15, iterations: 60,
  style_layers: { conv1_1: 0.2, conv2_1: 0.2, conv3_1: 0.2, conv3_3: 0.2, conv4_1: 0.2, conv4_2: 0.2, conv5_1: 0.2 },
} }));

class Refusal extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

function keepImage(bytes, name) {
  const size = imageSize(bytes);
  if (!size) throw new Refusal(415, `${name} is no PNG, JPEG, WebP or TIFF image: give one of these.`);
  const id = createHash('sha256').update(bytes).digest('hex');
  const image = { id, name, ...size, has_alpha: false };
  images.set(id, { ...image, bytes });
  return image;
}

const example = (name, content, style) => ({
  name,
  content: keepImage(readFileSync(path.join(assets, content)), content),
  style: keepImage(readFileSync(path.join(assets, style)), style),
});
const examples = [
  example('rocket after whirls', 'rocket.jpg', 'whirls.jpg'),
  example('chelsea after marbled', 'chelsea.png', 'marbled.jpg'),
  example('coffee after glass', 'coffee.png', 'glass.jpg'),
  example('astronaut after waves', 'astronaut.png', 'waves.jpg'),
];

function tell(event, data, run) {
  const text = `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
  for (const stream of streams) if (!run || !stream.run || stream.run === run || event === 'state') stream.answer.write(text);
}

// One run paints, the others wait in line; a paused one keeps its place.
function nextInLine() {
  if (runs.some((run) => ['preparing', 'painting', 'paused', 'stopping'].includes(run.state))) return;
  const waiting = runs.filter((run) => run.state === 'waiting');
  waiting[0]?.start();
  runs.filter((run) => run.state === 'waiting').forEach((run, place) => { run.place_in_line = place + 1; });
}

function findRun(id) {
  const run = runs.find((run) => run.id === id);
  if (!run) throw new Refusal(404, 'There is no such run.');
  return run;
}

function begin(order, more = {}) {
  const content = images.get(order.content);
  const styles = (order.styles ?? []).map((id) => images.get(id));
  if (!content || !styles.length || styles.some((style) => !style)) throw new Refusal(400, 'A run needs a photo and a painting.');
  if (runs.filter((run) => run.state === 'waiting').length >= 16) throw new Refusal(429, '16 runs wait already: stop one of them first.');
  const run = new FakeRun({ order, content, styles, pace, tell, nextInLine, ...more });
  runs.unshift(run);
  nextInLine();
  run.tellState();
  return run;
}

const bodyOf = async (request, limit = 64 << 20) => {
  const parts = [];
  let length = 0;
  for await (const part of request) {
    length += part.length;
    if (length > limit) throw new Refusal(413, 'The file is larger than 64 MiB.');
    parts.push(part);
  }
  return Buffer.concat(parts);
};
const jsonOf = async (request) => JSON.parse((await bodyOf(request)).toString() || '{}');

function forecast(order) {
  const content = images.get(order.content);
  if (!content) throw new Refusal(400, 'There is no photo yet.');
  const { width, height } = FakeRun.sizeOf(content, order.recipe ?? {});
  if (width * height > 50e6) throw new Refusal(400, '--size: a picture of more than 50 megapixels is not painted here.');
  const seconds = (pace.evaluations * pace.evaluationMs) / 1000 * Math.max(0.4, (width * height) / (512 * 341));
  return { seconds, memory_mib: 220 + (width * height) / 900, width, height, sizes: [] };
}

const routes = [
  ['GET', /^\/api\/health$/, () => ({ ok: true, version: '0.1.0' })],
  ['GET', /^\/api\/studio$/, () => ({
    version: '0.1.0', presets: PRESETS, device: 'cpu',
    devices: [{ id: 'cpu', name: 'processor, avx512' }, { id: 'gpu:0', name: 'a graphics card' }],
    limits: { upload_mib: 64, megapixels: 50, waiting: 16 }, examples,
  })],
  ['POST', /^\/api\/images$/, async (request, [], query) => [201, keepImage(await bodyOf(request), query.get('name') ?? 'image')]],
  ['GET', /^\/api\/images\/(\w+)$/, (request, [id]) => picture(images.get(id)?.bytes)],
  ['POST', /^\/api\/masks$/, async (request) => {
    const bytes = await bodyOf(request);
    const size = imageSize(bytes);
    if (!size) throw new Refusal(415, 'A mask is a PNG.');
    const id = createHash('sha256').update(bytes).digest('hex');
    masks.set(id, bytes);
    return [201, { id, ...size }];
  }],
  ['GET', /^\/api\/masks\/(\w+)$/, (request, [id]) => picture(masks.get(id))],
  ['POST', /^\/api\/forecast$/, async (request) => forecast(await jsonOf(request))],
  ['GET', /^\/api\/runs$/, () => ({ runs: runs.map(describe) })],
  ['POST', /^\/api\/runs$/, async (request) => [201, { id: begin(await jsonOf(request)).id }]],
  ['GET', /^\/api\/runs\/(\w+)$/, (request, [id]) => findRun(id).whole()],
  ['DELETE', /^\/api\/runs\/(\w+)$/, (request, [id]) => {
    const run = findRun(id);
    if (run.isBusy()) throw new Refusal(409, 'It is being painted: stop it first.');
    runs.splice(runs.indexOf(run), 1);
    return [204];
  }],
  ['POST', /^\/api\/runs\/(\w+)\/params$/, async (request, [id]) => {
    const run = findRun(id);
    if (!run.isBusy()) throw new Refusal(409, 'This run paints no more: branch it with other values.');
    const { set } = await jsonOf(request);
    if (set.content_weight > 1e12) throw new Refusal(400, '--content-weight is a number from 0 to 1e12.');
    return [202, { before_evaluation: run.change(set) }];
  }],
  ['POST', /^\/api\/runs\/(\w+)\/(undo|redo|pause|resume|step|stop)$/, async (request, [id, what]) => {
    await bodyOf(request);
    const run = findRun(id);
    const refusal = run[what]();
    if (refusal) throw new Refusal(409, refusal);
    return [202, { state: run.state }];
  }],
  ['POST', /^\/api\/runs\/(\w+)\/branch$/, async (request, [id]) => {
    const parent = findRun(id);
    const { set = {}, from } = await jsonOf(request);
    return [201, { id: begin(parent.order, { parent, from: from ?? parent.evaluation, set }).id }];
  }],
  ['POST', /^\/api\/runs\/(\w+)\/larger$/, async (request, [id]) => {
    await bodyOf(request);
    const parent = findRun(id);
    if (parent.state !== 'finished') throw new Refusal(409, 'It is not finished yet.');
    const size = String(2 * Math.max(parent.size.width, parent.size.height));
    return [201, { id: begin({ ...parent.order, recipe: { ...parent.order.recipe, size } }, { parent, from: parent.evaluation, set: {}, larger: true }).id }];
  }],
  ['GET', /^\/api\/runs\/(\w+)\/export$/, (request, [id], query) => [200, findRun(id).picture(), {
    'Content-Type': 'image/svg+xml', 'Content-Disposition': `attachment; filename="painted.${query.get('format')}.svg"`,
  }]],
  ['GET', /^\/api\/runs\/(\w+)\/command$/, (request, [id]) => findRun(id).command()],
  ['GET', /^\/api\/runs\/(\w+)\/preview\/(\d+)\.jpg$/, (request, [id]) => [200, findRun(id).picture(), {
    'Content-Type': 'image/svg+xml', 'Cache-Control': 'private, max-age=31536000, immutable',
  }]],
];

function picture(bytes) {
  if (!bytes) throw new Refusal(404, 'There is no such image.');
  return [200, bytes, { 'Content-Type': mediaType(bytes), 'Cache-Control': 'private, max-age=31536000, immutable' }];
}

const files = new Map([['/', 'index.html'], ['/studio.css', 'studio.css'], ['/icon.svg', 'icon.svg'],
  ...readdirSync(path.join(page, 'modules')).map((name) => [`/modules/${name}`, `modules/${name}`])]);
const TYPES = { '.html': 'text/html; charset=utf-8', '.css': 'text/css', '.svg': 'image/svg+xml', '.js': 'text/javascript' };
const HEADERS = {
  'Content-Security-Policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer', 'Cache-Control': 'no-store',
};

function events(request, answer, url) {
  answer.writeHead(200, { ...HEADERS, 'Content-Type': 'text/event-stream' });
  const stream = { answer, run: url.searchParams.get('run') };
  const run = runs.find((run) => run.id === stream.run);
  answer.write(`event: snapshot\ndata: ${JSON.stringify({ runs: runs.map(describe), run: run?.whole() ?? null })}\n\n`);
  if (streams.size >= 2) return answer.end('retry: 5000\n\n');
  streams.add(stream);
  request.on('close', () => streams.delete(stream));
}

async function answerTo(request, answer) {
  const url = new URL(request.url, 'http://mock');
  if (request.method === 'GET' && url.pathname === '/' && url.searchParams.get('token') === token) {
    answer.writeHead(303, { ...HEADERS, Location: '/', 'Set-Cookie': `impasto-${port}=${token}; HttpOnly; SameSite=Strict; Path=/` });
    return answer.end();
  }
  const may = (request.headers.cookie ?? '').includes(`impasto-${port}=${token}`) || request.headers.authorization === `Bearer ${token}`;
  if (!may) throw new Refusal(401, 'Open the address that the terminal printed.');
  if (files.has(url.pathname) && request.method === 'GET') {
    const name = files.get(url.pathname);
    answer.writeHead(200, { ...HEADERS, 'Content-Type': TYPES[path.extname(name)] });
    return answer.end(readFileSync(path.join(page, name)));
  }
  if (url.pathname === '/api/events') return events(request, answer, url);
  for (const [method, pattern, act] of routes) {
    const found = pattern.exec(url.pathname);
    if (!found || method !== request.method) continue;
    if (method !== 'GET' && request.headers['x-impasto'] !== '1') throw new Refusal(403, 'The header X-Impasto is missing.');
    const said = await act(request, found.slice(1), url.searchParams);
    const [status, body, headers] = Array.isArray(said) ? said : [200, said];
    const isBytes = Buffer.isBuffer(body) || typeof body === 'string';
    answer.writeHead(status, { ...HEADERS, ...(isBytes ? {} : { 'Content-Type': 'application/json' }), ...headers });
    return answer.end(body === undefined ? '' : isBytes ? body : JSON.stringify(body));
  }
  throw new Refusal(404, 'There is nothing here.');
}

const server = createServer((request, answer) => {
  answerTo(request, answer).catch((error) => {
    if (!(error instanceof Refusal)) console.error(error);
    if (answer.headersSent) return answer.end();
    answer.writeHead(error.status ?? 500, { ...HEADERS, 'Content-Type': 'application/json' });
    answer.end(JSON.stringify({ error: error.message }));
  });
});
server.listen(port, '127.0.0.1', () => {
  port = server.address().port;
  console.log(`http://127.0.0.1:${port}/?token=${token}`);
});
