"""The trie over rows, its splits and packs, against plain sets of prefixes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bswirl.training.packing import NO_PARENT, Pack, build_tree, pack, split
from bswirl.training.rows import TrainingRow
from bswirl.training.tree_attention import cut_into_blocks


def row(ids: list[int], start: int) -> TrainingRow:
    return TrainingRow(1, 1, 1, tuple(ids), start, 1.0, 1.0, 1)


@st.composite
def some_rows(draw: st.DrawFn) -> list[TrainingRow]:
    """Rows over few tokens, most of which continue another row's beginning."""
    rows: list[TrainingRow] = []
    for _ in range(draw(st.integers(1, 10))):
        beginning = draw(st.sampled_from(rows)).ids if rows else ()
        kept = draw(st.integers(0, len(beginning)))
        ids = [*beginning[:kept], *draw(st.lists(st.integers(0, 3), min_size=2, max_size=7))]
        rows.append(row(ids, draw(st.integers(1, len(ids) - 1))))
    return rows


def path(parent: np.ndarray, node: int) -> list[int]:
    nodes = []
    while node != NO_PARENT:
        nodes.append(node)
        node = int(parent[node])
    return nodes[::-1]


def sees(end: np.ndarray) -> np.ndarray:
    nodes = np.arange(len(end))
    return (nodes[None, :] <= nodes[:, None]) & (nodes[:, None] < end[None, :])


def ancestry(parent: np.ndarray) -> np.ndarray:
    matrix = np.zeros((len(parent), len(parent)), dtype=bool)
    for node in range(len(parent)):
        matrix[node, path(parent, node)] = True
    return matrix


class TestTree:
    @given(some_rows())
    def test_is_the_trie(self, rows: list[TrainingRow]) -> None:
        """One node for each distinct beginning; each row's path spells it; intervals are ancestry."""
        tree = build_tree(rows)
        assert len(tree) == len({entry.ids[:end] for entry in rows for end in range(1, len(entry.ids) + 1)})
        for entry, leaf in zip(rows, tree.leaf, strict=True):
            assert tuple(tree.ids[tree.path(int(leaf))]) == entry.ids
        assert (sees(tree.end) == ancestry(tree.parent)).all()
        assert tree.depth.tolist() == [len(tree.path(node)) - 1 for node in range(len(tree))]

    def test_the_longest_branch_stands_last(self) -> None:
        """A state's alternatives stay together, before the step that the tree goes on from."""
        rows = [row([9, 1, 2], 1), row([9, 1, 2, 5, 6, 7], 3), row([9, 3, 4], 1), row([9, 4, 4], 1)]
        assert build_tree(rows).ids.tolist() == [9, 3, 4, 4, 4, 1, 2, 5, 6, 7]

    def test_two_rows_of_the_same_tokens_share_a_path(self) -> None:
        tree = build_tree([row([1, 2, 3], 1), row([1, 2, 3], 1)])
        assert len(tree) == 3
        assert tree.leaf.tolist() == [2, 2]


def spelled(part: Pack, node: int) -> tuple[int, ...]:
    return tuple(part.ids[path(part.parent, node)].tolist())


class TestPack:
    @settings(max_examples=150)
    @given(st.lists(some_rows(), min_size=1, max_size=3), st.integers(1, 40))
    def test_every_action_token_counts_once(self, questions: list[list[TrainingRow]], budget: int) -> None:
        """Whatever the budget: predicted at its depth, behind its own row's beginning, in one pack only."""
        rows = [entry for part in questions for entry in part]
        found = []
        for part in pack([build_tree(question) for question in questions], budget):
            assert (sees(part.end) == ancestry(part.parent)).all()
            assert (np.diff(part.site) >= 0).all()
            for number, member in zip(part.row, part.member, strict=True):
                node = int(part.predictors[part.site[member]])
                before = spelled(part, node)
                assert part.positions[node] == len(before) - 1
                assert rows[number].ids[: len(before) + 1] == (*before, part.targets[member])
                found.append((int(number), len(before)))
        wanted = [
            (number, place)
            for number, entry in enumerate(rows)
            for place in range(entry.action_start, len(entry.ids))
        ]
        assert sorted(found) == wanted

    @given(some_rows(), st.integers(1, 30))
    def test_budget_holds_where_it_can(self, rows: list[TrainingRow], budget: int) -> None:
        """A piece is above the budget only if it is one unbranched stretch behind its ancestors."""
        tree = build_tree(rows)
        for piece in split(tree, budget):
            inside = [cut for cut in tree.starts if piece.start < cut < piece.stop]
            assert len(piece) <= budget or not inside

    def test_a_whole_tree_is_not_split(self) -> None:
        tree = build_tree([row([1, 2, 3], 1), row([1, 4], 1)])
        (part,) = pack([tree, tree], 8)
        assert part.ids.tolist() == [1, 2, 1, 2]  # last tokens are predicted, and not computed
        assert part.targets.tolist() == [4, 2, 3] * 2

    def test_a_split_computes_the_trunk_again_and_no_more(self) -> None:
        """Two branches of four behind a trunk of three, at a budget of eight: two packs of six."""
        rows = [row([1, 2, 3, 4, 4, 4, 4], 3), row([1, 2, 3, 5, 5, 5, 5], 3)]
        assert [len(part) for part in pack([build_tree(rows)], 8)] == [6, 6]


class TestBlocks:
    @given(some_rows())
    def test_blocks_tile_the_order(self, rows: list[TrainingRow]) -> None:
        """Each query in one block, whose nodes see only themselves and the first one's ancestors."""
        tree = build_tree(rows)
        bounds = cut_into_blocks(tree.parent, tree.end)
        assert [start for start, _ in bounds] == [0, *(stop for _, stop in bounds[:-1])]
        assert bounds[-1][1] == len(tree)
        for start, stop in bounds:
            allowed = {*tree.path(start), *range(start, stop)}
            for node in range(start, stop):
                assert set(tree.path(node)) <= allowed
