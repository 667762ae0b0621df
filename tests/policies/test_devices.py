from __future__ import annotations

import pytest
import torch

from bswirl.errors import UsageError
from bswirl.policies import devices
from bswirl.policies.devices import check_device_name, resolve_device

no_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")


class TestDevices:
    @pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "CPU", "", "mps", "cuda:1000"])
    def test_an_unknown_name_is_wrong_usage(self, name: str) -> None:
        """Both where a command is checked and where it is done."""
        for check in (check_device_name, resolve_device):
            with pytest.raises(UsageError, match="unknown device"):
                check(name)

    def test_the_cpu_is_always_there(self) -> None:
        """By its name."""
        check_device_name("cpu")
        assert resolve_device("cpu") == torch.device("cpu")

    @no_cuda
    def test_auto_is_the_cpu_where_there_is_no_cuda(self) -> None:
        """No question asked."""
        check_device_name("auto")
        assert resolve_device("auto") == torch.device("cpu")

    @no_cuda
    @pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:3"])
    def test_cuda_is_refused_where_there_is_none(self, name: str) -> None:
        """The line says what to give instead."""
        with pytest.raises(UsageError, match="no usable CUDA device") as raised:
            resolve_device(name)
        assert "--device cpu" in raised.value.remedy

    def test_a_machine_without_a_driver_is_known_without_torch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """So that a command can refuse at once."""
        monkeypatch.setattr(devices, "_DRIVER_NODES", ("/dev/no-such-driver",))
        with pytest.raises(UsageError, match="no usable CUDA device"):
            check_device_name("cuda")
        monkeypatch.setattr(devices, "_DRIVER_NODES", ("/dev/null",))
        check_device_name("cuda:1")

    def test_devices_are_counted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The first CUDA device is the default, and one too far is named."""
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        assert resolve_device("auto") == resolve_device("cuda") == torch.device("cuda", 0)
        assert resolve_device("cuda:1") == torch.device("cuda", 1)
        with pytest.raises(UsageError, match="there is no cuda:2: this machine has 2 CUDA devices"):
            resolve_device("cuda:2")
