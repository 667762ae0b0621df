"""Tables of judges' certificates. Append-only, as verdicts and labels are; triggers see to it.

A certificate names its judge by name, model and prompt, not by number: it need not have given a verdict here.
`depth` is a step's number, null for all of them; `progress` tells the rates of all steps from those of the
steps alone that the judge says make progress.
"""

from __future__ import annotations

CERTIFICATE_TABLES = """
CREATE TABLE certificates (
  certificate_id INTEGER PRIMARY KEY, client_uid VARCHAR NOT NULL UNIQUE, judge VARCHAR NOT NULL,
  model VARCHAR NOT NULL, prompt_sha VARCHAR NOT NULL, benchmark VARCHAR NOT NULL, file VARCHAR NOT NULL,
  file_sha VARCHAR NOT NULL, solutions_sha VARCHAR, file_solutions INTEGER NOT NULL,
  solutions INTEGER NOT NULL,
  erroneous INTEGER NOT NULL, questions INTEGER NOT NULL, with_gold INTEGER NOT NULL,
  votes INTEGER NOT NULL, undetermined INTEGER NOT NULL,
  f1 DOUBLE, f1_low DOUBLE, f1_high DOUBLE,
  accuracy_erroneous DOUBLE, accuracy_erroneous_low DOUBLE, accuracy_erroneous_high DOUBLE,
  accuracy_correct DOUBLE, accuracy_correct_low DOUBLE, accuracy_correct_high DOUBLE,
  kappa DOUBLE, kappa_low DOUBLE, kappa_high DOUBLE,
  created_by VARCHAR NOT NULL, created_at TIMESTAMP NOT NULL);
CREATE TABLE certificate_rates (
  certificate_id INTEGER NOT NULL, depth INTEGER, progress BOOLEAN NOT NULL, unjudged INTEGER NOT NULL,
  true_positive INTEGER NOT NULL, false_negative INTEGER NOT NULL, false_positive INTEGER NOT NULL,
  true_negative INTEGER NOT NULL, tpr_low DOUBLE, tpr_high DOUBLE, tnr_low DOUBLE, tnr_high DOUBLE);
CREATE TRIGGER certificates_no_delete AFTER DELETE ON certificates FOR EACH STATEMENT
  INSERT INTO guard VALUES (error('certificates are append-only'));
CREATE TRIGGER certificates_no_update AFTER UPDATE ON certificates FOR EACH STATEMENT
  INSERT INTO guard VALUES (error('certificates are append-only'));
CREATE TRIGGER certificate_rates_no_delete AFTER DELETE ON certificate_rates FOR EACH STATEMENT
  INSERT INTO guard VALUES (error('certificates are append-only'));
CREATE TRIGGER certificate_rates_no_update AFTER UPDATE ON certificate_rates FOR EACH STATEMENT
  INSERT INTO guard VALUES (error('certificates are append-only'));
"""
