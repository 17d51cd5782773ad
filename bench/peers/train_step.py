"""The training step of depthgrad in PyTorch, as its users write it: the peer of npm run bench:train.

Same network (EfficientNet-Lite0 with depth, gradient and pose heads, weights from depthgrad's safetensors file), same losses, same batch, same
optimizer (Adam, clipping by the global norm, averaged weights). Reads one JSON request per line from stdin, answers with one line each:
  {"op": "load", "weights": FILE, "batch": FILE, "case": {...}} -> {"loss": .., "gradient_norm": .., "terms": {..}}
  {"op": "steps", "count": N}                                   -> {"ms": [..]}
"""

import json
import struct
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

EARLY = 3  # stages of the pyramid up to stride 8, which the pose head reads
BLOCKS = [  # repeats, kernel, stride, expansion, outputs (src/model/encoders/lite0.ts)
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
]
TAPS = [0, 2, 4, 10, 15]
NEAR, FAR = 0.1, 100.0
REACH_COLUMNS, REACH_ROWS, SHARPNESS = 3, 2, 15.0


def read_safetensors(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    header.pop("__metadata__", None)
    return {
        name: torch.from_numpy(np.frombuffer(data[slice(*entry["data_offsets"])], np.float32).reshape(entry["shape"]).copy())
        for name, entry in header.items()
    }


def same_padding(size, kernel, stride):
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Network(torch.nn.Module):
    def __init__(self, weights, config):
        super().__init__()
        self.names = {name: name.replace("/", "__") for name in weights}
        for name, value in weights.items():
            if name.endswith("depthwise_kernel"):
                value = value.permute(2, 3, 0, 1)
            elif name.endswith("kernel"):
                value = value.permute(3, 2, 0, 1)
            if value.dim() == 4 and config["channels_last"]:
                value = value.contiguous(memory_format=torch.channels_last)
            frozen = any(name.startswith(prefix) for prefix in config["frozen"])
            self.register_parameter(self.names[name], torch.nn.Parameter(value.contiguous() if not config["channels_last"] else value, not frozen))
        height, width, self.fusion_lambda = config["height"], config["width"], config["fusion_lambda"]
        self.register_buffer("rows", dct(height))
        self.register_buffer("columns", dct(width))
        self.register_buffer("inverse", 1 / (self.fusion_lambda + eigenvalues(height)[:, None] + eigenvalues(width)[None, :]))
        grid = [[c, r] for r in range(-REACH_ROWS, REACH_ROWS + 1) for c in range(-REACH_COLUMNS, REACH_COLUMNS + 1)]
        self.register_buffer("displacements", torch.tensor(grid, dtype=torch.float32))
        scale = torch.tensor([0.1] * 3 + [0.01] * 3)
        self.register_buffer("pose_scale", scale)

    def parameter(self, name):
        return getattr(self, self.names[name])

    def conv(self, x, name, stride=1, activation=None, depthwise=False):
        kernel = self.parameter(f"{name}/{'depthwise_kernel' if depthwise else 'kernel'}")
        size = kernel.shape[2]
        top, bottom = same_padding(x.shape[2], size, stride)
        left, right = same_padding(x.shape[3], size, stride)
        if top == bottom and left == right:
            padding = (top, left)
        else:
            x, padding = F.pad(x, (left, right, top, bottom)), 0
        x = F.conv2d(x, kernel, self.parameter(f"{name}/bias"), stride, padding, groups=x.shape[1] if depthwise else 1)
        return F.relu6(x, inplace=True) if activation == "relu6" else F.relu(x, inplace=True) if activation == "relu" else x

    def encode(self, image, taps=len(TAPS)):
        x = self.conv(image * (255 / 128) - 127 / 128, "encoder/stem", 2, "relu6")
        maps, index, inputs = [], 0, 32
        for repeats, _, stage_stride, expansion, outputs in BLOCKS:
            for repeat in range(repeats):
                name, entry, stride = f"encoder/block{index}", x, stage_stride if repeat == 0 else 1
                if expansion > 1:
                    x = self.conv(x, f"{name}/expand", 1, "relu6")
                x = self.conv(x, f"{name}/depthwise", stride, "relu6", True)
                x = self.conv(x, f"{name}/project")
                if stride == 1 and inputs == outputs:
                    x = x + entry
                if index in TAPS:
                    maps.append(x)
                    if len(maps) == taps:
                        return maps
                index, inputs = index + 1, outputs
        return maps

    def up_concat(self, x, skip):
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        return torch.cat([x[:, :, : skip.shape[2], : skip.shape[3]], skip], 1)

    def decode(self, maps):
        x = maps[4]
        for step, stride in enumerate([16, 8, 4, 2]):
            x = self.conv(self.up_concat(x, maps[3 - step]), f"depth/conv{stride}", 1, "relu")
            if stride == 8:
                context = x
        x = F.pixel_shuffle(self.conv(x, "depth/head"), 2)
        u = torch.sigmoid(x) * float(np.log(FAR / NEAR)) - float(np.log(FAR))
        g = self.conv(context, "gradient/conv8", 1, "relu")
        for stride, skip in ((4, maps[1]), (2, maps[0])):
            g = self.conv(self.up_concat(g, skip), f"gradient/conv{stride}", 1, "relu")
        gradient = torch.cat([F.pixel_shuffle(self.conv(g, f"gradient/head_{axis}"), 2) for axis in "xy"], 1)
        return u, gradient

    def fuse(self, u, gradient):
        du, dv = gradient[:, 0, :, :-1], gradient[:, 1, :-1, :]
        right = self.fusion_lambda * u[:, 0] + F.pad(du, (1, 0)) - F.pad(du, (0, 1)) + F.pad(dv, (0, 0, 1, 0)) - F.pad(dv, (0, 0, 0, 1))
        spectrum = self.rows @ right @ self.columns.T * self.inverse
        return (self.rows.T @ spectrum @ self.columns)[:, None]

    def pose(self, previous, current):
        def normalised(x):
            return x / torch.sqrt(x.square().mean(1, keepdim=True) + 1e-3)

        height, width = current.shape[2:]
        padded = F.pad(normalised(previous), (REACH_COLUMNS, REACH_COLUMNS, REACH_ROWS, REACH_ROWS))
        now = normalised(current)
        volume = torch.stack(
            [
                (padded[:, :, r : r + height, c : c + width] * now).mean(1)
                for r in range(2 * REACH_ROWS + 1)
                for c in range(2 * REACH_COLUMNS + 1)
            ],
            3,
        )
        flow = torch.softmax(SHARPNESS * volume, 3) @ self.displacements
        x = torch.cat([flow, volume.amax(3, keepdim=True)], 3).permute(0, 3, 1, 2)
        x = self.conv(x, "pose/conv1", 2, "relu")
        x = self.conv(x, "pose/conv2", 2, "relu")
        x = self.conv(x, "pose/conv3", 1, "relu")
        return self.conv(x, "pose/head").mean((2, 3)) * self.pose_scale


def dct(n):
    k, i = np.arange(n)[:, None], np.arange(n)[None, :]
    m = np.sqrt(2 / n) * np.cos(np.pi * (i + 0.5) * k / n)
    m[0] /= np.sqrt(2)
    return torch.from_numpy(m.astype(np.float32))


def eigenvalues(n):
    return torch.from_numpy((2 - 2 * np.cos(np.pi * np.arange(n) / n)).astype(np.float32))


def differences(x):
    """[b,1,h,w] -> [b,2,h,w], forward, zero in the last column or row."""
    du = F.pad(x[:, :, :, 1:] - x[:, :, :, :-1], (0, 1))
    dv = F.pad(x[:, :, 1:] - x[:, :, :-1], (0, 0, 0, 1))
    return torch.cat([du, dv], 1)


def rotation(w):
    angle = w.norm(dim=1).clamp_min(1e-12)[:, None, None]
    x, y, z = w.unbind(1)
    o = torch.zeros_like(x)
    k = torch.stack([o, -z, y, z, o, -x, -y, x, o], 1).view(-1, 3, 3)
    return torch.eye(3) + torch.sin(angle) / angle * k + (1 - torch.cos(angle)) / angle**2 * k @ k


def photometric_error(a, b):
    """0.85 (1 - SSIM) / 2 + 0.15 L1 of [b,3,h,w] -> [b,h-2,w-2]."""

    def mean(x):
        return F.avg_pool2d(x, 3, 1)

    ma, mb = mean(a), mean(b)
    n = (2 * ma * mb + 1e-4) * (2 * (mean(a * b) - ma * mb) + 9e-4)
    d = (ma**2 + mb**2 + 1e-4) * (mean(a * a) - ma**2 + mean(b * b) - mb**2 + 9e-4)
    l1 = (a - b).abs()[:, :, 1:-1, 1:-1]
    return (0.85 * ((1 - n / d) / 2).clamp(0, 1) + 0.15 * l1).mean(1)


class PhotometricScale:
    """What does not change from step to step at one scale: rays, errors of the un-warped sources, noise that breaks ties."""

    def __init__(self, batch, level):
        scale = 2**level
        self.level = level
        self.target, *self.sources = (F.avg_pool2d(batch[name], scale) if level else batch[name] for name in ("target", "previous", "next"))
        _, _, self.height, self.width = self.target.shape
        fx, fy, cx, cy = batch["intrinsics"].unbind(1)
        self.fx, self.fy, self.cx, self.cy = fx / scale, fy / scale, (cx + 0.5) / scale - 0.5, (cy + 0.5) / scale - 0.5
        v, u = torch.meshgrid(torch.arange(self.height, dtype=torch.float32), torch.arange(self.width, dtype=torch.float32), indexing="ij")
        ray = lambda pixel, centre, focal: (pixel[None] - centre[:, None, None]) / focal[:, None, None]
        x, y = ray(u, self.cx, self.fx), ray(v, self.cy, self.fy)
        self.rays = torch.stack([x, y, torch.ones_like(x)], 1).flatten(2)
        i = np.arange(1, self.height * self.width + 1, dtype=np.uint64)
        noise = ((i * 0x9E3779B1) % 2**32).astype(np.float64) / 2**32
        noise = torch.from_numpy(noise.astype(np.float32)).view(self.height, self.width)[1:-1, 1:-1]
        self.unwarped = torch.stack([photometric_error(source, self.target) for source in self.sources]).amin(0) + 1e-5 * noise

    def warp(self, source, depth, r, t):
        b = depth.shape[0]
        points = r @ (self.rays * depth.flatten(2)) + t[:, :, None]
        z = points[:, 2]
        front = z > 1e-3
        z = z.clamp_min(1e-3)
        x = self.fx[:, None] * points[:, 0] / z + self.cx[:, None]
        y = self.fy[:, None] * points[:, 1] / z + self.cy[:, None]
        valid = front & (x >= 0) & (x <= self.width - 1) & (y >= 0) & (y <= self.height - 1)
        grid = torch.stack([2 * x / (self.width - 1) - 1, 2 * y / (self.height - 1) - 1], 2).view(b, self.height, self.width, 2)
        warped = F.grid_sample(source, grid, "bilinear", "border", True)
        return warped, valid.view(b, self.height, self.width)[:, 1:-1, 1:-1]

    def loss(self, fused, motions):
        u = F.avg_pool2d(fused, 2**self.level) if self.level else fused
        depth = torch.exp(-u)
        errors = []
        for source, (r, t) in zip(self.sources, motions):
            warped, valid = self.warp(source, depth, r, t)
            errors.append(torch.where(valid, photometric_error(warped, self.target), torch.inf))
        best = torch.stack(errors).amin(0)
        return torch.where(best < self.unwarped, best, 0.0).sum() / best.numel()


class Step:
    def __init__(self, weights, batch, config):
        self.config = config
        size, height, width = config["batch"], config["height"], config["width"]

        def images(name, count):
            x = batch[name].view(count, height, width, 3).permute(0, 3, 1, 2)
            return x if config["channels_last"] else x.contiguous()

        self.batch = {name: images(name, size) for name in ("previous", "target", "next")}
        self.batch["intrinsics"] = batch["intrinsics"].view(size, 4)
        self.frames = images("networkImages", 3 * size).split(size)
        self.network = Network(weights, config)
        self.scales = {name: PhotometricScale(self.batch, level) for level, name in enumerate(["photometric", "photometric_half", "photometric_quarter"])}
        edges = sum(differences(self.batch["target"][:, c : c + 1]).abs() for c in range(3))
        self.evenness = torch.exp(-10 / 3 * edges)
        trained = {name: self.network.parameter(name) for name in weights if self.network.parameter(name).requires_grad}
        rate = config["learning_rate"]
        groups = [([p for n, p in trained.items() if n.startswith("encoder/") == encoder], rate * factor) for encoder, factor in ((True, config["encoder_rate"]), (False, 1))]
        self.optimizer = torch.optim.Adam([{"params": p, "lr": lr} for p, lr in groups], fused=True)
        self.parameters = list(trained.values())
        self.averages = [p.detach().clone() for p in self.parameters]

    def losses(self):
        previous, current, following = self.frames
        maps = self.network.encode(current)
        before = self.network.encode(previous, EARLY)[-1]
        after = self.network.encode(following, EARLY)[-1]
        here = maps[EARLY - 1]
        from_previous, to_next = self.network.pose(torch.cat([before, here]), torch.cat([here, after])).chunk(2)
        u, gradient = self.network.decode(maps)
        fused = self.network.fuse(u, gradient)
        r = rotation(to_next[:, 3:]).transpose(1, 2)
        motions = [(rotation(from_previous[:, 3:]), from_previous[:, :3]), (r, -(r @ to_next[:, :3, None])[:, :, 0])]
        terms = {name: scale.loss(fused, motions) for name, scale in self.scales.items()}
        phi = lambda x: torch.sqrt(x * x + 1e-4).mean()
        terms["gradient_consistency"] = 2 * (phi(differences(u) - gradient.detach()) + phi(differences(fused.detach()) - gradient))
        disparity = torch.exp(fused)
        disparity = disparity / disparity.mean((1, 2, 3), keepdim=True)
        terms["smoothness"] = (differences(disparity).abs() * self.evenness).mean()
        second = differences(gradient[:, :1]).abs() + differences(gradient[:, 1:]).abs()
        terms["gradient_smoothness"] = (second * self.evenness).mean()
        return sum(weight * terms[name] for name, weight in self.config["losses"].items()), terms

    def backward(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss, terms = self.losses()
        loss.backward()
        return loss, terms

    def run(self):
        loss, _ = self.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.config["clip_norm"])
        self.optimizer.step()
        torch._foreach_lerp_(self.averages, [p.detach() for p in self.parameters], 1 - self.config["ema_decay"])
        return loss.item()

    def figures(self):
        loss, terms = self.backward()
        norm = torch.nn.utils.get_total_norm([p.grad for p in self.parameters if p.grad is not None])
        return {"loss": loss.item(), "gradient_norm": norm.item(), "terms": {name: value.item() for name, value in terms.items()}}


def main():
    step = None
    for line in sys.stdin:
        request = json.loads(line)
        if request["op"] == "load":
            torch.set_num_threads(request["case"]["threads"])
            step = Step(read_safetensors(request["weights"]), read_safetensors(request["batch"]), request["case"])
            answer = {**step.figures(), "version": torch.__version__}
        else:
            taken = []
            for _ in range(request["count"]):
                start = time.perf_counter()
                step.run()
                taken.append(1000 * (time.perf_counter() - start))
            answer = {"ms": taken}
        print(json.dumps(answer), flush=True)


main()
