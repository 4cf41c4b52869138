"""Results for people: tables, sentences, and the assembly of a task's result file."""
