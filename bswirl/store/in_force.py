"""Which label of an auditor is in force on an action (docs/method.md), as SQL over rows of `labels`.

Of those that stand, that were not withdrawn, it is the newest that is no skip; the newest skip where there
is no other.
"""

from __future__ import annotations

WITHDRAWN = "(SELECT withdraws FROM labels WHERE withdraws IS NOT NULL)"
STANDS = f"value <> 'withdrawn' AND client_uid NOT IN {WITHDRAWN}"

# Of an auditor's standing labels on an action the one with the highest place is in force: skips come last.
PLACE = "label_id - CASE value WHEN 'skip' THEN 1099511627776 ELSE 0 END"

# A flag on a newer skip is a flag on the label in force, until a label or a skip without one comes.
_FLAGGED = "flagged OR arg_max(flagged, label_id) OVER mine"


def labels_in_force(condition: str = "true") -> str:
    """A query for the labels in force among those that meet a condition on auditor, action or question."""
    return (
        f"SELECT * REPLACE ({_FLAGGED} AS flagged) FROM labels WHERE {STANDS} AND {condition}"
        " WINDOW mine AS (PARTITION BY action_id, auditor)"
        f" QUALIFY row_number() OVER (PARTITION BY action_id, auditor ORDER BY {PLACE} DESC) = 1"
    )
