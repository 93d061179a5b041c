"""Target assignment, CIoU and the detection loss, from docs/facts.md section 3."""

import math

import torch
import torch.nn.functional as F

BOX, OBJECTNESS, CLASS = 0.05, 1.0, 0.5
ANCHOR_T = 4.0
BALANCE = (4.0, 1.0, 0.4)
EPSILON = 1e-7


def assign(targets, anchors, height, width):
    """Rows `[picture, class, cx, cy, w, h]` to matches: picture, anchor, y, x, class, box in cells.

    The order is offset, then anchor, then target.
    """
    gain = targets.new_tensor([width, height, width, height])
    boxes = targets[:, 2:] * gain  # [T, 4]
    ratio = boxes[None, :, 2:] / anchors[:, None]  # [A, T, 2]
    fits = torch.maximum(ratio, 1 / ratio).amax(2) < ANCHOR_T
    anchor, target = fits.nonzero(as_tuple=True)
    centre = boxes[target, :2]
    from_end = gain[:2] - centre
    left, up = ((centre % 1 < 0.5) & (centre > 1)).T
    right, down = ((from_end % 1 < 0.5) & (from_end > 1)).T
    near = torch.stack((torch.ones_like(left), left, up, right, down))
    offsets = targets.new_tensor([[0, 0], [0.5, 0], [0, 0.5], [-0.5, 0], [0, -0.5]])
    offset, match = near.nonzero(as_tuple=True)
    anchor, target = anchor[match], target[match]
    x, y = (boxes[target, :2] - offsets[offset]).long().T
    x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    box = boxes[target]
    box[:, 0] -= x
    box[:, 1] -= y
    return targets[target, 0].long(), anchor, y, x, targets[target, 1].long(), box


def ciou(a, b):
    """CIoU of boxes `[N, 4]` as cx, cy, w, h (Zheng et al. 2020)."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = a.unbind(1), b.unbind(1)
    ax1, ax2, ay1, ay2 = ax - aw / 2, ax + aw / 2, ay - ah / 2, ay + ah / 2
    bx1, bx2, by1, by2 = bx - bw / 2, bx + bw / 2, by - bh / 2, by + bh / 2
    overlap_w = (torch.minimum(ax2, bx2) - torch.maximum(ax1, bx1)).clamp(0)
    overlap_h = (torch.minimum(ay2, by2) - torch.maximum(ay1, by1)).clamp(0)
    overlap = overlap_w * overlap_h
    ah, bh = ah + EPSILON, bh + EPSILON
    iou = overlap / (aw * ah + bw * bh - overlap + EPSILON)
    around_w = torch.maximum(ax2, bx2) - torch.minimum(ax1, bx1)
    around_h = torch.maximum(ay2, by2) - torch.minimum(ay1, by1)
    diagonal = around_w**2 + around_h**2 + EPSILON
    distance = ((bx1 + bx2 - ax1 - ax2) ** 2 + (by1 + by2 - ay1 - ay2) ** 2) / 4
    shape = 4 / math.pi**2 * (torch.atan(bw / bh) - torch.atan(aw / ah)) ** 2
    with torch.no_grad():
        alpha = shape / (1 - iou + shape + EPSILON)
    return iou - (distance / diagonal + shape * alpha)


class DetectionLoss:
    """Loss of raw heads; returns the total times the batch, and box, objectness and class loss."""

    def __init__(self, detect, imgsz):
        self.anchors = detect.anchors
        self.nc = detect.nc
        self.gains = (BOX, OBJECTNESS * (imgsz / 640) ** 2, CLASS * self.nc / 80)

    def __call__(self, heads, targets):
        box = objectness = classes = heads[0].new_zeros(())
        for head, anchors, balance in zip(heads, self.anchors, BALANCE):
            wanted = torch.zeros_like(head[..., 4])
            picture, anchor, y, x, cls, target = assign(targets, anchors, *head.shape[2:4])
            if len(picture):
                rows = head[picture, anchor, y, x]
                xy = rows[:, :2].sigmoid() * 2 - 0.5
                wh = (rows[:, 2:4].sigmoid() * 2) ** 2 * anchors[anchor]
                iou = ciou(torch.cat((xy, wh), 1), target)
                box = box + (1 - iou).mean()
                # For a cell matched twice the last one wins.
                wanted[picture, anchor, y, x] = iou.detach().clamp(0)
                if self.nc > 1:
                    classes = classes + F.binary_cross_entropy_with_logits(
                        rows[:, 5:], F.one_hot(cls, self.nc).to(rows)
                    )
            objectness = objectness + balance * F.binary_cross_entropy_with_logits(head[..., 4], wanted)
        items = [gain * item for gain, item in zip(self.gains, (box, objectness, classes))]
        return sum(items) * len(heads[0]), torch.stack(items).detach()
