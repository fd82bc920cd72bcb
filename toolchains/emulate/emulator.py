"""Running programs as if on a board: qemu-user with the board's CPU, a root of its system, its /proc/cpuinfo.

Results are exact; times measured here mean nothing.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from potstill.boards import Board
from potstill.errors import BuildError
from toolchains import PROJECT, tools
from toolchains.digests import digest
from toolchains.programs import output

BOARDS = PROJECT / ".cache" / "boards"
_INSTALLED = "potstill-installed.txt"


def _link(source: str, destination: str) -> None:
    """Hard link, or copy where the cache is on another disk."""
    try:
        os.link(source, destination, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, destination, follow_symlinks=False)


class Emulator:
    """One emulated board with its own root: the system's files as hard links, plus what is installed on it.

    Args:
        board: from boards.toml.
        system_root: unpacked root of its system (toolchains/roots/sysroot.py); not changed.
        folder: where the board's root is made; by default .cache/boards/ of the project.

    Raises:
        BuildError: when the emulator is missing; when the root has no Python.
    """

    def __init__(self, board: Board, system_root: Path, folder: Path = BOARDS) -> None:
        tools.require([board.target.qemu], f"emulated {board.title}")
        self.board = board
        self.root = folder / board.name
        if not (system_root / f"usr/bin/python{board.system.python}").exists():
            what = f"no python{board.system.python} in the target root"
            raise BuildError("B014", what, str(system_root), "delete it and run again")
        self._prepare(system_root)

    @property
    def site(self) -> Path:
        """The folder where pip on the board would put packages; the board's Python looks there by itself."""
        return self.root / f"usr/local/lib/python{self.board.system.python}/dist-packages"

    def _prepare(self, system_root: Path) -> None:
        origin = self.root / "potstill-origin.txt"
        if not origin.is_file() or origin.read_text(encoding="utf-8") != system_root.name:
            temporary = self.root.with_name(f".tmp-{self.root.name}-{os.getpid()}")
            shutil.rmtree(temporary, ignore_errors=True)
            shutil.rmtree(self.root, ignore_errors=True)
            shutil.copytree(system_root, temporary, symlinks=True, copy_function=_link)
            (temporary / origin.name).write_text(system_root.name, encoding="utf-8")
            temporary.rename(self.root)
        (self.root / "proc").mkdir(exist_ok=True)
        (self.root / "proc" / "cpuinfo").write_text(self.board.cpuinfo_text(), encoding="utf-8")
        self.site.mkdir(parents=True, exist_ok=True)

    def install(self, wheel: Path, extras: Iterable[Path] = ()) -> None:
        """Unpack `wheel`, and folders of pure Python packages, into the board's site folder; skipped when there."""
        extras = list(extras)
        key = digest(wheel, *map(str, extras))
        stamp = self.site / _INSTALLED
        if stamp.is_file() and stamp.read_text(encoding="utf-8") == key:
            return
        shutil.rmtree(self.site)
        self.site.mkdir(parents=True)
        with zipfile.ZipFile(wheel) as archive:
            for info in archive.infolist():
                parts = PurePosixPath(info.filename).parts
                if parts[0].endswith(".data"):
                    self._install_data(archive, info, parts)
                else:
                    archive.extract(info, self.site)
        for extra in extras:
            shutil.copytree(extra, self.site, dirs_exist_ok=True)
        stamp.write_text(key, encoding="utf-8")

    def _install_data(self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, parts: tuple[str, ...]) -> None:
        """NAME.data/scripts/x goes to usr/local/bin, as pip would put it."""
        if parts[1] != "scripts" or info.is_dir():
            return
        place = self.root / "usr/local/bin" / parts[-1]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(archive.read(info))
        place.chmod(0o755)

    def command(self, *arguments: str | Path, cpu: str | None = None) -> list[str]:
        """The host's command line for a program of the board (`arguments[0]`: a path inside the root or outside).

        Pages larger than 4 KiB are the board's too (-p): what is mapped, aligned and told by AT_PAGESZ follows.
        """
        program = str(arguments[0])
        inside = self.root / program.lstrip("/")
        first = str(inside) if program.startswith("/usr/") else program
        rest = [str(argument) for argument in arguments[1:]]
        pages = ["-p", str(self.board.page_size)] if self.board.page_size > 4096 else []
        return [self.board.target.qemu, "-cpu", cpu or self.board.qemu_cpu, *pages, "-L", str(self.root), first, *rest]

    def python(self, *arguments: str | Path, cpu: str | None = None) -> list[str]:
        """The host's command line for the board's Python; `cpu`: another than the board's."""
        return self.command(f"/usr/bin/python{self.board.system.python}", *arguments, cpu=cpu)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """A board's environment: nothing of the host's Python, locale or BLAS settings gets in.

        OMP_WAIT_POLICY: spinning threads cost seconds under emulation. POTSTILL_BOARD and what follows it tell tests
        where they run and what must be true there.
        """
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.root / "root"),
            "LANG": "C.UTF-8",
            "OMP_WAIT_POLICY": "passive",
            "POTSTILL_BOARD": self.board.name,
            "POTSTILL_BOARD_KERNELS": ",".join(self.board.kernels),
            "POTSTILL_BOARD_PAGE_SIZE": str(self.board.page_size),
            **(extra or {}),
        }

    def run(
        self,
        command: Sequence[str],
        extra: Mapping[str, str] | None = None,
        timeout: float = 600,
        show: Callable[[str], object] = lambda text: None,
    ) -> str:
        """Standard output of a command line made by `command` or `python`.

        Args:
            extra: environment variables of its own.
            timeout: seconds.
            show: gets all it printed if it fails.

        Raises:
            BuildError: for a status that is not 0 (132 is an illegal instruction) or no end within `timeout`.
        """
        title = f"emulated {self.board.title} ({self.board.name}, {self.board.qemu_cpu})"
        return output(
            command, "B011", title, "run it by hand with nox -s emulate", env=self.environment(extra),
            timeout=timeout, show=show,
        )  # fmt: skip
