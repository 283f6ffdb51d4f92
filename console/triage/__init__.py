"""Triage: from a snapshot to findings, one file per symptom. Pure: no I/O, no clock, nothing of Azure's wire."""
