#!/usr/bin/env python3
"""Writes weight files with the libraries that people write them with, for impasto's readers to be tested on.

    python3 -m venv venv && venv/bin/pip install numpy scipy h5py safetensors torch
    venv/bin/python scripts/make_weight_files.py small crates/impasto-vgg/tests/data/weights
    venv/bin/python scripts/make_weight_files.py full FOLDER
        then: IMPASTO_WEIGHT_FILES=FOLDER cargo test -p impasto-vgg --test formats full_size
              IMPASTO_SMALL_WEIGHT_FILES=FOLDER reads small ones that were made anew

`small` is a network of three convolutions (3 -> 2, 2 -> 3, pooling, 3 -> 2) whose values follow a formula that the tests
compute for themselves. `full` is VGG-19 with the values that impasto carries, and with fully connected layers of the
right shapes (zeros, so that the compressed files stay small) that a reader has to pass over.
A library that is not installed is said and left out.
"""

import sys
from pathlib import Path

import numpy as np

SMALL = [("conv1_1", 3, 2), ("conv1_2", 2, 3), ("conv2_1", 3, 2)]
VGG19 = [
    ("conv1_1", 3, 64), ("conv1_2", 64, 64), ("conv2_1", 64, 128), ("conv2_2", 128, 128),
    ("conv3_1", 128, 256), ("conv3_2", 256, 256), ("conv3_3", 256, 256), ("conv3_4", 256, 256),
    ("conv4_1", 256, 512), ("conv4_2", 512, 512), ("conv4_3", 512, 512), ("conv4_4", 512, 512),
    ("conv5_1", 512, 512), ("conv5_2", 512, 512), ("conv5_3", 512, 512), ("conv5_4", 512, 512),
]  # fmt: skip
CONNECTED = {"fc6": (512 * 49, 4096), "fc7": (4096, 4096), "fc8": (4096, 1000)}
MEAN = np.array([123.68, 116.779, 103.939], np.float32)


def small_network():
    """Kernels [out, in, 3, 3] and biases by a formula; multiples of 1/8, so that every float type holds them."""
    network = {}
    for layer, (name, inputs, outputs) in enumerate(SMALL):
        o, i, y, x = np.indices((outputs, inputs, 3, 3))
        kernel = ((7 * o + 5 * i + 3 * y + x + 11 * layer) % 32 - 15) / 8
        bias = ((3 * np.arange(outputs) + layer) % 16 - 7) / 8
        network[name] = kernel.astype(np.float32), bias.astype(np.float32)
    return network


def embedded_network():
    """The network inside impasto, its codebooks decoded."""
    from safetensors.numpy import load_file

    tensors = {}
    for path in (Path(__file__).parent.parent / "crates").glob("impasto-weights-*/data/*.safetensors"):
        tensors.update(load_file(path))
    return {
        name: (tensors[f"{name}.codebook"][tensors[f"{name}.weight_index"]], tensors[f"{name}.bias"])
        for name, _, _ in VGG19
    }


def torchvision_names(network):
    """features.N: convolutions, ReLUs and poolings are counted."""
    state, place, block = {}, 0, "1"
    for name, (kernel, bias) in network.items():
        if name[4] != block:
            block, place = name[4], place + 1
        state[f"features.{place}.weight"] = kernel
        state[f"features.{place}.bias"] = bias
        place += 2
    return state


def write_mat(folder, network, full):
    from scipy.io import savemat

    def matlab(kernel):
        return kernel.transpose(2, 3, 1, 0)

    def layer(fields):
        return {**fields, "pad": np.ones((1, 4)), "precious": 0}

    layers = []
    for name, (kernel, bias) in network.items():
        pair = np.empty((1, 2), object)
        pair[0, 0], pair[0, 1] = matlab(kernel), bias[None, :]
        layers.append(layer({"weights": pair, "type": "conv", "name": name}))
        layers.append({"type": "relu", "name": name.replace("conv", "relu")})
    if full:
        for name, (inputs, outputs) in CONNECTED.items():
            pair = np.empty((1, 2), object)
            sides = (7, 7, 512, outputs) if name == "fc6" else (1, 1, inputs, outputs)
            pair[0, 0], pair[0, 1] = np.zeros(sides, np.float32), np.zeros((1, outputs), np.float32)
            layers.append(layer({"weights": pair, "type": "conv", "name": name}))
    cells = np.empty((1, len(layers)), object)
    for place, fields in enumerate(layers):
        cells[0, place] = fields
    meta = {"normalization": {"imageSize": np.array([[224.0, 224.0, 3.0]]), "averageImage": MEAN[None, None, :]}}
    savemat(folder / "plain.mat", {"layers": cells, "meta": meta})
    savemat(folder / "compressed.mat", {"layers": cells, "meta": meta}, do_compression=True)
    if full:
        return
    savemat(folder / "inside_net.mat", {"net": {"meta": meta, "layers": cells}}, do_compression=True)
    old = np.empty((1, len(network)), object)
    for place, (name, (kernel, bias)) in enumerate(network.items()):
        old[0, place] = {"name": name, "filters": matlab(kernel).astype(np.float64), "biases": bias[None, :]}
    image = np.broadcast_to(MEAN + np.float32(1), (4, 5, 3))
    savemat(folder / "old_doubles_other_mean.mat", {"layers": old, "normalization": {"averageImage": image}})


