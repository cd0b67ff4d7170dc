#include <pthread.h>
#include <sys/stat.h>

#include "state_fixture.h"

static unsigned mode_of(const char *dir, const char *name)
{
    char path[256];
    struct stat sb;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return stat(path, &sb) == 0 ? (unsigned)sb.st_mode & 0777 : 0;
}

RV_TEST(creates_private_files)
{
    FX_FILES_ONLY;
    fixture f;
    REQUIRE(fx_start(&f));
    CHECK_STR(rv_state_label(f.s), "sqlite, schema v1");
    CHECK_EQ(mode_of(f.dir, ".rivet_state.db"), 0600);
    CHECK_EQ(mode_of(f.dir, ".rivet_state.db-wal"), 0600);
    CHECK_EQ(mode_of(f.dir, ".rivet_state.db-shm"), 0600);
    int64_t now;
    CHECK_EQ(rv_state_now_us(f.s, &now, &f.err), RV_OK);
    CHECK_EQ(now, f.now_us);
    fx_end(&f);
}

/* Lists "table(column,column*...)" with * behind the columns of the primary key. */
static void file_table_text(const fixture *f, const char *table, char *out, size_t size)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    size_t len = (size_t)snprintf(out, size, "%s(", table);
    REQUIRE(sqlite3_open(f->db, &db) == SQLITE_OK);
    REQUIRE(sqlite3_prepare_v2(db, "SELECT name, pk FROM pragma_table_info(?) ORDER BY cid", -1,
                               &stmt, NULL) == SQLITE_OK);
    sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
    for (int i = 0; sqlite3_step(stmt) == SQLITE_ROW && len < size; i++)
        len += (size_t)snprintf(out + len, size - len, "%s%s%s", i ? "," : "",
                                (const char *)sqlite3_column_text(stmt, 0),
                                sqlite3_column_int(stmt, 1) ? "*" : "");
    snprintf(out + len, size - len, ")");
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

static void server_table_text(const fixture *f, const char *table, char *out, size_t size)
{
    PGconn *c = PQconnectdb(f->url);
    PGresult *r = PQexecParams(
        c,
        "SELECT $1 || '(' || string_agg(a.attname || CASE WHEN EXISTS (SELECT 1 FROM pg_index i "
        "WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)) "
        "THEN '*' ELSE '' END, ',' ORDER BY a.attnum) || ')' FROM pg_attribute a "
        "WHERE a.attrelid = ('rivet.' || $1)::regclass AND a.attnum > 0",
        1, NULL, &table, NULL, NULL, 0);
    snprintf(out, size, "%s", PQntuples(r) ? PQgetvalue(r, 0, 0) : PQerrorMessage(c));
    PQclear(r);
    PQfinish(c);
}

static const char *const contract[] = {
    "schema_version(version*,applied_at,rivet_version)",
    "export_state(project*,export_name*,last_cursor_value,cursor_type,cursor_ties,keyset_high,"
    "key_columns,owner,last_run_at,last_run_id)",
    "run_status(run_id*,project,export_name,aggregate_id,mode,stem,destination,prefix,date_token,"
    "status,epoch,owner_token,owner,plan_hash,cursor_low,cursor_bound,checks,manifest_json,cleared,"
    "host,boot_id,pid_ns,pid,pid_start,heartbeat_at,started_at,finished_at)",
    "run_unit(run_id*,unit*,key_low,key_high,rows,parts,accumulators,sealed_at,committed_at)",
    "chunk_run(run_id*,project,export_name,plan_hash,strategy,status,max_chunk_attempts,created_at,"
    "updated_at)",
    "chunk_task(run_id*,chunk_index*,start_key,end_key,kind,status,attempts,last_error,"
    "rows_written,file_name,updated_at)",
    "keyset_range(run_id*,range_index*,lo,hi,position,next_unit,done,updated_at)",
    "file_log(id*,run_id,project,export_name,prefix,unit,part_index,chunk_index,file_name,"
    "row_count,bytes,format,compression,fingerprint,md5,spool_path,upload_id,status,listed_by,"
    "cursor_high,created_at)",
    "export_metrics(id*,run_id,project,export_name,run_at,duration_ms,total_rows,peak_rss_mb,"
    "status,error_message,error_class,tuning_profile,batch_size,batch_size_memory_mb,chunk_size,"
    "parallel,format,mode,source_type,destination_type,files_produced,files_committed,"
    "bytes_written,bytes_read,retries,validated,schema_changed,quality_passed,reconciled,"
    "source_count,skip_reason,schema_fingerprint,longest_chunk_ms,pg_temp_bytes_delta,"
    "rivet_version)",
    "export_schema(project*,export_name*,columns_json,fingerprint,updated_at)",
    "export_shape(project*,export_name*,column_name*,max_byte_len,updated_at)",
    "export_progression(project*,export_name*,last_committed_strategy,last_committed_cursor,"
    "last_committed_chunk_index,last_committed_run_id,last_committed_at,last_verified_strategy,"
    "last_verified_cursor,last_verified_chunk_index,last_verified_run_id,last_verified_at)",
    "run_journal(run_id*,project,export_name,finished_at,journal_json)",
    "run_aggregate(run_aggregate_id*,project,started_at,finished_at,duration_ms,config_path,"
    "parallel_mode,total_exports,success_count,failed_count,skipped_count,total_rows,total_files,"
    "total_bytes,total_bytes_read,details_json)",
    "export_harm(id*,run_id,project,export_name,metric,delta,recorded_at)",
    "cdc_state(project*,export_name*,position,position_epoch,tables_json,owner,updated_at)",
    "cdc_snapshot(project*,export_name*,table_name*,run_id,completed_at)",
};

