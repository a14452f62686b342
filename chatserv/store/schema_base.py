"""What the tables have in common: their registry, and types that SQLite and PostgreSQL understand alike."""

from sqlalchemy import BigInteger, Integer, MetaData, Text

Number = BigInteger().with_variant(Integer, "sqlite")  # whose keys are numbered by themselves only as INTEGER
Words = Text().with_variant(Text(collation="C"), "postgresql")  # compared by their bytes, as SQLite does
tables = MetaData()
