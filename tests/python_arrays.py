# SPDX-License-Identifier: BSD-3-Clause
"""Arrays as libraries for CUDA show theirs to Tessera, for tests without a device."""


class Device:
    """What a library for CUDA shows of an array; no memory of a device is behind it."""

    def __init__(self, array):
        self.array = array

    @property
    def __cuda_array_interface__(self):
        return dict(self.array.__array_interface__, version=3)

    def copy(self):
        return Device(self.array.copy())


class Unready(Device):
    """As JAX shows that what it has enqueued has failed."""

    def copy(self):
        return self

    def block_until_ready(self):
        raise RuntimeError("the device has lost its power")


class DlpackDevice:
    """The same, by DLPack."""

    def __init__(self, array):
        self.array = array

    def __dlpack_device__(self):
        return (2, 0)

    def __dlpack__(self, *_):
        return self.array.__dlpack__()

    def clone(self):
        return DlpackDevice(self.array.copy())