def write_safetensors(folder, network, full):
    from safetensors.numpy import save_file

    own = {f"{n}.{part}": np.ascontiguousarray(t) for n, pair in network.items() for part, t in zip(("weight", "bias"), pair)}
    save_file(own, folder / "own_f32.safetensors")
    save_file({n: np.ascontiguousarray(t) for n, t in torchvision_names(network).items()}, folder / "torchvision.safetensors")
    if full:
        return
    save_file({n: t.astype(np.float16) for n, t in own.items()}, folder / "own_f16.safetensors")
    save_file({n: t.astype(np.float64) for n, t in own.items()}, folder / "own_f64.safetensors")
    try:
        import torch
        from safetensors.torch import save_file as save_torch
    except ImportError as error:
        print(f"left out: safetensors in bfloat16 ({error})")
        return
    save_torch({n: torch.from_numpy(t).bfloat16() for n, t in own.items()}, folder / "own_bf16.safetensors")


def write_pth(folder, network, full):
    import torch

    state = {n: torch.from_numpy(np.ascontiguousarray(t)) for n, t in torchvision_names(network).items()}
    if full:
        for place, (inputs, outputs) in zip((0, 3, 6), CONNECTED.values()):
            state[f"classifier.{place}.weight"] = torch.zeros(outputs, inputs)
            state[f"classifier.{place}.bias"] = torch.zeros(outputs)
    torch.save(state, folder / "zip.pth")
    torch.save(state, folder / "legacy.pth", _use_new_zipfile_serialization=False)
    if full:
        return
    last = {n: t.contiguous(memory_format=torch.channels_last) if t.ndim == 4 else t for n, t in state.items()}
    torch.save({"epoch": 3, "best": 0.5, "state_dict": {f"module.{n}": t for n, t in last.items()}}, folder / "channels_last_in_checkpoint.pth")
    torch.save({n: torch.nn.Parameter(t.bfloat16()) for n, t in state.items()}, folder / "parameters_bf16.pth")
    together = torch.cat([t.flatten() for t in state.values()]).half()
    views, offset = {}, 0
    for n, t in state.items():
        views[n] = together[offset : offset + t.numel()].view(t.shape)
        offset += t.numel()
    torch.save(views, folder / "one_storage_f16.pth", pickle_protocol=4)
    torch.save({n: t.double() for n, t in state.items()}, folder / "legacy_f64.pth", _use_new_zipfile_serialization=False)


def write_h5(folder, network, full):
    import h5py

    def keras(kernel, first):
        kernel = kernel.transpose(2, 3, 1, 0)
        return kernel[:, :, ::-1] if first else kernel

    def write(path, libver, paths, chunk=None, links=0, **options):
        with h5py.File(folder / path, "w", libver=libver) as file:
            file.attrs["layer_names"] = [name.encode() for name in network]
            for place, (name, (kernel, bias)) in enumerate(network.items()):
                block = f"block{name[4]}_conv{name[6]}"
                for shape, tensor in (("kernel", keras(kernel, place == 0)), ("bias", bias)):
                    if chunk:
                        options["chunks"] = tuple(min(chunk, side) for side in tensor.shape)
                    file.create_dataset(paths(place, block, shape), data=np.ascontiguousarray(tensor), **options)
            for link in range(links):
                file[f"link_{link}"] = h5py.SoftLink("/nowhere")
            if full:
                for name, (inputs, outputs) in CONNECTED.items():
                    file.create_dataset(f"{name}/{name}/kernel:0", data=np.zeros((inputs, outputs), np.float32), **options)

    def two(place, block, part):
        return f"{block}/{block}/{part}:0"

    def older(place, block, part):
        return f"{block}/{block}_{'W' if part == 'kernel' else 'b'}_1:0"

    def three(place, block, part):
        return f"layers/conv2d{f'_{place}' if place else ''}/vars/{0 if part == 'kernel' else 1}"

    def model(place, block, part):
        return f"model_weights/{block}/{block}/{part}:0"

    gzip = {"compression": "gzip", "shuffle": True}
    write("contiguous.h5", "earliest", two)
    write("latest.h5", "latest", two)
    if full:
        write("chunked_gzip.h5", "earliest", two, chunks=True, **gzip)
        write("latest_gzip.h5", "latest", two, chunks=True, **gzip)
        return
    # Chunks of 2 in tensors of 3: some reach over the edge.
    write("chunked_gzip.h5", "earliest", two, chunk=2, **gzip)
    write("latest_gzip.h5", "latest", two, chunk=2, **gzip)
    write("latest_one_chunk.h5", "latest", two, chunk=3, **gzip)
    write("latest_chunks.h5", "v110", two, chunk=2)
    # Enough links for an index of two levels.
    write("latest_many_links.h5", "latest", two, links=60)
    write("older_names.h5", "earliest", older)
    write("keras3.weights.h5", "earliest", three)
    write("whole_model.h5", "v108", model, compression="gzip")
    write("doubles_big_endian.h5", "v110", two, dtype=">f8")


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "small":
        network, folder, full = small_network(), Path(sys.argv[2]), False
    elif len(sys.argv) == 3 and sys.argv[1] == "full":
        network, folder, full = embedded_network(), Path(sys.argv[2]), True
    else:
        sys.exit(__doc__)
    folder.mkdir(parents=True, exist_ok=True)
    for write in (write_safetensors, write_mat, write_pth, write_h5):
        try:
            write(folder, network, full)
        except ImportError as error:
            print(f"left out: {write.__name__} ({error})")


if __name__ == "__main__":
    main()
