"""What a build would end in is told before its first stage, by `build`, `recipe check` and `doctor` alike."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import normalizers, pre_tokenizers, processors

import teachers
import trained
from potstill.cli import main
from potstill.doctor.model import Limits
from potstill.doctor.model import check as doctor_check
from potstill.errors import CompileError, PotstillError
from potstill.models.recipes import load_recipe
from potstill.pipeline.builder import run_build
from potstill.pipeline.check import Findings, check_recipe
from potstill.pipeline.check.shape import read_shape

BERT = {"max_position_embeddings": 64}
SMALL = ["student.layers=1", "student.hidden=16", "student.heads=4", "student.intermediate=32", "data.max_tokens=32"]
Made = Callable[..., Path]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Folders of teachers by kind, each made once."""
    kinds: dict[str, Callable[[Path], Path]] = {
        "bert": lambda f: teachers.save(f, "Bert", teachers.words(), **BERT),
        "roberta": lambda f: teachers.save(f, "Roberta", teachers.bpe(pad_token="<pad>"), type_vocab_size=1),
        "xlmr": lambda f: teachers.save(f, "XLMRoberta", teachers.unigram()),
        "llama": lambda f: teachers.save(f, "Llama", teachers.bpe(), num_key_value_heads=4),
        "scripts": lambda f: teachers.save(f, "Bert", teachers.scripts(), **BERT),
        "distilbert": lambda f: teachers.save(
            f, "DistilBert", teachers.words(), dim=24, n_layers=2, n_heads=4, hidden_dim=48
        ),
        "silu": lambda f: teachers.save(f, "Bert", teachers.words(), hidden_act="silu", **BERT),
        "t5": lambda f: teachers.save(f, "T5", teachers.words(), d_model=24, d_kv=6, d_ff=48, num_heads=4),
        "bart": lambda f: teachers.save(f, "Bart", teachers.words(), d_model=32, hidden_size=32),
        "classifier": lambda f: teachers.save(f, "BertForSequenceClassification", teachers.words(), **BERT),
    }
    there: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in there:
            there[kind] = kinds[kind](tmp_path_factory.mktemp(kind))
        return there[kind]

    return make


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[..., Any]:
    """A recipe over a teacher's folder and 40 rows, small enough for any of the teachers."""
    rows = [f"{'good' if i % 2 else 'bad'} film {'abcdefghi'[i % 9]} {i},{'yes' if i % 2 else 'no'}" for i in range(40)]
    (tmp_path / "rows.csv").write_text("text,label\n" + "\n".join(rows) + "\n", encoding="utf-8")
    path = tmp_path / "mine.toml"

    def write(folder: Path | str, *settings: str) -> Any:
        path.write_text(
            f'name = "mine"\n[teacher]\nmodel = "{folder}"\n[data]\nsource = "rows.csv"\n[export]\ntflite = false\n',
            encoding="utf-8",
        )
        return load_recipe(path, [*SMALL, *settings])

    return write


def check(recipe: Any, tmp_path: Path, data: bool = False) -> Findings:
    return check_recipe(recipe, cache=tmp_path / "cache", fetch=True, data=data)


def codes(found: Findings) -> list[str]:
    return [error.code for error in found.errors]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("roberta", []),
        ("xlmr", []),
        ("llama", []),
        ("scripts", ["C054"]),
        ("bart", ["T101"]),
        ("distilbert", []),
        ("silu", []),
        ("t5", []),
        ("bert", []),
    ],
)
def test_every_reason_is_told_with_the_recipe(
    kind: str, expected: list[str], made: Made, recipe: Any, tmp_path: Path
) -> None:
    found = check(recipe(made(kind)), tmp_path)
    assert codes(found) == expected
    assert all(error.next_step for error in found.errors)


@pytest.mark.parametrize(("kind", "named"), [("roberta", "BPE"), ("xlmr", "Unigram"), ("bert", "WordPiece")])
def test_the_kind_of_tokenizer_is_told(kind: str, named: str, made: Made, recipe: Any, tmp_path: Path) -> None:
    checks = check(recipe(made(kind)), tmp_path).checks
    assert [one.seen.split(", ")[0] for one in checks if one.name == "tokenizer" and one.status == "ok"] == [named]


