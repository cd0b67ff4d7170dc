/* The parser of COPY (FORMAT binary), on whole, split and hostile streams. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rvtest.h"
#include "source/postgres/scan_internal.h"

#define HEADER "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"
#define HEADER_BYTES 19
#define ROW "\0\2\0\0\0\4\0\0\0\7\377\377\377\377"
#define ROW_BYTES 14
#define TRAILER "\377\377"

static rv_pgs_tuple feed(rv_pgs_copy *c, const char *data, size_t n, const char **fields,
                         int32_t *lengths)
{
    rv_pgs_copy_feed(c, data, n);
    return rv_pgs_copy_row(c, 2, fields, lengths);
}

RV_TEST(messages_in_every_split)
{
    static const char one[] = HEADER ROW ROW TRAILER;
    const char *fields[2];
    int32_t lengths[2];
    rv_pgs_copy c = {.at = NULL};
    CHECK_EQ(feed(&c, one, sizeof one - 1, fields, lengths), RV_PGS_ROW);
    CHECK_EQ(lengths[0], 4);
    CHECK_EQ(lengths[1], -1);
    CHECK_EQ(fields[0][3], 7);
    CHECK_EQ(rv_pgs_copy_row(&c, 2, fields, lengths), RV_PGS_ROW);
    CHECK(!c.ended);
    CHECK_EQ(rv_pgs_copy_row(&c, 2, fields, lengths), RV_PGS_MORE);
    CHECK(c.ended);

    c = (rv_pgs_copy){.at = NULL};
    CHECK_EQ(feed(&c, HEADER, HEADER_BYTES, fields, lengths), RV_PGS_MORE);
    CHECK_EQ(feed(&c, ROW, ROW_BYTES, fields, lengths), RV_PGS_ROW);
    CHECK_EQ(rv_pgs_copy_row(&c, 2, fields, lengths), RV_PGS_MORE);
    CHECK_EQ(feed(&c, TRAILER, 2, fields, lengths), RV_PGS_MORE);
    CHECK(c.ended);
    CHECK_EQ(feed(&c, ROW, ROW_BYTES, fields, lengths), RV_PGS_BROKEN);
}

RV_TEST(extension_and_flags)
{
    static const char extended[] = "PGCOPY\n\377\r\n\0\0\0\0\1\0\0\0\3abc" ROW;
    static const char oids[] = "PGCOPY\n\377\r\n\0\0\1\0\0\0\0\0\0" ROW;
    static const char beyond[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\177" ROW;
    const char *fields[2];
    int32_t lengths[2];
    rv_pgs_copy c = {.at = NULL};
    CHECK_EQ(feed(&c, extended, sizeof extended - 1, fields, lengths), RV_PGS_ROW);
    c = (rv_pgs_copy){.at = NULL};
    CHECK_EQ(feed(&c, oids, sizeof oids - 1, fields, lengths), RV_PGS_BROKEN);
    c = (rv_pgs_copy){.at = NULL};
    CHECK_EQ(feed(&c, beyond, sizeof beyond - 1, fields, lengths), RV_PGS_BROKEN);
}

/* The stream cut anywhere is never a row too many, nor a read beyond its end. */
RV_TEST(every_prefix)
{
    static const char one[] = HEADER ROW;
    for (size_t n = 1; n <= HEADER_BYTES + ROW_BYTES; n++) {
        const char *fields[2];
        int32_t lengths[2];
        char *copy = malloc(n);
        REQUIRE(copy);
        memcpy(copy, one, n);
        rv_pgs_copy c = {.at = NULL};
        rv_pgs_tuple t = feed(&c, copy, n, fields, lengths);
        if (n == HEADER_BYTES + ROW_BYTES)
            CHECK_EQ(t, RV_PGS_ROW);
        else
            CHECK_EQ(t, n == HEADER_BYTES ? RV_PGS_MORE : RV_PGS_BROKEN);
        free(copy);
    }
}

RV_TEST(hostile_counts)
{
    static const struct {
        const char *row;
        size_t n;
    } rows[] = {{"\0\3\0\0\0\0\0\0\0\0\0\0\0\0", 14}, /* three fields for two */
                {"\0\1\0\0\0\0", 6},                  /* one */
                {"\200\0", 2},                        /* a negative count */
                {"\0\2\177\377\377\377\0\0\0\0", 10}, /* a length beyond the end */
                {"\0\2\377\377\377\376\0\0\0\0", 10}, /* below -1 */
                {"\377\377\0", 3},                    /* bytes behind the trailer */
                {"\0\2\0\0\0\0", 6}};                 /* the second length is missing */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *fields[2];
        int32_t lengths[2];
        char *copy = malloc(rows[i].n);
        REQUIRE(copy);
        memcpy(copy, rows[i].row, rows[i].n);
        rv_pgs_copy c = {.header_read = true};
        CHECK_EQ(feed(&c, copy, rows[i].n, fields, lengths), RV_PGS_BROKEN);
        free(copy);
    }
}

RV_TEST(fetch_sizes)
{
    CHECK_EQ(rv_pgs_fetch_rows(150000, 4 << 20, 400), 4369); /* half of 4 MB by 480 bytes */
    CHECK_EQ(rv_pgs_fetch_rows(1000, 4 << 20, 400), 1000);
    CHECK_EQ(rv_pgs_fetch_rows(150000, 64 << 10, 100000), 100); /* never below 100 */
    CHECK_EQ(rv_pgs_fetch_rows(10, 64 << 10, 100000), 10);      /* but for the batch */
    CHECK_EQ(rv_pgs_fetch_rows(150000, 4 << 20, 1), 32768);     /* 64 bytes at least */
    CHECK_EQ(rv_pgs_fetch_rows(5000, 0, 10), 5000);
}

RV_TEST(ctid_texts)
{
    uint32_t block = 0, offset = 0;
    CHECK(rv_pgs_ctid_parse(RV_STR("(12,345)"), &block, &offset));
    CHECK_EQ(block, 12);
    CHECK_EQ(offset, 345);
    CHECK(rv_pgs_ctid_parse(RV_STR("(4294967295,65535)"), &block, &offset));
    CHECK(!rv_pgs_ctid_parse(RV_STR("(4294967296,1)"), &block, &offset));
    CHECK(!rv_pgs_ctid_parse(RV_STR("(1,65536)"), &block, &offset));
    CHECK(!rv_pgs_ctid_parse(RV_STR("(1)"), &block, &offset));
    CHECK(!rv_pgs_ctid_parse(RV_STR("1,2"), &block, &offset));
    CHECK(!rv_pgs_ctid_parse(RV_STR(""), &block, &offset));
    CHECK(!rv_pgs_ctid_parse(RV_STR("(,)"), &block, &offset));
}

RV_TEST_MAIN(RV_CASE(messages_in_every_split), RV_CASE(extension_and_flags), RV_CASE(every_prefix),
             RV_CASE(hostile_counts), RV_CASE(fetch_sizes), RV_CASE(ctid_texts))
