"""`python -m tests.chaos.bound PARENT MODULE WORDS...`: run a module that ends when its parent does, however that ends.

Started by processes. On Linux the kernel kills it with its parent, also while it stands still; elsewhere nothing does.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: str, module: str, *words: str) -> None:
    """Bind this process, then become the module."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):  # killed before the line above
            return
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
