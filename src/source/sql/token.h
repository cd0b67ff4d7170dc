/* source/sql/token.h: cuts SQL text into tokens by an engine's lexical rules. Never allocates,
 * never fails: what the rules do not allow becomes a BAD token that reaches to the end of the
 * text. Safe on any bytes. Pure functions. Source: spec "source-safety" section 14 (gate 1). */
#ifndef RV_SOURCE_SQL_TOKEN_H
#define RV_SOURCE_SQL_TOKEN_H

#include "base/str.h"

typedef enum rv_sql_flag {
    RV_SQL_ESCAPE_STRINGS = 1 << 0,   /* PostgreSQL E'..\'..' */
    RV_SQL_DOLLAR_QUOTES = 1 << 1,    /* PostgreSQL $tag$..$tag$ */
    RV_SQL_BACKSLASH = 1 << 2,        /* a backslash escapes in every string */
    RV_SQL_DQ_STRINGS = 1 << 3,       /* ".." is a string (MySQL without ANSI_QUOTES) */
    RV_SQL_BACKTICKS = 1 << 4,        /* `..` is an identifier */
    RV_SQL_BRACKETS = 1 << 5,         /* [..] is an identifier */
    RV_SQL_BRACKETS_DOUBLED = 1 << 6, /* ]] inside [..] is a bracket (SQL Server) */
    RV_SQL_NESTED_COMMENTS = 1 << 7,
    RV_SQL_HASH_COMMENTS = 1 << 8,    /* # to the end of the line */
    RV_SQL_DASH_NEEDS_BLANK = 1 << 9, /* -- opens a comment only before a blank */
    RV_SQL_OPEN_COMMENTS = 1 << 10,   /* a comment may run to the end of the text (SQLite) */
    RV_SQL_MYSQL_REFUSALS =
        1 << 11,                /* an exclamation mark or M! opening a comment, @variables: BAD */
    RV_SQL_HASH_WORDS = 1 << 12 /* # is part of a word (SQL Server) */
} rv_sql_flag;

#define RV_SQL_POSTGRES (RV_SQL_ESCAPE_STRINGS | RV_SQL_DOLLAR_QUOTES | RV_SQL_NESTED_COMMENTS)
#define RV_SQL_MYSQL                                                                               \
    (RV_SQL_BACKSLASH | RV_SQL_DQ_STRINGS | RV_SQL_BACKTICKS | RV_SQL_HASH_COMMENTS |              \
     RV_SQL_DASH_NEEDS_BLANK | RV_SQL_MYSQL_REFUSALS)
#define RV_SQL_MSSQL                                                                               \
    (RV_SQL_BRACKETS | RV_SQL_BRACKETS_DOUBLED | RV_SQL_NESTED_COMMENTS | RV_SQL_HASH_WORDS)
#define RV_SQL_SQLITE (RV_SQL_BACKTICKS | RV_SQL_BRACKETS | RV_SQL_OPEN_COMMENTS)

typedef enum rv_sql_kind {
    RV_SQL_END,
    RV_SQL_WORD,   /* keyword or unquoted identifier */
    RV_SQL_QUOTED, /* quoted identifier, quotes included */
    RV_SQL_STRING, /* prefix letters are a WORD of their own, but E and N strings */
    RV_SQL_NUMBER,
    RV_SQL_OPEN,  /* ( */
    RV_SQL_CLOSE, /* ) */
    RV_SQL_COMMA,
    RV_SQL_DOT,
    RV_SQL_SEMICOLON,
    RV_SQL_OTHER, /* one byte of an operator */
    RV_SQL_BAD
} rv_sql_kind;

typedef struct rv_sql_token {
    rv_sql_kind kind;
    size_t begin, end; /* byte offsets, end exclusive */
} rv_sql_token;

typedef struct rv_sql_lexer {
    rv_str text;
    unsigned flags;
    size_t pos;
} rv_sql_lexer;

rv_sql_token rv_sql_next(rv_sql_lexer *lexer);
/* Is the token this word, whatever its case? `word` is upper case. */
bool rv_sql_is(rv_str text, rv_sql_token token, const char *word);
/* Line and column, both from 1, of a byte offset; columns count characters. */
void rv_sql_position(rv_str text, size_t offset, uint32_t *out_line, uint32_t *out_col);

#endif
