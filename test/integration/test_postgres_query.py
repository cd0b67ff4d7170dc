"""Which `query:` texts PostgreSQL is asked in pages, which as one statement, and that whatever the
answer the rows are those of the server."""
import re

import pg
import sql_query

# name, query, read_shape as `check` reports it, pattern of the reason (of refused ones)
PAGED = [
    ("plain", "SELECT id, name FROM q"), ("star", "SELECT * FROM q;"), ("schema_alias", "select id, grp from public.q as z where z.grp > 10"),
    ("alias", "SELECT z.id, z.name FROM q z"), ("quoted", 'SELECT "id", "name" FROM "public"."q" "Z z" WHERE "Z z".id > 5'),
    ("top_level_or", "SELECT id, name FROM q WHERE grp = 1 OR grp = 2"), ("or_comment", "SELECT id FROM q WHERE grp < 5 OR name = 'x' -- tail ORDER BY id"),
    ("string_words", "SELECT id FROM q WHERE name <> 'FROM x GROUP BY ;--' AND grp >= 0"),
    ("nested_comment", "SELECT id, grp FROM q /* a /* nested */ GROUP BY */ WHERE grp >= 0"), ("doubled_quote", "SELECT id, 'it''s LIMIT 1' AS lit FROM q"),
    ("escape_string", "SELECT id, E'a\\'b ORDER BY' AS lit FROM q"), ("dollar", "SELECT id, $$GROUP ' BY$$ AS lit FROM q"),
    ("dollar_tag", "SELECT id, $x$ LIMIT $$ ' $x$ AS lit FROM q"), ("alias_captures_key", "SELECT id AS k, name AS id FROM q"),
    ("negated", "SELECT id, -id AS negated FROM q"), ("subselect", "SELECT id, (SELECT max(o.v) FROM other o WHERE o.id = q.id) AS m FROM q"),
    ("is_distinct", "SELECT id, grp IS DISTINCT FROM 3 AS other FROM q"), ("is_not_distinct", "SELECT id FROM q WHERE grp IS NOT DISTINCT FROM 3 OR grp > 40"),
    ("extract", "SELECT id, extract(year FROM at)::int AS y, substring(name FROM 2 FOR 3) AS s FROM q"), ("between", "SELECT id, name FROM q WHERE id BETWEEN 100 AND 3000"),
    ("in_list", "SELECT id FROM q WHERE grp IN (1, 2, 3)"), ("rare", "SELECT id, name FROM q WHERE grp % 977 = 3"), ("star_plus", "SELECT q.*, 1 AS one FROM q"),
    ("array", "SELECT id, tags[1] AS first_tag, tags FROM q"), ("over_in_string", 'SELECT id, name AS "OVER" FROM q'), ("unicode", "SELECT id, 'größe' AS \"gröẞe\" FROM q WHERE name <> 'ß'"),
    ("case", "SELECT id, CASE WHEN grp > 3 THEN 'a' ELSE 'b' END AS c FROM q WHERE (grp > 1 AND (name LIKE 'n%' OR grp = 0))"),
    ("cast", "SELECT id::bigint AS big, id, (name)::varchar(3) AS v FROM q"), ("partitioned", "SELECT id, v FROM parts")]
STREAMED = [
    ("distinct", "SELECT DISTINCT id, name FROM q", r"DISTINCT at 1:8"), ("group", "SELECT id, count(*) AS n FROM q GROUP BY id", r"GROUP at 1:33"),
    ("order", "SELECT id FROM q ORDER BY id", r"ORDER at 1:18"), ("limit", "SELECT id FROM q\nWHERE id > 3\nORDER BY id LIMIT 10", r"(ORDER|LIMIT) at 3:"),
    ("union", "SELECT id FROM q UNION ALL SELECT id FROM other", r"UNION at 1:18"), ("except", "SELECT id FROM q EXCEPT SELECT id FROM other", r"EXCEPT"),
    ("intersect", "SELECT id FROM q INTERSECT SELECT id FROM other", r"INTERSECT"), ("join", "SELECT q.id, o.v FROM q JOIN other o ON o.id = q.id", ""),
    ("comma", "SELECT q.id, o.v FROM q, other o WHERE o.id = q.id", ""), ("window", "SELECT id, count(*) OVER () AS n FROM q", r"OVER"),
    ("cte", "WITH w AS (SELECT id FROM q) SELECT id FROM w", ""), ("derived", "SELECT id FROM (SELECT id FROM q) AS w", ""), ("only", "SELECT id FROM ONLY q", ""),
    ("function", "SELECT g AS id FROM generate_series(1, 5000) g", ""), ("values", "VALUES (1, 'a'), (2, 'b')", ""), ("table", "TABLE q", ""),
    ("offset", "SELECT id FROM q ORDER BY id OFFSET 10", ""), ("fetch", "SELECT id FROM q ORDER BY id FETCH FIRST 3 ROWS ONLY", ""),
    ("having", "SELECT max(id) AS id FROM q HAVING count(*) > 0", r"HAVING"), ("count", "SELECT count(*) AS n FROM q", ""), ("aggregate_key", "SELECT max(id) AS id, count(*) AS n FROM q", ""),
    ("no_key", "SELECT name, grp FROM q", ""), ("expression_key", "SELECT id + 0 AS id, name FROM q", ""), ("view", "SELECT id, name FROM vq", ""), ("keyless", "SELECT id, name FROM keyless", ""),
    ("set_returning", "SELECT id, unnest(tags) AS tag FROM q", ""), ("generate_in_list", "SELECT id, generate_series(1, 3) AS g FROM q", ""), ("lateral", "SELECT q.id, x FROM q, LATERAL unnest(q.tags) x", "")]
