"""The audit without a store: how steps are drawn, what is estimated from the labels, and the report."""
