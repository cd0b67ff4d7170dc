"""Which `query:` texts MySQL and MariaDB are asked in pages, which as one statement, and that whatever
the answer the rows are those of the server."""
import re

import my
import sql_query

PAGED = [
    ("plain", "SELECT id, name FROM q"), ("star", "SELECT * FROM q;"), ("alias", "SELECT z.id, z.name FROM q z"), ("as_alias", "select id, grp from q as z where z.grp > 10"),
    ("quoted", "SELECT `id`, `name` FROM `q` `Z z` WHERE `Z z`.id > 5"), ("backtick_words", "SELECT id, grp AS `GROUP BY` FROM q WHERE `grp` >= 0"),
    ("top_level_or", "SELECT id, name FROM q WHERE grp = 1 OR grp = 2"), ("or_comment", "SELECT id FROM q WHERE grp < 5 OR name = 'x' -- tail ORDER BY id"),
    ("hash_comment", "SELECT id, grp FROM q WHERE grp >= 0 # ORDER BY LIMIT"), ("string_words", "SELECT id FROM q WHERE name <> 'FROM x GROUP BY ;--' AND grp >= 0"),
    ("comment", "SELECT id, grp FROM q /* GROUP BY /* not nested */ WHERE grp >= 0"), ("doubled_quote", "SELECT id, 'it''s LIMIT 1' AS lit FROM q"),
    ("backslash", "SELECT id, 'a\\'b ORDER BY' AS lit FROM q"), ("backslash_end", "SELECT id, 'a\\\\' AS lit FROM q WHERE name <> '\\''"),
    ("double_quoted", 'SELECT id, "GROUP \' BY" AS lit FROM q WHERE name <> "x""y LIMIT"'), ("introducer", "SELECT id, _utf8mb4'LIMIT' AS lit, x'4142' AS h, 0xff AS n FROM q"),
    ("alias_captures_key", "SELECT id AS k, name AS id FROM q"), ("negated", "SELECT id, -id AS negated FROM q"), ("null_safe", "SELECT id FROM q WHERE grp <=> 3 OR grp > 40"),
    ("subselect", "SELECT id, (SELECT max(o.v) FROM other o WHERE o.id = q.id) AS m FROM q"), ("extract", "SELECT id, EXTRACT(YEAR FROM at) AS y, SUBSTRING(name FROM 2 FOR 3) AS s, TRIM(BOTH 'n' FROM name) AS tr FROM q"),
    ("between", "SELECT id, name FROM q WHERE id BETWEEN 100 AND 3000"), ("in_list", "SELECT id FROM q WHERE grp IN (1, 2, 3)"), ("rare", "SELECT id, name FROM q WHERE grp % 977 = 3"),
    ("star_plus", "SELECT q.*, 1 AS one FROM q"), ("unicode", "SELECT id, 'größe' AS `gröẞe` FROM q WHERE name <> 'ß'"), ("interval", "SELECT id, at + INTERVAL 1 DAY AS later FROM q"),
    ("case", "SELECT id, CASE WHEN grp > 3 THEN 'a' ELSE 'b' END AS c FROM q WHERE (grp > 1 AND (name LIKE 'n%' OR grp = 0))"), ("cast", "SELECT CAST(id AS CHAR) AS big, id, CONVERT(name USING latin1) AS v FROM q"),
    ("partitioned", "SELECT id, v FROM parts"), ("composite", "SELECT a, b, v FROM pairs WHERE v > 10 OR v = 3"), ("dash_dash", "SELECT id, 5--3 AS eight FROM q"), ("mod", "SELECT id FROM q WHERE id MOD 2 = 0 AND NOT grp = 7"),
    ("json", "SELECT id, JSON_OBJECT('LIMIT', grp) AS j FROM q"), ("division", "SELECT id, grp DIV 7 AS d, grp / 7 AS f FROM q")]
STREAMED = [
    ("distinct", "SELECT DISTINCT id, name FROM q", r"DISTINCT at 1:8"), ("distinctrow", "SELECT DISTINCTROW id FROM q", r"DISTINCTROW"), ("group", "SELECT id, count(*) AS n FROM q GROUP BY id", r"GROUP at 1:33"),
    ("order", "SELECT id FROM q ORDER BY id", r"ORDER at 1:18"), ("limit", "SELECT id FROM q\nWHERE id > 3\nORDER BY id LIMIT 10", r"(ORDER|LIMIT) at 3:"), ("union", "SELECT id FROM q UNION ALL SELECT id FROM other", r"UNION at 1:18"),
    ("except", "SELECT id FROM q EXCEPT SELECT id FROM other", r"EXCEPT"), ("join", "SELECT q.id, o.v FROM q JOIN other o ON o.id = q.id", ""), ("comma", "SELECT q.id, o.v FROM q, other o WHERE o.id = q.id", ""),
    ("window", "SELECT id, count(*) OVER () AS n FROM q", r"OVER"), ("cte", "WITH w AS (SELECT id FROM q) SELECT id FROM w", ""), ("derived", "SELECT id FROM (SELECT id FROM q) AS w", ""),
    ("having", "SELECT max(id) AS id FROM q HAVING count(*) > 0", r"HAVING"), ("count", "SELECT count(*) AS n FROM q", ""), ("aggregate_key", "SELECT max(id) AS id, count(*) AS n FROM q", ""), ("no_key", "SELECT name, grp FROM q", ""),
    ("expression_key", "SELECT id + 0 AS id, name FROM q", ""), ("view", "SELECT id, name FROM vq", ""), ("keyless", "SELECT id, name FROM keyless", ""),
    ("version_comment", "SELECT id /*!50000 , grp */ FROM q", ""), ("buffer", "SELECT SQL_BUFFER_RESULT id FROM q", r"SQL_"), ("variable", "SELECT id, @n AS n FROM q", ""), ("partition", "SELECT id, v FROM parts PARTITION (p1)", ""),
    ("index_hint", "SELECT id FROM q FORCE INDEX (q_grp) WHERE grp > 3", ""), ("for_share", "SELECT id FROM q LOCK IN SHARE MODE", r"LOCK"), ("half_key", "SELECT a, v FROM pairs", ""), ("values", "VALUES {}", "")]
