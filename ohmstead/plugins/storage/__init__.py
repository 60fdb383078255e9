"""How the hub remembers: tables, the one writer, queries, migrations, retention and backup."""