RV_TEST(tables_are_the_contract)
{
    fixture f;
    REQUIRE(fx_start(&f));
    for (size_t i = 0; i < sizeof contract / sizeof contract[0]; i++) {
        char table[64], got[1024];
        snprintf(table, sizeof table, "%.*s", (int)strcspn(contract[i], "("), contract[i]);
        (fx_on_server() ? server_table_text : file_table_text)(&f, table, got, sizeof got);
        CHECK_STR(got, contract[i]);
    }
    fx_end(&f);
}

RV_TEST(opens_again)
{
    fixture f;
    REQUIRE(fx_start(&f));
    rv_state *second = NULL;
    CHECK_EQ(fx_open_as(&f, "other", &second), RV_OK);
    rv_state_close(second);
    rv_state_close(f.s);
    f.s = NULL;
    CHECK_EQ(fx_open_as(&f, "", &f.s), RV_OK);
    fx_end(&f);
}

RV_TEST(absent_is_empty_for_readers)
{
    fixture f;
    REQUIRE(fx_begin(&f));
    rv_state_opts opts = {.url = f.url, .config_dir = f.dir, .project = "", .must_exist = true};
    rv_state *s = (rv_state *)&f;
    CHECK_EQ(rv_state_open(&f.env, &opts, &s, &f.err), RV_OK);
    CHECK(s == NULL);
    CHECK(access(f.db, F_OK) != 0);
    fx_end(&f);
}

static void read_db(const fixture *f, rv_buf *out)
{
    bool found;
    CHECK_EQ(rv_file_read_all(f->db, 1 << 24, out, &found, NULL), RV_OK);
}

static void refuses_untouched(const char *sql)
{
    fixture f;
    rv_buf before = RV_BUF_INIT, after = RV_BUF_INIT;
    REQUIRE(fx_begin(&f));
    REQUIRE(fx_do(&f, sql));
    read_db(&f, &before);
    CHECK_EQ(fx_open_as(&f, "", &f.s), RV_E_STATE_FOREIGN);
    CHECK(strstr(f.err.hint, "RIVET_STATE_URL") != NULL);
    CHECK(strstr(f.err.hint, "aside") != NULL);
    read_db(&f, &after);
    CHECK_MEM(after.ptr, after.len, before.ptr, before.len);
    CHECK_EQ(mode_of(f.dir, ".rivet_state.db-wal"), 0);
    CHECK_EQ(mode_of(f.dir, ".rivet_state.db-shm"), 0);
    rv_buf_free(&before);
    rv_buf_free(&after);
    fx_end(&f);
}

