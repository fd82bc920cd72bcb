"""The cost model: the plugin's output, joining blocks, llvm-mca's regions, a marked program under the emulator."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from toolchains.cycles.join import joined
from toolchains.cycles.windows import Block, Window

from potstill import boards
from potstill.errors import PotstillError
from toolchains import environment
from toolchains.cycles import bench, engines, fit, guest, isa, mca, report, symbols, windows

ADD = bytes.fromhex("2000028b")  # add x0, x1, x2
FMLA = bytes.fromhex("20cc224e")  # fmla v0.4s, v1.4s, v2.4s: waits for its own v0
LOOP = bytes.fromhex("e1ffff54")  # b.ne back to the instruction before
RET = bytes.fromhex("c0035fd6")
UNDEFINED = bytes.fromhex("ffffffff")

LLVM = [tool for tool in ("llvm-mc-19", "llvm-mca-19", "llvm-nm-19") if not shutil.which(tool)]
CROSS = [tool for tool in ("aarch64-linux-gnu-gcc", "qemu-aarch64", "gcc") if not shutil.which(tool)]
needs_llvm = pytest.mark.skipif(bool(LLVM), reason=f"not installed: {', '.join(LLVM)} (Debian's llvm-19)")
needs_cross = pytest.mark.skipif(bool(CROSS), reason=f"not installed: {', '.join(CROSS)}")


def block(address: int, code: bytes) -> Block:
    """A block of no file."""
    return Block(address, code, "", 0, "")


# --- the plugin's output ----------------------------------------------------------------------------------------------

OUTPUT = f"""window 7
run 0 3
run 1 2
window 8
run 1 5
map 5500000000 5500010000 2000 /a file
block 0 1000 5500000040 {(ADD + LOOP).hex()} -
block 1 2000 7700000000 {ADD.hex()} main
end
"""


def test_output_of_the_plugin() -> None:
    """Windows in order, instructions as executions times length, file and offset from the host's map."""
    first, second = windows.parse(OUTPUT, "here")
    assert (first.label, first.instructions) == (7, 3 * 2 + 2 * 1)
    assert (second.label, second.instructions) == (8, 5)
    assert list(first.runs) == [
        Block(0x1000, ADD + LOOP, "/a file", 0x2040, ""),
        Block(0x2000, ADD, "", 0, "main"),
    ]


def test_output_cut_short_or_with_wrong_markers() -> None:
    """A killed program must not give half a count."""
    with pytest.raises(PotstillError, match=r"error\[B021\]: the plugin's output was cut short; here"):
        windows.parse(OUTPUT.removesuffix("end\n"), "here")
    with pytest.raises(PotstillError, match=r"error\[B021\]: the window with label 3 was never closed"):
        windows.parse("error the window with label 3 was never closed\nend\n", "here")


# --- joining ----------------------------------------------------------------------------------------------------------

TEXTS = {
    ADD: "add x0, x1, x2", LOOP: "b.ne #-4", RET: "ret",
    bytes.fromhex("00000014"): "b #0", bytes.fromhex("00000094"): "bl #0", bytes.fromhex("010000d4"): "svc #0",
}  # fmt: skip


@pytest.fixture
def assembly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disassembly of the instructions above, without llvm-mc."""

    def texts(codes: list[bytes], _: isa.Isa) -> list[list[str]]:
        return [[TEXTS[code[i : i + 4]] for i in range(0, len(code), 4)] for code in codes]

    monkeypatch.setattr(isa, "texts", texts)


def test_a_block_that_falls_through_is_joined(assembly: None) -> None:
    """The loop's second half was also entered once from elsewhere; instructions stay the same in sum."""
    runs = {block(0, ADD + ADD): 10, block(8, ADD + LOOP): 11}
    result = joined(runs)
    assert result == {block(0, ADD * 3 + LOOP): 10, block(8, ADD + LOOP): 1}
    assert Window(0, result).instructions == Window(0, runs).instructions == 42


def test_three_blocks_become_one(assembly: None) -> None:
    runs = {block(0, ADD): 4, block(4, ADD): 4, block(8, LOOP): 4}
    assert joined(runs) == {block(0, ADD + ADD + LOOP): 4}


