"""Which label of an auditor is in force on an action (docs/method.md), as SQL over rows of `labels`.

Of those that stand, that were not withdrawn, it is the newest that is no skip; the newest skip where there
is no other.
"""

from __future__ import annotations

WITHDRAWN = "(SELECT withdraws FROM labels WHERE withdraws IS NOT NULL)"
STANDS = f"value <> 'withdrawn' AND client_uid NOT IN {WITHDRAWN}"

# Of an auditor's standing labels on an action the one with the highest place is in force: skips come last.
PLACE = "label_id - CASE value WHEN 'skip' THEN 1099511627776 ELSE 0 END"


def words_in_force() -> str:
    """A query for the word of each auditor on each action."""
    return (
        f"SELECT action_id, question_id, auditor, arg_max(value, {PLACE}) AS value FROM labels"
        f" WHERE {STANDS} GROUP BY ALL"
    )


def labels_in_force(condition: str) -> str:
    """A query for the labels in force, of labels that meet a condition on auditor and action.

    A flag on a newer skip is a flag on the label in force, until a label or a skip without one comes.
    """
    return (
        "SELECT labels.* REPLACE (flagged OR newest_flagged AS flagged) FROM labels JOIN"
        f" (SELECT arg_max(label_id, {PLACE}) AS label_id, arg_max(flagged, label_id) AS newest_flagged"
        f"  FROM labels WHERE {STANDS} AND {condition} GROUP BY action_id, auditor) USING (label_id)"
    )