SMALL = [("small", "SELECT id, v FROM other"), ("small_where", "SELECT id, v FROM other WHERE v % 3 = 0 -- c"), ("nothing", "SELECT id, v FROM nothing")]


def streamed_of(on):
    """VALUES has two spellings; shared locks need the right to take them."""
    values = "(1, 'a'), (2, 'b')" if on == "mariadb" else "ROW(1, 'a'), ROW(2, 'b')"
    return [(n, q.format(values) if n == "values" else q, w) for n, q, w in STREAMED if n != "for_share"]


def tables(db):
    s = db.series
    db.sql("CREATE TABLE q (id integer PRIMARY KEY, grp integer, name varchar(60), at timestamp NULL, pad text, KEY q_grp (grp))",
           f"INSERT INTO q SELECT i, i % 60, CONCAT('n', i), TIMESTAMPADD(HOUR, i, '2024-01-01'), REPEAT(SHA2(i, 256), 12) FROM {s(1, 6000)}",
           "CREATE TABLE other (id integer PRIMARY KEY, v integer)", f"INSERT INTO other SELECT i, i * 2 FROM {s(1, 500)}", "CREATE TABLE nothing (id integer PRIMARY KEY, v integer)",
           "CREATE VIEW vq AS SELECT id, name FROM q", "CREATE TABLE keyless AS SELECT id, name, pad FROM q",
           "CREATE TABLE parts (id integer PRIMARY KEY, v integer, pad text) PARTITION BY RANGE (id) (PARTITION p1 VALUES LESS THAN (3000), PARTITION p2 VALUES LESS THAN (9000))",
           f"INSERT INTO parts SELECT i, i, REPEAT(SHA2(i, 256), 15) FROM {s(1, 6000)}", "CREATE TABLE pairs (a integer, b varchar(20), v integer, pad text, PRIMARY KEY (a, b))",
           f"INSERT INTO pairs SELECT i % 70, CONCAT('b', i), i, REPEAT(SHA2(i, 256), 15) FROM {s(1, 6000)}", "ANALYZE TABLE q, other, nothing, keyless, parts, pairs")


@my.both
def test_paged_queries(place, on):
    sql_query.paged(place, my, on, tables, PAGED, r"query read in pages of ")


@my.both
def test_streamed_queries(place, on):
    sql_query.streamed(place, my, on, tables, streamed_of(on), silent=3)


@my.both
def test_small_tables_are_read_in_one_statement(place, on):
    sql_query.small(place, my, on, tables, SMALL)


@my.on_mariadb
def test_queries_in_chunks(place, on):
    keyed = [x for x in PAGED + streamed_of(on) if re.search(r"\bid\b", x[1]) and x[0] not in ("alias_captures_key", "buffer")]
    sql_query.in_mode(place, my, on, tables, keyed, mode="chunked", chunk_column="id", chunk_size=900, parallel=2)


@my.both
def test_queries_incrementally(place, on):
    chosen = [x for x in PAGED + STREAMED if x[0] in ("plain", "star", "top_level_or", "or_comment", "join", "distinct", "view", "hash_comment", "backslash", "cast", "rare")]
    sql_query.in_mode(place, my, on, tables, chosen, mode="incremental", cursor_column="id")


@my.both
def test_two_columns_of_one_name(place, on):
    sql_query.two_columns_of_one_name(place, my, on, tables)


HOSTILE = ["SELECT id FROM q; DROP TABLE q", "SELECT id FROM q; COMMIT; DROP TABLE q", "DELETE FROM q", "SELECT id, wipe() AS n FROM q", "UPDATE q SET grp = 0", "CALL wiping()",
           "SELECT id FROM q WHERE 1) OR (1; DELETE FROM q; --", "DROP TABLE q", "SET GLOBAL max_connections = 5", "TRUNCATE TABLE q", "SELECT 1 AS id; SET SESSION TRANSACTION READ WRITE; DELETE FROM q",
           "SELECT id FROM q WHERE id > 0) x; DROP TABLE q; -- ", "INSERT INTO q (id) VALUES (99999) RETURNING id"]


def with_traps(db):
    tables(db)
    db.sql("CREATE FUNCTION wipe() RETURNS integer NOT DETERMINISTIC MODIFIES SQL DATA BEGIN DELETE FROM q; RETURN 1; END", "CREATE PROCEDURE wiping() BEGIN DELETE FROM q; SELECT 1 AS id; END")


@my.both
def test_user_sql_cannot_write(place, on):
    sql_query.cannot_write(place, my, on, with_traps, HOSTILE, lambda db: db.one("SELECT count(*) FROM q") == 6000 and db.one("SELECT sum(grp) FROM q") > 0)


@my.both
def test_names_with_comment_ends(place, on):
    sql_query.names_with_comment_ends(place, my, on)
