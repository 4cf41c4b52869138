"""Which compiled kernels are loaded."""

from dpchannel.md import native


def test_kernels_of_another_cpu_are_not_loaded(monkeypatch):
    """Code of -march=native ends in an illegal instruction there."""
    here = native._library()
    monkeypatch.setattr(native, "_cpu", lambda: "another")
    assert native._library() != here
    assert native.kernels() is None
