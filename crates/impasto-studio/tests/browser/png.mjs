// Reads a PNG of 8 bits a channel: enough for masks and screenshots.
import { inflateSync } from 'node:zlib';

export function readPng(bytes) {
  let at = 8;
  let header;
  const parts = [];
  while (at < bytes.length) {
    const length = bytes.readUInt32BE(at);
    const kind = bytes.toString('latin1', at + 4, at + 8);
    const data = bytes.subarray(at + 8, at + 8 + length);
    if (kind === 'IHDR') header = { width: data.readUInt32BE(0), height: data.readUInt32BE(4), depth: data[8], colour: data[9], interlace: data[12] };
    if (kind === 'IDAT') parts.push(data);
    at += 12 + length;
  }
  const { width, height, depth, colour, interlace } = header;
  const channels = { 0: 1, 2: 3, 4: 2, 6: 4 }[colour];
  if (depth !== 8 || !channels || interlace) throw new Error(`a PNG of ${depth} bits, colour type ${colour} is not read here`);
  const raw = inflateSync(Buffer.concat(parts));
  const stride = width * channels;
  const pixels = Buffer.alloc(stride * height);
  for (let row = 0; row < height; row += 1) {
    const filter = raw[row * (stride + 1)];
    for (let x = 0; x < stride; x += 1) {
      const here = row * stride + x;
      const left = x >= channels ? pixels[here - channels] : 0;
      const up = row ? pixels[here - stride] : 0;
      const corner = row && x >= channels ? pixels[here - stride - channels] : 0;
      const guess = left + up - corner;
      const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
      const paeth = a <= b && a <= c ? left : b <= c ? up : corner;
      pixels[here] = raw[row * (stride + 1) + 1 + x] + [0, left, up, (left + up) >> 1, paeth][filter];
    }
  }
  return { width, height, channels, pixels, at: (x, y) => pixels[(Math.floor(y) * width + Math.floor(x)) * channels] };
}
