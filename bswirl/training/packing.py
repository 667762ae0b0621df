"""Whole reasoning trees as packs of tokens: every distinct token once (docs/method.md §4).

A question's rows become the trie over their token ids. Its nodes stand in depth-first order, so a node's
descendants are the interval behind it, and "may attend to" is one comparison: node i sees node j when
j ≤ i < end[j]. Any stretch [a, b) of that order, with the ancestors of a in front of it, is a tree of the
same kind: that is how a tree is split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bswirl.training.rows import TrainingRow

Ints = NDArray[np.int64]
NO_PARENT = -1


@dataclass(frozen=True)
class Tree:
    """The trie over one question's rows, a node a token, in depth-first order; arrays are int64 [nodes]."""

    rows: tuple[TrainingRow, ...]
    ids: Ints
    parent: Ints  # NO_PARENT for a first token
    end: Ints  # one past the node's last descendant
    depth: Ints
    leaf: Ints  # [rows] the node of each row's last token

    def __len__(self) -> int:
        return len(self.ids)

    def path(self, node: int) -> list[int]:
        """The nodes from the root to `node`."""
        nodes = []
        while node != NO_PARENT:
            nodes.append(node)
            node = int(self.parent[node])
        return nodes[::-1]

    def ancestors(self, node: int) -> Ints:
        """The proper ancestors of `node`, the root first."""
        return np.array(self.path(node)[:-1], dtype=np.int64)

    @cached_property
    def members(self) -> tuple[Ints, Ints]:
        """(row, node) of every action token of every row, row by row."""
        rows: list[int] = []
        nodes: list[int] = []
        for index, row in enumerate(self.rows):
            path = self.path(int(self.leaf[index]))[row.action_start :]
            rows += [index] * len(path)
            nodes += path
        return np.array(rows, dtype=np.int64), np.array(nodes, dtype=np.int64)

    @cached_property
    def starts(self) -> Ints:
        """Where the order may be cut: the first nodes of the trie's unbranched stretches."""
        return stretch_starts(self.parent)


def stretch_starts(parent: Ints) -> Ints:
    """The nodes that are not the only child of the node before them."""
    nodes = np.arange(len(parent))
    children = np.bincount(parent[parent >= 0], minlength=len(parent))
    continues = (parent == nodes - 1) & (parent >= 0)
    continues &= children[np.maximum(parent, 0)] == 1
    return np.flatnonzero(~continues)


def build_tree(rows: Sequence[TrainingRow]) -> Tree:
    """The trie over the rows' token ids; among siblings the one with the longest row below it comes last.

    That keeps a state's alternatives together, in front of the step that the tree goes on from.
    """
    order = sorted(range(len(rows)), key=lambda index: rows[index].ids)
    ids: list[int] = []
    parent: list[int] = []
    end: list[int] = []
    depth: list[int] = []
    leaf = [0] * len(rows)
    # Work items: rows order[low:high] agree on their first `known` tokens, whose node is `above`. An item
    # with low < 0 closes the stretch that began at node `known`.
    work: list[tuple[int, int, int, int]] = [
        (low, high, 0, NO_PARENT) for low, high in reversed(_children(rows, order, 0, len(order), 0))
    ]
    while work:
        low, high, known, above = work.pop()
        if low < 0:
            for node in range(known, high):
                end[node] = len(ids)
            continue
        common = _common_prefix(rows[order[low]].ids, rows[order[high - 1]].ids, known)
        first = len(ids)
        for position in range(known, common):
            parent.append(above)
            above = len(ids)
            ids.append(rows[order[low]].ids[position])
            depth.append(position)
            end.append(0)
        while low < high and len(rows[order[low]].ids) == common:
            leaf[order[low]] = above
            low += 1
        work.append((-1, len(ids), first, 0))
        work += [
            (start, stop, common, above)
            for start, stop in reversed(_children(rows, order, low, high, common))
        ]
    arrays = (np.array(values, dtype=np.int64) for values in (ids, parent, end, depth, leaf))
    return Tree(tuple(rows), *arrays)


def _common_prefix(first: Sequence[int], last: Sequence[int], known: int) -> int:
    """How many tokens two sorted rows share, `known` of which are known to agree."""
    length = min(len(first), len(last))
    while known < length and first[known] == last[known]:
        known += 1
    return known


def _children(
    rows: Sequence[TrainingRow], order: Sequence[int], low: int, high: int, position: int
) -> list[tuple[int, int]]:
    """order[low:high] parted by the token at `position`; the part with the longest row comes last."""
    parts: list[tuple[int, int]] = []
    start = low
    for index in range(low + 1, high + 1):
        if index == high or rows[order[index]].ids[position] != rows[order[start]].ids[position]:
            parts.append((start, index))
            start = index
    return sorted(parts, key=lambda part: max(len(rows[order[i]].ids) for i in range(*part)))