RV_TEST(foreign_is_left_alone)
{
    FX_FILES_ONLY;
    refuses_untouched("CREATE TABLE schema_version (version INTEGER PRIMARY KEY);"
                      "INSERT INTO schema_version VALUES (7);");
    refuses_untouched("PRAGMA journal_mode=WAL;"
                      "CREATE TABLE schema_version (version INTEGER PRIMARY KEY);"
                      "CREATE TABLE export_state (export_name TEXT PRIMARY KEY);");
    refuses_untouched("CREATE TABLE bookmarks (url TEXT);");
}

static void write_db(const fixture *f, const void *data, size_t len)
{
    int fd;
    (void)unlink(f->db);
    REQUIRE(rv_file_create(f->db, 0644, &fd, NULL) == RV_OK);
    CHECK_EQ(rv_file_write(fd, data, len, f->db, NULL), RV_OK);
    rv_file_close(fd);
}

RV_TEST(no_database_is_foreign)
{
    FX_FILES_ONLY;
    fixture f;
    rv_buf after = RV_BUF_INIT;
    static const char text[] = "this is a note of somebody, not a database at all";
    REQUIRE(fx_begin(&f));
    write_db(&f, text, sizeof text);
    CHECK_EQ(fx_open_as(&f, "", &f.s), RV_E_STATE_FOREIGN);
    read_db(&f, &after);
    CHECK_MEM(after.ptr, after.len, text, sizeof text);
    CHECK_EQ(mode_of(f.dir, ".rivet_state.db"), 0644);
    write_db(&f, "x", 1);
    CHECK_EQ(fx_open_as(&f, "", &f.s), RV_E_STATE_FOREIGN);
    rv_buf_free(&after);
    fx_end(&f);
}

RV_TEST(empty_file_is_new)
{
    FX_FILES_ONLY;
    fixture f;
    REQUIRE(fx_begin(&f));
    write_db(&f, "", 0);
    CHECK_EQ(fx_open_as(&f, "", &f.s), RV_OK);
    CHECK_EQ(mode_of(f.dir, ".rivet_state.db"), 0600);
    fx_end(&f);
}

RV_TEST(newer_names_both_versions)
{
    fixture f;
    REQUIRE(fx_start(&f));
    rv_state_close(f.s);
    f.s = NULL;
    REQUIRE(fx_do(&f, "INSERT INTO schema_version VALUES (12, 'x', '9.9.9')"));
    CHECK_EQ(fx_open_as(&f, "", &f.s), RV_E_STATE_NEWER);
    CHECK(strstr(f.err.text, "12") != NULL);
    CHECK(strstr(f.err.text, "version 1") != NULL);
    fx_end(&f);
}

RV_TEST(damage_is_said)
{
    FX_FILES_ONLY;
    fixture f;
    rv_buf all = RV_BUF_INIT;
    REQUIRE(fx_start(&f));
    rv_state_close(f.s);
    f.s = NULL;
    read_db(&f, &all);
    REQUIRE(all.len > 8192);
    memset(all.ptr + 100, 0xa5, 8192 - 100);
    write_db(&f, all.ptr, all.len);
    CHECK_EQ(fx_open_as(&f, "", &f.s), RV_E_STATE_DAMAGED);
    CHECK(strstr(f.err.text, f.db) != NULL);
    rv_buf_free(&all);
    fx_end(&f);
}

