"""Training a policy on judged steps. Importing this package loads no torch; its modules do."""