@pytest.mark.parametrize("ending", list(TEXTS)[2:])
def test_what_goes_elsewhere_is_not_joined(assembly: None, ending: bytes) -> None:
    """ret, b, bl and svc: the neighbour in memory does not follow."""
    runs = {block(0, ADD + ending): 4, block(8, ADD): 4}
    assert joined(runs) == runs


def test_after_a_conditional_branch_only_equal_counts_are_joined(assembly: None) -> None:
    """Otherwise the branch was taken at times."""
    runs = {block(0, ADD + LOOP): 4, block(8, ADD): 3}
    assert joined(runs) == runs
    assert joined({block(0, ADD + LOOP): 4, block(8, ADD): 4}) == {block(0, ADD + LOOP + ADD): 4}


def test_a_neighbour_that_ran_less_is_not_joined(assembly: None) -> None:
    """It cannot always have followed (the window opened or closed between them)."""
    runs = {block(0, ADD): 4, block(4, ADD): 3}
    assert joined(runs) == runs


# --- llvm-mca ---------------------------------------------------------------------------------------------------------


@needs_llvm
def test_disassembly_leaves_out_what_is_no_instruction() -> None:
    """An undefined word between others must not shift their texts."""
    texts = isa.texts([UNDEFINED + FMLA, ADD, UNDEFINED, ADD + UNDEFINED + RET], isa.AARCH64)
    assert texts == [["fmla v0.4s, v1.4s, v2.4s"], ["add x0, x1, x2"], [], ["add x0, x1, x2", "ret"]]


def test_regions_are_named_by_place() -> None:
    assert mca.regions([["add x0, x1, x2"], [], ["ret"]]).splitlines() == [
        "# LLVM-MCA-BEGIN 0", "add x0, x1, x2", "# LLVM-MCA-END 0", "# LLVM-MCA-BEGIN 1", "", "# LLVM-MCA-END 1",
        "# LLVM-MCA-BEGIN 2", "ret", "# LLVM-MCA-END 2",
    ]  # fmt: skip


@needs_llvm
def test_costs_of_blocks() -> None:
    """A chain of fmla waits for its result (its latency on a Cortex-A57 family core exceeds what ports need), adds do
    not, and an unknown word is counted as such; one block of nothing known does not shift the others."""
    costs = mca.model_blocks([FMLA, ADD, ADD + UNDEFINED, UNDEFINED], "cortex-a72")
    assert costs[FMLA].cycles > 2 * costs[FMLA].bound
    assert costs[ADD].cycles == pytest.approx(costs[ADD].bound, rel=0.1)
    assert [costs[code].unknown for code in (FMLA, ADD, ADD + UNDEFINED, UNDEFINED)] == [0, 0, 1, 1]
    assert costs[UNDEFINED].cycles == 0


@needs_llvm
def test_cores_differ_and_costs_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The A76's model is Neoverse N1's; a second question is answered from the file."""
    slow, fast = mca.Costs("cortex-a72", tmp_path), mca.Costs("cortex-a76", tmp_path)
    code = FMLA * 4
    assert slow.of([code])[code].bound > fast.of([code])[code].bound
    monkeypatch.setattr(mca, "MCA", "no-such-program")
    assert mca.Costs("cortex-a76", tmp_path).of([code]) == fast.of([code])


def test_no_model_for_a_core() -> None:
    with pytest.raises(PotstillError, match=r"error\[B016\].*cortex-a72"):
        mca.model_of("cortex-x4")


@needs_llvm
def test_a_window_with_its_costs(tmp_path: Path) -> None:
    """Cycles are executions times cost; the share of unknown instructions is by executions; the hottest comes first."""
    modelled = report.model(
        Window(64, {block(0, ADD + RET): 10, block(100, FMLA * 8 + RET): 10, block(200, UNDEFINED): 10}),
        mca.Costs("cortex-a72", tmp_path),
    )
    assert modelled.instructions == 120
    assert modelled.unknown == pytest.approx(10 / 120)
    assert modelled.lines[0].block.address == 100
    assert modelled.cycles == pytest.approx(sum(line.times * line.cost.cycles for line in modelled.lines))
    assert json.loads(json.dumps(modelled.data(2)))["blocks"][0]["executions"] == 10
    assert "window 64: 0.00 M instructions" in report.text(modelled)


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("full", "expected"),
    [
        ("void potstill::kernels::gemm<potstill::A<1>, B>(int, char const*)", "gemm"),
        ("potstill::kernels::(anonymous namespace)::row(float*) [clone ._omp_fn.0]", "row"),
        ("xnn_f32_gemm_minmax_ukernel", "xnn_f32_gemm_minmax_ukernel"),
        ("operator new(unsigned long)", "operator new"),
    ],
)
def test_short_names(full: str, expected: str) -> None:
    assert symbols.short(full) == expected


# --- a program under the emulator -------------------------------------------------------------------------------------

PROGRAM = """
    .globl _start