RV_TEST(a_held_database_is_unreachable)
{
    FX_FILES_ONLY;
    fixture f;
    sqlite3 *db = NULL;
    REQUIRE(fx_start(&f));
    REQUIRE(sqlite3_open(f.db, &db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
    CHECK_EQ(rv_state_set_cursor(f.s, "a", "1", "int64", &f.err), RV_E_STATE_UNREACHABLE);
    CHECK_EQ(f.err.retry, RV_RETRY_L);
    CHECK(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK);
    CHECK_EQ(rv_state_set_cursor(f.s, "a", "1", "int64", &f.err), RV_OK);
    sqlite3_close(db);
    fx_end(&f);
}

typedef struct holder {
    sqlite3 *db;
} holder;

static void *let_go(void *ctx)
{
    holder *h = ctx;
    usleep(120000);
    (void)sqlite3_exec(h->db, "ROLLBACK", NULL, NULL, NULL);
    return NULL;
}

RV_TEST(a_lock_that_goes_is_waited_for)
{
    FX_FILES_ONLY;
    fixture f;
    holder h = {NULL};
    pthread_t thread;
    REQUIRE(fx_start(&f));
    REQUIRE(sqlite3_open(f.db, &h.db) == SQLITE_OK);
    REQUIRE(sqlite3_exec(h.db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
    REQUIRE(pthread_create(&thread, NULL, let_go, &h) == 0);
    CHECK_EQ(rv_state_set_cursor(f.s, "a", "1", "int64", &f.err), RV_OK);
    pthread_join(thread, NULL);
    sqlite3_close(h.db);
    fx_end(&f);
}

RV_TEST(missing_directory_is_unreachable)
{
    FX_FILES_ONLY;
    fixture f;
    REQUIRE(fx_begin(&f));
    rv_state_opts opts = {.config_dir = "/nonexistent/rivet", .project = ""};
    CHECK_EQ(rv_state_open(&f.env, &opts, &f.s, &f.err), RV_E_STATE_UNREACHABLE);
    fx_end(&f);
}

static rv_status open_url(fixture *f, const char *url)
{
    rv_state_opts opts = {.url = url, .config_dir = f->dir, .project = ""};
    rv_state *s = NULL;
    rv_status st = rv_state_open(&f->env, &opts, &s, &f->err);
    rv_state_close(s);
    return st;
}

RV_TEST(urls)
{
    fixture f;
    char url[160];
    REQUIRE(fx_begin(&f));
    snprintf(url, sizeof url, "sqlite:%s/x ?#%%.db", f.dir);
    CHECK_EQ(open_url(&f, url), RV_OK);
    CHECK_EQ(mode_of(f.dir, "x ?#%.db"), 0600);
    CHECK_EQ(open_url(&f, url), RV_OK);
    snprintf(url, sizeof url, "sqlite://%s/y.db", f.dir);
    CHECK_EQ(open_url(&f, url), RV_OK);
    CHECK_EQ(mode_of(f.dir, "y.db"), 0600);
    CHECK_EQ(open_url(&f, ""), RV_OK);
    CHECK_EQ(open_url(&f, "sqlite:relative.db"), RV_OK);
    CHECK_EQ(mode_of(f.dir, "relative.db"), 0600);
    CHECK_EQ(open_url(&f, "mysql://h/db"), RV_E_STATE_URL);
    CHECK_EQ(open_url(&f, "mysql://h/db?a=b"), RV_E_STATE_URL);
    CHECK_EQ(open_url(&f, "sqlite:"), RV_E_STATE_URL);
    CHECK_EQ(open_url(&f, "sqlite://host/x"), RV_E_STATE_URL);
    fx_end(&f);
}

static void *open_once(void *ctx)
{
    fixture *f = ctx;
    rv_state_opts opts = {.url = f->url, .config_dir = f->dir, .project = ""};
    rv_state *s = NULL;
    rv_error err;
    rv_env env = f->env;
    env.getenv = NULL;
    rv_status st = rv_state_open(&env, &opts, &s, &err);
    if (st != RV_OK)
        fprintf(stderr, "%s\n", err.text);
    rv_state_close(s);
    return st == RV_OK ? ctx : NULL;
}

RV_TEST(many_open_at_once)
{
    fixture f;
    pthread_t threads[8];
    REQUIRE(fx_begin(&f));
    for (size_t i = 0; i < 8; i++)
        REQUIRE(pthread_create(&threads[i], NULL, open_once, &f) == 0);
    for (size_t i = 0; i < 8; i++) {
        void *result = NULL;
        pthread_join(threads[i], &result);
        CHECK(result == &f);
    }
    fx_end(&f);
}

FX_TEST_MAIN(RV_CASE(creates_private_files), RV_CASE(tables_are_the_contract), RV_CASE(opens_again),
             RV_CASE(absent_is_empty_for_readers), RV_CASE(foreign_is_left_alone),
             RV_CASE(no_database_is_foreign), RV_CASE(empty_file_is_new),
             RV_CASE(newer_names_both_versions), RV_CASE(damage_is_said),
             RV_CASE(a_held_database_is_unreachable), RV_CASE(a_lock_that_goes_is_waited_for),
             RV_CASE(missing_directory_is_unreachable), RV_CASE(urls), RV_CASE(many_open_at_once))
