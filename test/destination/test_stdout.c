#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "destination/destination.h"
#include "destination/stdout/stdout.h"
#include "rvtest.h"

/* Stands a pipe in place of descriptor 1. */
typedef struct swap {
    int saved;
    int pipe[2];
} swap;

static bool swap_in(swap *s)
{
    s->saved = dup(STDOUT_FILENO);
    return s->saved >= 0 && pipe(s->pipe) == 0 && dup2(s->pipe[1], STDOUT_FILENO) >= 0;
}

static void swap_out(const swap *s)
{
    (void)dup2(s->saved, STDOUT_FILENO);
    (void)close(s->saved);
    (void)close(s->pipe[1]);
}

static rv_dest *open_stdout(void)
{
    static const rv_env env;
    rv_cfg_dest cfg = {.kind = RV_DEST_STDOUT};
    rv_dest *d = NULL;
    CHECK_EQ(rv_dest_stdout.open(&env, &cfg, "", &d, NULL), RV_OK);
    return d;
}

RV_TEST(streams_bytes)
{
    swap s;
    rv_sink sink;
    rv_error err;
    char got[16];
    rv_dest *d = open_stdout();
    REQUIRE(swap_in(&s));
    rv_status opened = rv_dest_stdout.stream(d, &sink, &err);
    rv_status wrote = sink.write(sink.self, (rv_bytes){(const uint8_t *)"a,b\n1", 5}, &err);
    rv_status again = rv_dest_stdout.stream(d, &sink, &err);
    bool tty = rv_dest_stdout_is_tty();
    swap_out(&s);
    CHECK_EQ(opened, RV_OK);
    CHECK_EQ(wrote, RV_OK);
    CHECK_EQ(again, RV_E_INTERNAL); /* one file only */
    CHECK(!tty);
    ssize_t n = read(s.pipe[0], got, sizeof got);
    CHECK_MEM(got, n > 0 ? (size_t)n : 0, "a,b\n1", 5);
    (void)close(s.pipe[0]);
    rv_dest_stdout.close(d);
}

RV_TEST(a_reader_that_left)
{
    swap s;
    rv_sink sink;
    rv_error err;
    (void)signal(SIGPIPE, SIG_IGN);
    rv_dest *d = open_stdout();
    REQUIRE(swap_in(&s));
    (void)close(s.pipe[0]);
    rv_status opened = rv_dest_stdout.stream(d, &sink, &err);
    rv_status wrote = sink.write(sink.self, (rv_bytes){(const uint8_t *)"x", 1}, &err);
    swap_out(&s);
    CHECK_EQ(opened, RV_OK);
    CHECK_EQ(wrote, RV_E_DEST_CLOSED);
    CHECK(strchr(err.text, '\n') == NULL); /* no stack of errors */
    rv_dest_stdout.close(d);
}

RV_TEST(has_no_objects)
{
    rv_dest *d = open_stdout();
    rv_object o;
    rv_object_list l;
    rv_put_outcome out;
    rv_put_spec spec = {.key = "x"};
    rv_error err;
    bool found = true;
    CHECK(!rv_dest_stdout.resumable);
    CHECK_STR(rv_dest_stdout.uri(d), "stdout");
    CHECK_EQ(rv_dest_stdout.stat(d, "x", &o, &found, &err), RV_OK);
    CHECK(!found);
    CHECK_EQ(rv_dest_stdout.list(d, "", &l, &err), RV_OK);
    CHECK_EQ(l.n, 0);
    CHECK_EQ(rv_dest_stdout.put(d, &spec, &out, &err), RV_E_INTERNAL);
    rv_dest_stdout.close(d);
}

RV_TEST(registry)
{
    CHECK(rv_dest_for(RV_DEST_LOCAL) == &rv_dest_local);
    CHECK(rv_dest_for(RV_DEST_STDOUT) == &rv_dest_stdout);
    CHECK(rv_dest_for(RV_DEST_S3) == &rv_dest_s3);
    size_t n = 0;
    while (rv_dest_drivers()[n])
        n++;
    CHECK_EQ(n, 5);
}

RV_TEST_MAIN(RV_CASE(streams_bytes), RV_CASE(a_reader_that_left), RV_CASE(has_no_objects),
             RV_CASE(registry))