SMALL = [("small", "SELECT id, v FROM other"), ("small_where", "SELECT id, v FROM other WHERE v % 3 = 0 -- c"), ("nothing", "SELECT id, v FROM nothing")]


def tables(db):
    db.sql("CREATE TABLE q (id integer PRIMARY KEY, grp integer, name text, at timestamptz, tags text[], pad text)",
           "INSERT INTO q SELECT i, i % 60, 'n' || i, timestamptz '2024-01-01 00:00+00' + i * interval '1 hour', ARRAY['a' || i, 'b'], repeat(md5(i::text), 20) "
           "FROM generate_series(1, 6000) i", "ALTER TABLE q ALTER COLUMN pad SET STORAGE EXTERNAL",
           "CREATE TABLE other (id integer PRIMARY KEY, v integer)", "INSERT INTO other SELECT i, i * 2 FROM generate_series(1, 500) i",
           "CREATE TABLE nothing (id integer PRIMARY KEY, v integer)", "CREATE VIEW vq AS SELECT id, name FROM q",
           "CREATE TABLE keyless AS SELECT id, name, pad FROM q", "CREATE TABLE parts (id integer PRIMARY KEY, v integer, pad text) PARTITION BY RANGE (id)",
           "CREATE TABLE parts1 PARTITION OF parts FOR VALUES FROM (0) TO (3000)", "CREATE TABLE parts2 PARTITION OF parts FOR VALUES FROM (3000) TO (9000)",
           "INSERT INTO parts SELECT i, i, repeat(md5(i::text), 30) FROM generate_series(1, 6000) i", "VACUUM ANALYZE")


def test_paged_queries(place):
    sql_query.paged(place, pg, 15, tables, PAGED, r"query read in pages of public\.")


def test_streamed_queries(place):
    sql_query.streamed(place, pg, 15, tables, STREAMED, silent=2)


def test_small_tables_are_read_in_one_statement(place):
    sql_query.small(place, pg, 15, tables, SMALL)


def test_queries_in_chunks(place):
    keyed = [x for x in PAGED + STREAMED if re.search(r"\bid\b", x[1]) and x[0] != "alias_captures_key"]
    sql_query.in_mode(place, pg, 15, tables, keyed, mode="chunked", chunk_column="id", chunk_size=900, parallel=2)


def test_queries_incrementally(place):
    chosen = [x for x in PAGED + STREAMED if x[0] in ("plain", "star", "top_level_or", "or_comment", "join", "distinct", "view", "set_returning", "cast", "rare")]
    sql_query.in_mode(place, pg, 15, tables, chosen, ["CREATE INDEX ON q (grp)"], mode="incremental", cursor_column="id")


def test_two_columns_of_one_name(place):
    sql_query.two_columns_of_one_name(place, pg, 15, tables)


HOSTILE = ["SELECT id FROM q; DROP TABLE q", "SELECT id FROM q; COMMIT; DROP TABLE q", "SELECT id FROM q WHERE true) TO STDOUT; COMMIT; DROP TABLE q; --",
           "SELECT id FROM q) AS x; COMMIT; DROP TABLE q; SELECT 1 AS id FROM (SELECT 1", "DELETE FROM q RETURNING id", "WITH d AS (DELETE FROM q RETURNING id) SELECT id FROM d",
           "SELECT id, nextval('s') AS n FROM q", "SELECT id, wipe() AS n FROM q", "SELECT 1 AS id; SELECT set_config('transaction_read_only', 'off', true); DELETE FROM q",
           "SELECT id FROM q WHERE set_config('transaction_read_only', 'off', false) = 'off'"]


def with_traps(db):
    tables(db)
    db.sql("CREATE SEQUENCE s", "CREATE FUNCTION wipe() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN DELETE FROM q; RETURN 1; END $$")


def test_user_sql_cannot_write(place):
    sql_query.cannot_write(place, pg, 15, with_traps, HOSTILE,
                           lambda db: db.one("SELECT count(*) FROM q") == 6000 and db.one("SELECT is_called FROM s") is False)


def test_names_with_comment_ends(place):
    sql_query.names_with_comment_ends(place, pg, 15)