_start:
    mov x20, #1000
    bl  work                 // not counted
    mov x1, #5
    bl  open
    mov x20, #1000
    bl  work
    bl  close
    mov x1, #6
    bl  open
    mov x20, #500
    bl  work
    bl  close
    mov x0, #0
    mov x8, #93
    svc #0
open:
    movz w0, #0x5711, lsl #16
    movk w0, #1
    mov x8, #141
    svc #0
    ret
close:
    movz w0, #0x5711, lsl #16
    mov x8, #141
    svc #0
    ret
work:
    fmla v0.4s, v1.4s, v2.4s
    subs x20, x20, #1
    b.ne work
    ret
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """PROGRAM, assembled: windows 5 and 6 with 1000 and 500 turns of a loop of three instructions."""
    source, made = tmp_path / "marked.s", tmp_path / "marked"
    source.write_text(PROGRAM, encoding="utf-8")
    subprocess.run(["aarch64-linux-gnu-gcc", "-nostdlib", "-static", "-o", made, source], check=True)
    return made


@needs_cross
def test_only_marked_windows_are_counted(program: Path) -> None:
    """Every instruction after the opening system call, to the closing one: 3 a turn and 8 around (ret; mov, bl; ret;
    bl; movz, mov, svc)."""
    assert windows.count([str(program)], "cortex-a72") == {5: 3 * 1000 + 8, 6: 3 * 500 + 8}


@needs_cross
@needs_llvm
def test_blocks_have_names_and_bytes(program: Path) -> None:
    found, _ = windows.run(windows.emulated([str(program)], "cortex-a72"))
    hottest = max(found[0].runs, key=lambda b: found[0].runs[b])
    assert (hottest.code[:4], found[0].runs[hottest], hottest.file) == (FMLA, 1000, str(program))
    assert symbols.name_of(hottest).startswith("work+0x0 @")


@needs_cross
@needs_llvm
def test_modelled_cycles_of_a_loop(program: Path, tmp_path: Path) -> None:
    """The chain of fmla decides: turns times what a chain costs by itself."""
    found, _ = windows.run(windows.emulated([str(program)], "cortex-a72"))
    costs = mca.Costs("cortex-a72", tmp_path)
    each = mca.model_blocks([FMLA], "cortex-a72")[FMLA].cycles
    assert report.model(found[0], costs).cycles == pytest.approx(1000 * each, rel=0.05)


@needs_cross
def test_failures_of_the_program(tmp_path: Path) -> None:
    source, made = tmp_path / "plain.s", tmp_path / "plain"
    for status, message in ((3, "status 3"), (0, "no window was marked")):
        source.write_text(f".globl _start\n_start: mov x0, #{status}\nmov x8, #93\nsvc #0\n", encoding="utf-8")
        subprocess.run(["aarch64-linux-gnu-gcc", "-nostdlib", "-static", "-o", made, source], check=True)
        with pytest.raises(PotstillError, match=rf"error\[B021\]: {message}"):
            windows.count([str(made)], "cortex-a72")


def test_markers_are_the_same_everywhere() -> None:
    """The plugin, the C++ driver and the Python guest write the numbers out for themselves."""
    project = windows.SOURCE.parents[2]
    for path in (windows.SOURCE, project / "cpp/tools/potstill_count.cpp"):
        text = path.read_text(encoding="utf-8").lower()
        assert f"{windows.OPEN_WINDOW:#x}" in text and f"{windows.CLOSE_WINDOW:#x}" in text
    assert (guest.OPEN_WINDOW, guest.CLOSE_WINDOW) == (windows.OPEN_WINDOW, windows.CLOSE_WINDOW)


# --- the bench --------------------------------------------------------------------------------------------------------


