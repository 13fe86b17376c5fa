#!/usr/bin/env python3
"""What impasto is measured against: Gatys et al. in PyTorch, on the same weights and the same objective.

  impasto weights convert embedded vgg19.safetensors
  torch_peer.py bench  --weights vgg19.safetensors --channels-last [--size 512] [--iters 7] [--bf16] [--threads N]
  torch_peer.py bench  --weights vgg19.safetensors --channels-last --device cuda [--tf32]
  torch_peer.py run    CONTENT STYLE --weights vgg19.safetensors --channels-last [--size 512] [--iters 500]
                       [--out OUT.png] [--curve CURVE.json] [--init content|noise] [--opt lbfgs|adam] [--lr 2.0]

The objective is that of the authors' own PytorchNeuralStyleTransfer: mean squared differences of Gram matrices a position,
weighted 1e3 / channels^2, at conv1_1 .. conv5_1; of the features at conv4_2, weighted 1; L-BFGS; RGB minus the mean.
Needs torch, numpy and pillow.
"""
import argparse, json, resource, sys, time
import numpy as np, torch, torch.nn.functional as F
from PIL import Image

MEAN = torch.tensor([123.68, 116.779, 103.939]).view(1, 3, 1, 1)
NAMES = [f'conv{b}_{i}' for b, n in enumerate([2, 2, 4, 4, 4], 1) for i in range(1, n + 1)]
STYLE = ['conv1_1', 'conv2_1', 'conv3_1', 'conv4_1', 'conv5_1']
CONTENT = 'conv4_2'
POOL_AFTER = {'conv1_2', 'conv2_2', 'conv3_4', 'conv4_4'}


def load(path):
    import struct
    raw = open(path, 'rb').read()
    n = struct.unpack('<Q', raw[:8])[0]
    head = json.loads(raw[8:8 + n]); base = 8 + n
    def arr(k):
        t = head[k]; a, b = t['data_offsets']
        dt = {'F32': np.float32, 'U8': np.uint8}[t['dtype']]
        return torch.from_numpy(np.frombuffer(raw[base + a:base + b], dt).reshape(t['shape']).copy())
    return {k: (arr(k + '.codebook')[arr(k + '.weight_index').long()], arr(k + '.bias')) for k in NAMES}


def features(W, x, pool='avg'):
    out = {}
    for n in NAMES:
        x = F.relu(F.conv2d(x, *W[n], padding=1))
        if n in STYLE or n == CONTENT:
            out[n] = x
        if n == 'conv5_1':
            return out
        if n in POOL_AFTER:
            x = F.avg_pool2d(x, 2) if pool == 'avg' else F.max_pool2d(x, 2)


def gram(f):
    f = f[0].flatten(1)
    return f @ f.t() / f.shape[1]


def objective(W, content, style, autocast=False, pool='avg'):
    ac = lambda: torch.autocast(content.device.type, dtype=torch.bfloat16, enabled=autocast)
    with torch.no_grad(), ac():
        fc = features(W, content, pool)[CONTENT].float()
        gs = {k: gram(v.float()) for k, v in features(W, style, pool).items() if k in STYLE}
    def loss(x):
        with ac():
            f = features(W, x, pool)
        f = {k: v.float() for k, v in f.items()}
        s = sum(F.mse_loss(gram(f[k]), gs[k]) * 1e3 / f[k].shape[1] ** 2 for k in STYLE)
        return F.mse_loss(f[CONTENT], fc) + s
    return loss


def image(path, size):
    im = Image.open(path).convert('RGB')
    k = size / max(im.size)
    im = im.resize((round(im.width * k), round(im.height * k)), Image.LANCZOS)
    return im


def tensor(im):
    return (torch.from_numpy(np.asarray(im, np.float32).copy()).permute(2, 0, 1)[None] - MEAN).contiguous()


def now():
    # Work on a GPU goes on after the call that began it.
    if torch.cuda.is_initialized(): torch.cuda.synchronize()
    return time.perf_counter()


def peak_mib(device):
    if device == 'cuda': return torch.cuda.max_memory_reserved() // 1024 ** 2
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('mode', choices=['bench', 'run']); ap.add_argument('content', nargs='?'); ap.add_argument('style', nargs='?')
    ap.add_argument('--weights', required=True); ap.add_argument('--size', type=int, default=512)
    ap.add_argument('--iters', type=int, default=7); ap.add_argument('--bf16', action='store_true')
    ap.add_argument('--channels-last', action='store_true'); ap.add_argument('--threads', type=int)
    ap.add_argument('--init', default='content'); ap.add_argument('--opt', default='lbfgs'); ap.add_argument('--lr', type=float, default=2.0)
    ap.add_argument('--pool', default='avg'); ap.add_argument('--out'); ap.add_argument('--curve')
    ap.add_argument('--device', choices=['cpu', 'cuda'], default='cpu'); ap.add_argument('--tf32', action='store_true')
    a = ap.parse_args()
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = a.tf32
    if a.device == 'cuda': torch.backends.cudnn.benchmark = True
    if a.threads: torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    W = {k: (w.to(a.device), b.to(a.device)) for k, (w, b) in load(a.weights).items()}
    if a.channels_last: W = {k: (w.to(memory_format=torch.channels_last), b) for k, (w, b) in W.items()}
    if a.mode == 'bench':
        c, s = (torch.randn(1, 3, a.size, a.size) * 60 for _ in range(2)); c, s = c.to(a.device), s.to(a.device)
        loss = objective(W, c, s, a.bf16); x = (c + torch.randn_like(c)).requires_grad_(True); ts = []
        for i in range(a.iters + 2):
            t = now(); x.grad = None; loss(x).backward(); ts.append(now() - t)
        ts = sorted(ts[2:])
        print(f'torch {torch.__version__} size {a.size} threads {torch.get_num_threads()} bf16 {a.bf16} '
              f'device {a.device} tf32 {a.tf32} '
              f'median_s {ts[len(ts)//2]:.4f} min_s {ts[0]:.4f} peak_MiB {peak_mib(a.device)}')
        return
    ci = image(a.content, a.size); si = image(a.style, a.size); c, s = tensor(ci).to(a.device), tensor(si).to(a.device)
    loss = objective(W, c, s, a.bf16, a.pool)
    x = (c.clone() if a.init == 'content' else torch.randn_like(c) * 60).contiguous().requires_grad_(True)
    curve, t0 = [], now()
    def closure():
        x.grad = None; l = loss(x); l.backward()
        v = l.item(); curve.append((round(now() - t0, 3), v))
        if len(curve) % 50 == 0: print(len(curve), *curve[-1], flush=True)
        return l
    opt = torch.optim.LBFGS([x]) if a.opt == 'lbfgs' else torch.optim.Adam([x], lr=a.lr)
    while len(curve) < a.iters: opt.step(closure)
    y = (x.detach().cpu() + MEAN).clamp(0, 255).round()[0].permute(1, 2, 0).numpy().astype('uint8')
    if a.out: Image.fromarray(y).save(a.out)
    if a.curve: json.dump({'size': ci.size, 'curve': curve, 'peak_MiB': peak_mib(a.device)}, open(a.curve, 'w'))
    print('final', ci.size, len(curve), *curve[-1])

main()
