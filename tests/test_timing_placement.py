"""Placement: work that strays to another device is seen, whatever its result says."""

import torch

from gnnbench.timing import observe_placement


def test_work_on_its_own_device_is_not_astray():
    """A product on the CPU touches the CPU alone; its result is handed back."""
    a = torch.eye(3)

    seen = observe_placement(lambda: a @ a, "cpu")

    assert not seen.moved
    assert seen.operators["cpu"] >= 1
    assert torch.equal(seen.result, a)


def test_a_detour_is_seen_though_the_result_is_in_place():
    """Work asked for on one device that computes on another and carries the result back is astray."""
    x = torch.empty(3, 3, device="meta")

    def detour():
        elsewhere = torch.ones(3, 3) @ torch.ones(3, 3)
        return torch.empty_like(elsewhere, device="meta") + x

    seen = observe_placement(detour, "meta")

    assert seen.result.device.type == "meta"
    assert seen.moved
    assert any("mm" in name for name in seen.astray)


def test_the_backward_pass_is_seen_too():
    """A gradient that is computed elsewhere is astray, though the forward pass is in place."""

    class Astray(torch.autograd.Function):
        @staticmethod
        def forward(ctx, h):
            return h.clone()

        @staticmethod
        def backward(ctx, gradient):
            torch.ones(4, 4) @ torch.ones(4, 4)
            return gradient

    x = torch.empty(3, 3, device="meta", requires_grad=True)

    assert observe_placement(lambda: Astray.apply(x).sum().backward(), "meta").moved


def test_scalars_are_at_home_everywhere():
    """A Python number, which torch may hold on the CPU, is no detour."""
    x = torch.empty(3, device="meta")

    assert not observe_placement(lambda: x * torch.tensor(2.0), "meta").moved