@dataclass(frozen=True, eq=False)
class Piece:
    """Nodes [start, stop) of a tree, with the ancestors of `start` computed again in front of them.

    A token's loss counts in the piece that holds the token among its own nodes, so it counts once.
    """

    tree: Tree
    start: int
    stop: int

    @cached_property
    def nodes(self) -> Ints:
        """The nodes to compute, ascending: the trunk, then the piece's own but for those nothing follows.

        A last token is predicted and predicts nothing, so no one needs its hidden state.
        """
        own = np.arange(self.start, self.stop)
        followed = own[self.tree.end[own] > own + 1]
        return np.concatenate([self.tree.ancestors(self.start), followed])

    def __len__(self) -> int:
        return len(self.nodes)

    @cached_property
    def members(self) -> tuple[Ints, Ints]:
        """The tree's members whose node is the piece's own."""
        rows, nodes = self.tree.members
        own = (nodes >= self.start) & (nodes < self.stop)
        return rows[own], nodes[own]

    @cached_property
    def predictors(self) -> Ints:
        """The distinct nodes, ascending, whose hidden state predicts an action token that the piece owns."""
        _, nodes = self.members
        return np.unique(self.tree.parent[nodes])


def split(tree: Tree, budget: int) -> list[Piece]:
    """The tree as pieces of at most `budget` nodes, with the fewest nodes computed again.

    Cuts fall where the trie branches, so the longest unbranched path is the least that a piece can be: such a
    piece may be above the budget. Pieces without an action token of their own are left out.
    """
    if len(tree) <= budget:
        return [Piece(tree, 0, len(tree))]
    cuts = [*tree.starts.tolist(), len(tree)]
    above = [int(tree.depth[cut]) for cut in cuts[:-1]]  # a node's ancestors are as many as its depth
    best: list[tuple[int, int]] = [(0, 0)] * len(cuts)  # cost from cut i on, and the next cut
    for i in range(len(cuts) - 2, -1, -1):
        choices = [(above[i] + cuts[i + 1] - cuts[i] + best[i + 1][0], i + 1)]
        for j in range(i + 2, len(cuts)):
            size = above[i] + cuts[j] - cuts[i]
            if size > budget:
                break
            choices.append((size + best[j][0], j))
        best[i] = min(choices, key=lambda choice: (choice[0], -choice[1]))
    pieces: list[Piece] = []
    i = 0
    while i < len(cuts) - 1:
        j = best[i][1]
        pieces.append(Piece(tree, cuts[i], cuts[j]))
        i = j
    return [piece for piece in pieces if len(piece.members[0])]


@dataclass(frozen=True)
class Pack:
    """Pieces behind one another in one forward pass. Node arrays are int64 [nodes], of the whole pack."""

    pieces: tuple[Piece, ...]
    ids: Ints
    positions: Ints  # depth in the tree
    parent: Ints
    end: Ints  # i sees j when j ≤ i < end[j]
    predictors: Ints  # [sites] nodes whose hidden state goes through the head
    targets: Ints  # [targets] token predicted
    site: Ints  # [targets] by which site, ascending
    row: Ints  # [members] row of the step
    member: Ints  # [members] target that is one of the row's action tokens

    def __len__(self) -> int:
        return len(self.ids)


def assemble(pieces: Sequence[Piece], first_row: Sequence[int]) -> Pack:
    """The pack of some pieces; `first_row` is the number in the step of each piece's tree's first row."""
    parts: dict[str, list[Ints]] = {
        name: []
        for name in (
            "ids",
            "positions",
            "parent",
            "end",
            "predictors",
            "targets",
            "site",
            "row",
            "member",
        )
    }
    nodes_before = sites_before = targets_before = 0
    for piece, offset in zip(pieces, first_row, strict=True):
        tree, nodes = piece.tree, piece.nodes
        place = np.full(len(tree) + 1, -1, dtype=np.int64)
        place[nodes] = np.arange(len(nodes))
        rows, targets = piece.members
        distinct, member = np.unique(targets, return_inverse=True)
        site = np.searchsorted(piece.predictors, tree.parent[distinct])
        by_site = np.argsort(site, kind="stable")
        rank = np.empty_like(by_site)
        rank[by_site] = np.arange(len(by_site))
        parent = tree.parent[nodes]
        parts["ids"].append(tree.ids[nodes])
        parts["positions"].append(tree.depth[nodes])
        parts["parent"].append(np.where(parent < 0, NO_PARENT, place[parent] + nodes_before))
        parts["end"].append(np.searchsorted(nodes, np.minimum(tree.end[nodes], piece.stop)) + nodes_before)
        parts["predictors"].append(place[piece.predictors] + nodes_before)
        parts["targets"].append(tree.ids[distinct[by_site]])
        parts["site"].append(site[by_site] + sites_before)
        parts["row"].append(rows + offset)
        parts["member"].append(rank[member] + targets_before)
        nodes_before += len(nodes)
        sites_before += len(piece.predictors)
        targets_before += len(distinct)
    return Pack(tuple(pieces), **{name: np.concatenate(arrays) for name, arrays in parts.items()})


def pack(trees: Sequence[Tree], budget: int) -> list[Pack]:
    """The trees, split where they must be, in packs of at most `budget` nodes (first fit, largest first).

    Rows are numbered through the trees in their order.
    """
    pieces: list[tuple[Piece, int]] = []
    first_row = 0
    for tree in trees:
        pieces += [(piece, first_row) for piece in split(tree, budget)]
        first_row += len(tree.rows)
    bins: list[list[tuple[Piece, int]]] = []
    room: list[int] = []
    for entry in sorted(pieces, key=lambda entry: -len(entry[0])):
        size = len(entry[0])
        place = next((index for index, free in enumerate(room) if free >= size), None)
        if place is None:
            bins.append([])
            room.append(budget)
            place = len(bins) - 1
        bins[place].append(entry)
        room[place] -= size
    return [assemble([piece for piece, _ in part], [offset for _, offset in part]) for part in bins]