@pytest.mark.parametrize("kind", ["scripts"])
def test_build_check_and_doctor_refuse_alike_before_anything_is_made(
    kind: str, made: Made, recipe: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked, out = recipe(made(kind), "student.init=random"), tmp_path / "out"
    with pytest.raises(PotstillError) as error:
        run_build(asked, out)
    assert "UnicodeScripts" in str(error.value) and "student.tokenizer=own" in str(error.value)
    assert not [path for path in (out / "stages").rglob("*") if path.is_file()]
    overrides = [f"--set={setting}" for setting in [*SMALL, "student.init=random"]]
    assert main(["recipe", "check", str(tmp_path / "mine.toml"), *overrides]) != 0
    shown = capsys.readouterr()
    assert "UnicodeScripts" in shown.out and error.value.code in shown.err
    findings = doctor_check(str(tmp_path / "mine.toml"), None, Limits(), read=read_shape)
    assert any("UnicodeScripts" in one.seen and one.status == "failure" for one in findings.checks)
    # The next step, taken: the demo teacher is known without being fetched.
    with_it = recipe(made(kind), "student.init=random", "teacher.model=demo:all-minilm-l6-v2")
    check(with_it, tmp_path).require("mine")


NEXT_STEPS = [
    ("t5", ["student.init=copy"], "T042", ["student.init=pca"]),
    ("t5", ["student.init=prune"], "T042", ["student.init=random"]),
    ("bert", ["student.layers=3"], "T045", ["student.layers=2"]),
    ("bert", ["student.hidden=32"], "T047", ["student.hidden=24", "student.heads=4"]),
    ("bert", ["student.init=copy"], "T043", [f"student.{k}={v}" for k, v in
                                             {"hidden": 24, "heads": 4, "intermediate": 48}.items()]),
    ("bert", ["student.init=copy"], "T043", ["student.init=pca"]),
    ("bert", ["student.init=copy", "student.hidden=32"], "T043", ["student.init=random"]),
    ("bert", ["data.max_tokens=80"], "T007", ["data.max_tokens=64"]),
    ("bert", ["compile.max_tokens=80"], "R031", ["compile.max_tokens=64"]),
    ("distilbert", ["distil.hidden=1.0", "student.init=random"], "T090", ["distil.hidden=0.0"]),
    ("bert", ["distil.relations=1.0", "distil.relation_heads=7"], "T093", ["distil.relation_heads=8"]),
    ("bert", ["student.architecture=static", "student.hidden=32"], "T065", ["student.hidden=24"]),
    ("bert", ["student.vocabulary=seen", "student.vocabulary_size=5"], "T061", ["student.vocabulary_size=22"]),
    ("bert", ["teacher.finetune=never"], "T013", ["teacher.finetune=auto"]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "settings", "code", "step"), NEXT_STEPS)
def test_a_next_step_leads_on_and_not_into_the_next_error(
    kind: str, settings: list[str], code: str, step: list[str], made: Made, recipe: Any, tmp_path: Path
) -> None:
    found = check(recipe(made(kind), *settings), tmp_path)
    assert codes(found) == [code]
    advice = found.errors[0].next_step
    for setting in step:
        assert setting.split("=")[1].removesuffix(".0") in advice
    assert codes(check(recipe(made(kind), *settings, *step), tmp_path)) == []


@pytest.mark.parametrize(
    ("part", "value", "code"),
    [
        ("normalizer", normalizers.ByteLevel(), "C053"),
        ("pre_tokenizer", pre_tokenizers.UnicodeScripts(), "C054"),
        ("post_processor", processors.Sequence([processors.ByteLevel(), processors.ByteLevel()]), "C055"),
    ],
)
def test_parts_of_a_tokenizer(part: str, value: Any, code: str, recipe: Any, tmp_path: Path) -> None:
    tokenizer = teachers.words(**{part: value})
    folder = teachers.save(tmp_path / "teacher", "Bert", tokenizer, **BERT)
    assert codes(check(recipe(folder), tmp_path)) == [code]


def test_a_made_up_kind(made: Made, recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kinds that nobody has: of model, of tokenizer."""
    from potstill.compile import tokenizers

    def refuse(folder: Path) -> Any:
        raise CompileError("C052", "the tokenizer's model is Runes", str(folder), "elsewhere")

    monkeypatch.setattr(tokenizers, "read_tokenizer", refuse)
    found = check(recipe(made("bert")), tmp_path)
    assert codes(found) == ["C052"] and "student.tokenizer=own" in found.errors[0].next_step
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "oracle", "hidden_size": 24}')
    found = check(recipe(folder), tmp_path)
    assert codes(found) == ["T002"] and "oracle" in found.errors[0].what


def test_files_that_lack(made: Made, recipe: Any, tmp_path: Path) -> None:
    folder = teachers.save(tmp_path / "teacher", "Bert", teachers.words(), **BERT)
    for path in folder.glob("*.safetensors"):
        path.unlink()
    assert codes(check(recipe(folder), tmp_path)) == ["T103"]
    folder = teachers.save(tmp_path / "mute", "Bert", teachers.words(), **BERT)
    for path in folder.glob("tokenizer*"):
        path.unlink()
    assert codes(check(recipe(folder), tmp_path)) == ["T104"]
    folder = teachers.save(tmp_path / "short", "Bert", teachers.words(), vocab_size=9, **BERT)
    assert codes(check(recipe(folder), tmp_path)) == ["T106"]
    assert codes(check(recipe("absent/folder/of/mine"), tmp_path)) == ["T001"]
    assert codes(check(recipe("./absent"), tmp_path)) == ["T001"]
    assert codes(check(recipe("demo:oracle"), tmp_path)) == ["D013"]


def test_a_teacher_that_is_not_here(recipe: Any, tmp_path: Path) -> None:
    """`recipe check` says so; a build must have it before it starts."""
    found = check(recipe("somebody/some-model"), tmp_path)
    assert [(one.name, one.status) for one in found.checks] == [("teacher", "not checked")]
    assert "not on this machine" in found.checks[0].seen


def test_the_data_is_looked_at(made: Made, recipe: Any, tmp_path: Path) -> None:
    found = check(recipe(made("bert")), tmp_path, data=True)
    (classes,) = [one.seen for one in found.checks if one.name == "classes"]
    assert "no 16/2/2" in classes and "yes 16/2/2" in classes
    assert codes(check(recipe(made("bert"), "data.label=stars"), tmp_path, data=True)) == ["D003"]
    assert codes(check(recipe(made("bert"), "data.source=absent.csv"), tmp_path, data=True)) == ["D001"]
    never = ["teacher.finetune=never", "data.labels=['no','yes','maybe']"]
    assert codes(check(recipe(made("classifier"), *never), tmp_path, data=True)) == ["T013"]


def test_a_budget_of_nothing(made: Made, recipe: Any, tmp_path: Path) -> None:
    assert codes(check(recipe(made("bert"), "student.init=random", 'budget.bytes="1kB"'), tmp_path)) == ["T080"]
    assert codes(check(recipe(made("bert"), "student.init=random", 'budget.bytes="4MB"'), tmp_path)) == []


def test_pairs(recipe: Any, tmp_path: Path) -> None:
    """By the template of the teacher's tokenizer, its token types, and room for two texts."""
    (tmp_path / "rows.csv").write_text("text,pair,label\ngood film,bad film,no\n", encoding="utf-8")
    pairs = ["data.text_pair=pair"]
    bert = teachers.save(tmp_path / "bert", "Bert", teachers.words(), **BERT)
    assert codes(check(recipe(bert, *pairs), tmp_path)) == []
    assert codes(check(recipe(bert, *pairs, "data.max_tokens=4"), tmp_path)) == ["R032"]
    roberta = ["student.tokenizer=bytes", *pairs]
    trained.fast(trained.byte_level(["word"], 300)).save_pretrained(tmp_path / "bytes")
    assert codes(check(recipe(bert, *roberta, "data.max_tokens=5"), tmp_path)) == ["R032"], "two tokens between"
    assert codes(check(recipe(bert, *roberta, "data.max_tokens=4"), tmp_path)) == ["R032"], "told once"
    assert codes(check(recipe(bert, *roberta, "data.max_tokens=6"), tmp_path)) == []
    one_type = teachers.save(tmp_path / "one", "Bert", teachers.words(), type_vocab_size=1, **BERT)
    assert codes(check(recipe(one_type, *pairs), tmp_path)) == [], "the student tells them apart itself"
    two_separators = processors.RobertaProcessing(("[SEP]", 3), ("[CLS]", 2))
    roberta = teachers.save(tmp_path / "roberta", "Bert", teachers.words(post_processor=two_separators), **BERT)
    assert codes(check(recipe(roberta, *pairs), tmp_path)) == []
    special = [("[CLS]", 2), ("[SEP]", 3)]
    third = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:2", special_tokens=special)
    other = teachers.save(tmp_path / "other", "Bert", teachers.words(post_processor=third), **BERT)
    found = check(recipe(other, *pairs), tmp_path)
    assert codes(found) == ["C145"] and "data.text_pair" in found.errors[0].next_step
    assert codes(check(recipe(other), tmp_path)) == []


def test_words(recipe: Any, tmp_path: Path) -> None:
    """A teacher for a head on every token, or one for texts, which is fine-tuned."""
    (tmp_path / "rows.conll").write_text("good B-X\nfilm O\n\n" * 30, encoding="utf-8")
    settings = ["task=token-classification", "data.source=rows.conll"]
    folder = teachers.save(tmp_path / "tagger", "BertForTokenClassification", teachers.words(), **BERT)
    assert codes(check(recipe(folder, *settings), tmp_path)) == []
    texts = teachers.save(tmp_path / "texts", "BertForSequenceClassification", teachers.words(), **BERT)
    assert codes(check(recipe(texts, *settings), tmp_path)) == []
    assert codes(check(recipe(texts, *settings, "teacher.finetune=never"), tmp_path)) == ["T013"]


def test_casing_that_nothing_states(recipe: Any, tmp_path: Path) -> None:
    """A folder with a bare cased vocabulary would silently be lower-cased."""
    folder = teachers.save(tmp_path / "bare", "Bert", teachers.words(), vocab_size=60, **BERT)
    for path in folder.glob("*token*"):
        path.unlink()
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"Word{c}" for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ")]
    (folder / "vocab.txt").write_text("\n".join([*pieces, *"abcdefg"]) + "\n", encoding="utf-8")
    found = check(recipe(folder), tmp_path)
    assert codes(found) == ["C147"] and "tokenizer_config.json" in found.errors[0].next_step
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false, "tokenizer_class": "BertTokenizer"}')
    assert codes(check(recipe(folder), tmp_path)) == []


def test_an_unchanged_build_is_not_checked_again(
    made: Made, recipe: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check loads transformers; a build with nothing to make does not."""
    from potstill.pipeline.engine import run_stages
    from potstill.pipeline.stage import Context, Stage
    from potstill.work.progress import QuietProgress
    from potstill.work.store import Store

    asked: list[str] = []
    stages = [Stage(name, lambda context, out, work: {}, recipe=("seed",)) for name in ("one", "two")]
    for _ in range(2):
        context = Context(recipe(made("bert")), tmp_path / "cache", QuietProgress())
        run_stages(stages, context, Store(tmp_path / "stages"), before=lambda stage: asked.append(stage.name))
    assert asked == ["one"]


def test_a_search_is_checked_too(made: Made, recipe: Any, tmp_path: Path) -> None:
    """Its students are the ladder's, not the recipe's: only what is the teacher's fault is told."""
    from potstill.pipeline.search.points import run_search
    from potstill.recipe.schema import BudgetTime
    from potstill.work.progress import QuietProgress

    time = BudgetTime(board="pi4", tokens=16, value=5.0)
    asked = recipe(made("scripts"), "student.init=random", "student.layers=9")
    elsewhere = time.model_copy(update={"board": "pi400"})
    for wrong, when in ((asked, time), (recipe(made("bert")), elsewhere)):
        with pytest.raises(PotstillError, match="UnicodeScripts" if when is time else "unknown board 'pi400'"):
            run_search(wrong, tmp_path / "out", when, progress=QuietProgress())
        assert not [path for path in (tmp_path / "out" / "stages").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("pooling", "general", "wanted"),
    [
        ({"pooling_mode": "cls"}, {}, []),
        ({"pooling_mode": "median"}, {}, ["C161"]),
        ({"pooling_mode": "cls"}, {"prompts": {"q": "query: "}, "default_prompt_name": "q"}, ["T120"]),
        ({"pooling_mode": "cls", "include_prompt": False}, {"prompts": {"q": "query: "}}, ["T121"]),
    ],
)
@pytest.mark.parametrize("encoder", ["", "0_Transformer"])
def test_a_folder_of_sentence_transformers(
    recipe: Any, tmp_path: Path, pooling: dict[str, Any], general: dict[str, Any], wanted: list[str], encoder: str
) -> None:
    root = tmp_path / "teacher"
    teachers.save(root / encoder, "Bert", teachers.words())
    modules = [{"type": "models.Transformer", "path": encoder}, {"type": "models.Pooling", "path": "1_Pooling"}]
    (root / "1_Pooling").mkdir()
    (root / "modules.json").write_text(json.dumps(modules))
    (root / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    (root / "config_sentence_transformers.json").write_text(json.dumps(general))
    assert codes(check(recipe(root, 'task="embedding"'), tmp_path)) == wanted


def _configured(**changes: Any) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return change


def _cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _pointer(folder: Path) -> None:
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 9\n")


def _half_a_pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"PK\3\4" + bytes(400))


def _missing_part(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1-of-2.safetensors"}}')
    (folder / "model-2-of-2.safetensors").touch()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_cut, "cannot be read"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b""), "cannot be read"),
        (_pointer, "git lfs pull"),
        (_half_a_pickle, "cut short"),
        (_missing_part, "No such file"),
        (_configured(intermediate_size=40), "config.json asks for 40"),
        (_configured(num_hidden_layers=0), "num_hidden_layers = 0"),
        (_configured(hidden_size="large"), "expected int"),
        (_configured(vocab_size=None), "expected int"),
        (_configured(hidden_act="golu"), "has no 'golu'"),
        (lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe{"), "cannot be loaded"),
    ],
    ids=["cut", "empty", "pointer", "pickle", "part", "shape", "no layers", "text", "null", "activation", "no JSON"],
)
def test_damaged_weights_and_configurations(
    change: Callable[[Path], object], told: str, made: Made, recipe: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "teacher"
    shutil.copytree(made("bert"), folder)
    change(folder)
    found = check(recipe(folder, "student.init=random"), tmp_path)
    assert codes(found) == ["T002"] and told in str(found.errors[0])


OWN = ["student.tokenizer=own", "student.tokenizer_model=wordpiece", "student.init=random"]


@pytest.mark.parametrize("kind", ["roberta", "xlmr", "bert"])
def test_a_tokenizer_of_its_own_frees_the_student_from_its_teachers(
    kind: str, made: Made, recipe: Any, tmp_path: Path
) -> None:
    found = check(recipe(made(kind), *OWN), tmp_path, data=True)
    assert codes(found) == []


def test_a_tokenizer_too_small_for_the_texts_is_refused_once_they_are_read(
    made: Made, recipe: Any, tmp_path: Path
) -> None:
    small = recipe(made("bert"), *OWN, "student.tokenizer_size=24")
    assert codes(check(small, tmp_path)) == []
    assert codes(check(small, tmp_path, data=True)) == ["T131"]


def test_a_folder_of_the_students_tokenizer_is_read_before_the_first_stage(
    made: Made, recipe: Any, tmp_path: Path
) -> None:
    """It is looked up beside the recipe, as other paths are."""
    folder = tmp_path / "cut"
    tokenizer = teachers.words(model_max_length=64)
    tokenizer.save_pretrained(folder)
    known = ["student.init=random", "student.tokenizer=cut"]
    assert codes(check(recipe(made("roberta"), *known), tmp_path)) == []
    longer = [*known, "compile.max_tokens=65"]
    assert "T007" in codes(check(recipe(made("roberta"), *longer), tmp_path))
    (folder / "tokenizer_config.json").write_text("{", encoding="utf-8")
    assert codes(check(recipe(made("roberta"), *known), tmp_path)) == ["T130"]
    shutil.rmtree(folder)
    assert codes(check(recipe(made("roberta"), *known), tmp_path)) == ["T130"]
