"""The emulated Pi as a machine of its own: programs start programs, and the root is /.

Everywhere else one program runs under the emulator (emulator.py). Here a user namespace has a binfmt_misc of its own
(Linux 6.7), so an ordinary user can enter the root and run ``python3 -m venv``, which starts further programs.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from potstill.errors import BuildError
from toolchains.emulate.emulator import Emulator
from toolchains.programs import failure

# ELF header: class and byte order, type EXEC or DYN, machine; the mask leaves the OS byte and the low type bit open.
_MACHINE = {"aarch64": (2, 0xB7), "armv7l": (1, 0x28)}
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
HOME = "/home/pi"


def binfmt_entry(target: str, interpreter: str) -> str:
    """The line that makes the kernel start programs of `target` with `interpreter`, opened now (F): it need not be
    inside the root later."""
    bits, machine = _MACHINE[target]
    magic = rf"\x7fELF\x{bits:02x}\x01\x01" + r"\x00" * 9 + rf"\x02\x00\x{machine:02x}\x00"
    return f":potstill:M::{magic}:{_MASK}:{interpreter}:F"


def libraries(ldd: str) -> list[Path]:
    """The files that ``ldd`` lists."""
    return [Path(word) for word in re.findall(r"(?:=> |^\s*)(/\S+) \(0x", ldd, re.MULTILINE)]


class Chroot:
    """A board's root, entered.

    Args:
        emulator: the board; its root gets the folders that are mounted over.
        proc: whether /proc is there, with the board's cpuinfo.
        read_only: the whole root is mounted read-only.
    """

    def __init__(self, emulator: Emulator, *, proc: bool = True, read_only: bool = False) -> None:
        self.emulator = emulator
        self.proc = proc
        self.read_only = read_only
        (self.root / HOME.lstrip("/")).mkdir(parents=True, exist_ok=True)
        (self.root / "tmp").mkdir(exist_ok=True)

    @property
    def root(self) -> Path:
        """The root on the host."""
        return self.emulator.root

    @cached_property
    def unavailable(self) -> str:
        """Why this host cannot do it, "" if it can."""
        if shutil.which("unshare") is None:
            return "unshare is not installed (package util-linux)"
        try:
            self.run([f"/usr/bin/python{self.emulator.board.system.python}", "--version"], timeout=60)
        except Exception as error:
            return str(error)
        return ""

    def _mounts(self) -> list[str]:
        """Shell commands that make the root a machine; those of the host's files the emulator itself needs."""
        qemu = self.emulator.board.target.qemu
        program = shutil.which(f"{qemu}-static") or shutil.which(qemu)
        binfmt = "/proc/sys/fs/binfmt_misc"
        entry = binfmt_entry(self.emulator.board.target.name, str(program))
        lines = [f"mount -t binfmt_misc binfmt_misc {binfmt}", f"printf %s {shlex.quote(entry)} > {binfmt}/register"]
        ldd = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
        places = [(path, self._place(path, folder=False)) for path in libraries(ldd) if path.name.startswith("ld-")]
        folders = {path.parent for path in libraries(ldd) if not path.name.startswith("ld-")}
        places += [(folder, self._place(folder, folder=True)) for folder in sorted(folders)]
        places += [(Path("/dev"), self._place(Path("/dev"), folder=True))]
        lines.append(f"mount --rbind {self._quoted()} {self._quoted()}")
        lines += [f"mount --rbind {shlex.quote(str(a))} {shlex.quote(str(b))}" for a, b in places]
        if self.proc:
            cpuinfo = self.root.parent / f"{self.root.name}.cpuinfo"
            cpuinfo.write_text(self.emulator.board.cpuinfo_text(), encoding="utf-8")
            lines.append(f"mount --rbind /proc {self._quoted('proc')}")
            lines.append(f"mount --bind {shlex.quote(str(cpuinfo))} {self._quoted('proc/cpuinfo')}")
        else:
            lines.append(f"mount -t tmpfs tmpfs {self._quoted('proc')}")
        if self.read_only:
            lines.append(f"mount -o remount,bind,ro {self._quoted()}")
        return lines

    def _quoted(self, inside: str = "") -> str:
        return shlex.quote(str(self.root / inside))

    def _place(self, path: Path, *, folder: bool) -> Path:
        """The mount point for the host's `path`, made if needed.

        Raises:
            BuildError: when the board has files of its own there: a host of the board's own machine type.
        """
        place = self.root / str(path).lstrip("/")
        if folder:
            place.mkdir(parents=True, exist_ok=True)
            if path != Path("/dev") and any(place.iterdir()):
                raise BuildError(
                    "B030", f"the host and the board both have {path}", str(self.root), "install qemu-user-static"
                )
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
        return place

    def run(
        self, command: Sequence[str], extra: dict[str, str] | None = None, timeout: float = 600, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the board in the folder `HOME`; paths are the board's.

        Raises:
            BuildError: when the host allows no such namespace or mount, or, with `check`, when the program's
                status is not 0.
        """
        started = "@potstill: started"
        board = self.emulator.board
        inside = {
            **self.emulator.environment(extra),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": HOME,
            "QEMU_CPU": board.qemu_cpu,
            "QEMU_PAGESIZE": str(board.page_size),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        assignments = shlex.join(f"{name}={value}" for name, value in inside.items())
        enter = f'exec env -i {assignments} unshare --root={self._quoted()} --wd={HOME} "$@"'
        script = "\n".join(["set -e", *self._mounts(), f"echo {shlex.quote(started)} >&2", enter])
        outer = ["unshare", "--user", "--map-root-user", "--mount", "--propagation", "private"]
        done = subprocess.run(
            [*outer, "sh", "-c", script, "sh", *command],
            capture_output=True, text=True, check=False, timeout=timeout, stdin=subprocess.DEVNULL,
            env={**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"},
        )  # fmt: skip
        before, found, after = done.stderr.partition(started)
        if not found:
            reason = " ".join(before.split())[-300:] or f"status {done.returncode}"
            raise BuildError(
                "B030", f"no emulated machine here: {reason}", "unshare, mount", "see toolchains/emulate/chroot.py"
            )
        done.stderr = after.lstrip()
        if check and done.returncode:
            raise BuildError("B011", failure(done), f"emulated {board.title}", shlex.join(command))
        return done
