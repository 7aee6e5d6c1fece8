"""What the package promises as a package."""
from __future__ import annotations

import ast
import importlib.util
import pathlib
import subprocess
import sys
import tomllib
import unittest

import countersign

SDK = pathlib.Path(__file__).parents[1]
SOURCES = sorted((SDK / "src" / "countersign").glob("*.py"))
INTEROP = SDK.parents[1] / "test" / "interop"
MAX_SOURCE_LINES = 250
MAX_TEST_LINES = 300


def imports_of(path: pathlib.Path) -> set[str]:
    """The modules that a file imports from outside its own package."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            found.add(node.module.partition(".")[0])
    return found


class PackageTest(unittest.TestCase):
    def test_websockets_is_the_only_dependency(self) -> None:
        project = tomllib.loads((SDK / "pyproject.toml").read_text("utf-8"))["project"]
        self.assertEqual([each.partition(">")[0] for each in project["dependencies"]], ["websockets"])
        for path in SOURCES:
            outside = {name for name in imports_of(path) if name not in sys.stdlib_module_names}
            self.assertLessEqual(outside, {"websockets"}, path.name)

    def test_the_interop_clients_and_the_sdk_are_independent(self) -> None:
        theirs = {path.stem for path in INTEROP.glob("*.py")}
        self.assertTrue(theirs)
        for path in INTEROP.glob("*.py"):
            self.assertNotIn("countersign", imports_of(path), path.name)
        for path in SOURCES:
            self.assertFalse(imports_of(path) & theirs, path.name)

    def test_it_is_typed(self) -> None:
        self.assertTrue((SDK / "src" / "countersign" / "py.typed").exists())
        if importlib.util.find_spec("mypy") is None:
            self.skipTest("mypy is not installed")
        command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", "/dev/null", "src/countersign", "examples", "tests"]
        checked = subprocess.run(command, cwd=SDK, capture_output=True, text=True, timeout=300)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_each_module_class_and_function_that_is_public_is_documented(self) -> None:
        for path in SOURCES:
            tree = ast.parse(path.read_text("utf-8"))
            self.assertIsNotNone(ast.get_docstring(tree), path.name)
            for node in ast.walk(tree):
                if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
                    is_public = not node.name.startswith("_") and node in _public_of(tree)
                    if is_public:
                        self.assertIsNotNone(ast.get_docstring(node), f"{path.name}: {node.name}")

    def test_files_are_small(self) -> None:
        for path, most in [
            *((path, MAX_SOURCE_LINES) for path in [*SOURCES, *(SDK / "examples").glob("*.py")]),
            *((path, MAX_TEST_LINES) for path in (SDK / "tests").glob("*.py")),
        ]:
            self.assertLessEqual(len(path.read_text("utf-8").splitlines()), most, path.name)

    def test_everything_that_is_exported_exists(self) -> None:
        for name in countersign.__all__:
            self.assertTrue(hasattr(countersign, name), name)

    def test_a_credential_does_not_show_its_secret(self) -> None:
        self.assertNotIn("cs_sk", repr(countersign.Credential("game-1", "cs_sk_secret", "k1")))


def _public_of(tree: ast.Module) -> list[ast.stmt]:
    """Top-level definitions, and the members of public classes."""
    found: list[ast.stmt] = []
    for node in tree.body:
        found.append(node)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            found.extend(node.body)
    return found


if __name__ == "__main__":
    unittest.main()
