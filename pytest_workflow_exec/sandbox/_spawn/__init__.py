"""The spawn server: a program of its own with one thread, which starts commands; it imports nothing of ours."""