def test_files_and_wheel_tags_of_peers() -> None:
    """Whatever the scheme in our file's name, peers have their own endings; a board takes tags up to its glibc."""
    int8 = engines.PEERS[-1]
    for name in ("model.still", "model.int8.still", "model.int4.still"):
        assert engines.file_beside(Path("/x") / name, int8) == Path("/x/model.int8.tflite")
    tags = environment.platforms(boards.board("pi4").system, "aarch64")
    assert tags[0] == "manylinux_2_36_aarch64"
    assert "manylinux_2_17_aarch64" in tags
    assert "manylinux_2_37_aarch64" not in tags


def test_arguments_of_the_bench() -> None:
    assert [peer.precision for peer in engines.chosen("litert")] == ["fp32", "int8"]
    assert engines.chosen("none") == []
    assert bench.numbers("64,16,16", "lengths") == [16, 64]
    with pytest.raises(PotstillError, match=r"error\[B016\].*litert,onnxruntime"):
        engines.chosen("tensorflow")
    with pytest.raises(PotstillError, match=r"error\[B016\]"):
        bench.numbers("16,x", "lengths")


def test_table_compares_with_the_first_row_of_ours() -> None:
    """Ratio by length, padding shown, a length without a row of ours has no ratio."""
    figures = {"instructions": 2e6, "ports": 1e6, "ms": 0.5, "padded_to": 16, "tokens": 16}
    row = {"version": "1", "precision": "int8", **figures}
    rows = [
        {**row, "engine": "Potstill", "cycles": 1_000_000},
        {**row, "engine": "Potstill", "precision": "fp32", "cycles": 3_000_000},
        {**row, "engine": "LiteRT", "cycles": 1_500_000, "padded_to": 32},
        {**row, "engine": "LiteRT", "cycles": 1_500_000, "tokens": 8},
    ]
    ratios = [line.split()[-1] for line in bench.table(rows).splitlines()[1:]]
    assert ratios == ["-", "1.00", "3.00", "1.50"]
    assert "16 (as 32)" in bench.table(rows)


# --- other instruction sets, fits -------------------------------------------------------------------------------------


@needs_llvm
def test_blocks_of_other_instruction_sets() -> None:
    """Instructions of several sizes, one block after another; a last instruction cut short takes no neighbour's."""
    x86 = isa.texts([bytes.fromhex("c5fc28c1"), bytes.fromhex("90c4e2352c"), bytes.fromhex("c3")], isa.X86_64)
    assert x86[0] == ["vmovaps %ymm1, %ymm0"] and x86[1][0] == "nop" and x86[2] == ["retq"]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (isa.X86_64, "jne -12", "may"),
        (isa.X86_64, "jmp 4", "goes"),
        (isa.X86_64, "retq", "goes"),
        (isa.X86_64, "vaddps %ymm1, %ymm0, %ymm0", "falls"),
        (isa.AARCH64, "cbnz x0, #8", "may"),
        (isa.AARCH64, "tbz w0, #3, #8", "may"),
        (isa.AARCH64, "tbl v0.16b, { v1.16b }, v2.16b", "falls"),
        (isa.AARCH64, "blr x8", "goes"),
        (isa.AARCH64, "bl #16", "goes"),
        (isa.AARCH64, "bic x0, x1, x2", "falls"),
    ],
)
def test_how_blocks_end(kind: isa.Isa, text: str, expected: str) -> None:
    assert kind.ending(text) == expected


@needs_llvm
def test_modelled_blocks_of_another_instruction_set(tmp_path: Path) -> None:
    """A chain of dependent FMAs costs its latency on Zen 4 (4 cycles), independent moves do not."""
    chain, free = bytes.fromhex("c4e275b8c2"), bytes.fromhex("c5fc28c1")  # vfmadd231ps ymm0, ymm1, ymm2; vmovaps
    costs = mca.Costs("znver4", tmp_path, isa.X86_64).of([chain, free])
    assert costs[chain].cycles == pytest.approx(4, rel=0.1)
    assert costs[free].cycles < 1


def test_fit_finds_the_costs() -> None:
    """Exactly where the rows follow them; no cost is below zero, also where plain least squares would say so."""
    matrix = [[1.0, 2.0], [5.0, 1.0], [2.0, 9.0], [7.0, 7.0]]
    assert fit.fit(matrix, [3 * a + b / 2 for a, b in matrix]) == pytest.approx([3.0, 0.5])
    assert min(fit.fit([[1.0, b] for b in (1.0, 2.0, 3.0, 4.0)], [9.0, 8.0, 7.0, 6.0])) == 0.0
