"""Quality: Great Expectations suites over the tables, severities, quarantine, Data Docs and the gate."""
