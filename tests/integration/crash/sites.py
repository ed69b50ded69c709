"""Every place where ft waits, from its own source; and a word with whoever watches, whenever one is passed.

A site is an `await`, an `async with` (entered and left) or an `async for` in one of the modules given. The functions
of these modules get, for as long as :func:`watching` lasts, code that was compiled from the same source with each site
wrapped: nothing is listed by hand, and a new `await` is a new site.
"""

import ast
import builtins
import gc
import inspect
import types
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

CHECKOUT: Final = Path(__file__).resolve().parents[3]
_NAMES: Final = ("__ft_await__", "__ft_with__", "__ft_iter__")
_Functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Site:
    """One place in the source. ``text``: what is waited for; ``line`` is for people."""

    path: str
    function: str
    text: str
    count: int
    """Of equal texts in this function, which."""
    line: int

    @property
    def name(self) -> str:
        """The same as long as its function is; without the line."""
        return f"{self.path} {self.function}: {self.text}" + (f" ({self.count + 1})" if self.count else "")

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.function}: {self.text}"


Passing = Callable[[Site, str], None]
"""Told of each passing of a site: before | after (an await, an entering), leaving | left (an `async with`)."""


class _Wrap(ast.NodeTransformer):
    def __init__(self, path: str, sites: list[Site]) -> None:
        self._path = path
        self._sites = sites
        self._scope: list[str] = []

    def visit(self, node: ast.AST) -> Any:
        if not isinstance(node, _Functions):
            return super().visit(node)
        self._scope.append(node.name)
        self.generic_visit(node)
        self._scope.pop()
        return node

    def visit_Await(self, node: ast.Await) -> ast.AST:
        wrapped = self._call("__ft_await__", node.value, "await")
        self.generic_visit(node)
        return ast.copy_location(ast.Await(value=wrapped(node.value)), node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        for item in node.items:
            wrapped = self._call("__ft_with__", item.context_expr, "async with")
            item.context_expr = wrapped(item.context_expr)
        self.generic_visit(node)
        return node

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        node.iter = self._call("__ft_iter__", node.iter, "async for")(node.iter)
        self.generic_visit(node)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        if node.is_async:
            node.iter = self._call("__ft_iter__", node.iter, "async for")(node.iter)
        self.generic_visit(node)
        return node

    def _call(self, name: str, what: ast.expr, word: str) -> Callable[[ast.expr], ast.Call]:
        function, text = ".".join(self._scope), f"{word} {ast.unparse(what)}"
        count = sum((s.path, s.function, s.text) == (self._path, function, text) for s in self._sites)
        self._sites.append(Site(self._path, function, text, count, what.lineno))
        number = len(self._sites) - 1

        def wrapped(inner: ast.expr) -> ast.Call:
            made = ast.Call(func=ast.Name(id=name, ctx=ast.Load()), args=[ast.Constant(number), inner], keywords=[])
            for node in (made, made.func, made.args[0]):
                ast.copy_location(node, what)
            return made

        return wrapped


@dataclass(frozen=True, slots=True)
class Sites:
    """All sites of some modules, and their functions' other code."""

    all: tuple[Site, ...]
    codes: dict[tuple[str, str, int], types.CodeType]

    @contextmanager
    def watching(self, passing: Passing) -> Iterator[None]:
        """Call ``passing`` whenever a site is passed. Functions that exist now are exchanged, and changed back."""
        exchanged: list[tuple[types.FunctionType, types.CodeType]] = []
        for function in gc.get_objects():
            if isinstance(function, types.FunctionType):
                code = function.__code__
                other = self.codes.get((code.co_filename, code.co_qualname, code.co_firstlineno))
                if other is not None:
                    exchanged.append((function, code))
                    function.__code__ = other
        wrappers = (_awaiting(self.all, passing), _entering(self.all, passing), _iterating(self.all, passing))
        for name, wrapper in zip(_NAMES, wrappers, strict=True):
            setattr(builtins, name, wrapper)
        try:
            yield
        finally:
            for function, code in exchanged:
                function.__code__ = code


def sites_of(modules: Iterable[types.ModuleType]) -> Sites:
    """The sites of the modules' source."""
    sites: list[Site] = []
    codes: dict[tuple[str, str, int], types.CodeType] = {}
    for module in modules:
        file = Path(inspect.getfile(module))
        tree = ast.parse(file.read_text())
        name = file.resolve().relative_to(CHECKOUT).as_posix()
        wrapped = ast.fix_missing_locations(_Wrap(name, sites).visit(tree))
        for code in _codes(compile(wrapped, str(file), "exec", dont_inherit=True)):
            codes[code.co_filename, code.co_qualname, code.co_firstlineno] = code
    return Sites(tuple(sites), codes)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _codes(constant)


def _awaiting(sites: tuple[Site, ...], passing: Passing) -> Callable[[int, Any], Any]:
    async def awaiting(number: int, awaitable: Any) -> Any:
        try:
            passing(sites[number], "before")
        except BaseException:
            if inspect.iscoroutine(awaitable):
                awaitable.close()
            raise
        result = await awaitable
        passing(sites[number], "after")
        return result

    return awaiting


def _entering(sites: tuple[Site, ...], passing: Passing) -> Callable[[int, Any], Any]:
    class Entering:
        def __init__(self, number: int, manager: Any) -> None:
            self._site = sites[number]
            self._manager = manager

        async def __aenter__(self) -> Any:
            passing(self._site, "before")
            entered = await self._manager.__aenter__()
            passing(self._site, "after")
            return entered

        async def __aexit__(self, kind: Any, exc: Any, trace: Any) -> Any:
            if exc is None:
                passing(self._site, "leaving")
            swallowed = await self._manager.__aexit__(kind, exc, trace)
            if exc is None:
                passing(self._site, "left")
            return swallowed

    return Entering


def _iterating(sites: tuple[Site, ...], passing: Passing) -> Callable[[int, Any], AsyncIterator[Any]]:
    async def iterating(number: int, items: Any) -> AsyncIterator[Any]:
        passing(sites[number], "before")
        async for item in items:
            passing(sites[number], "after")
            yield item

    return iterating
