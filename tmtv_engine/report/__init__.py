"""The report: agreement of two measurements of a cohort as numbers, tables, figures and a page."""
