#include "cli/command.h"

#include <string.h>

const char *const rv_words_shape[] = {"pretty", "json", NULL};
static const char *const words_target[] = {"duckdb", "bigquery",   "bq", "snowflake",
                                           "sf",     "clickhouse", NULL};
static const char *const words_mode[] = {"full",        "incremental", "chunked",
                                         "time_window", "cdc",         NULL};
static const char *const words_tls[] = {"disable",   "prefer",      "require",
                                        "verify-ca", "verify-full", NULL};
static const char *const words_depth[] = {"light", "sample", "full", NULL};
static const char *const words_file_format[] = {"parquet", "csv", NULL};
static const char *const words_shell[] = {"bash", "zsh", "fish", "powershell", "elvish", NULL};

/* clang-format off */
#define SWITCH(id, name, help) {RV_FLAG_##id, name, 0, RV_VALUE_NONE, NULL, NULL, NULL, 0, help}
#define VALUED(id, name, kind, value, help)                                                        \
    {RV_FLAG_##id, name, 0, RV_VALUE_##kind, value, NULL, NULL, 0, help}
#define CHOICE(id, name, value, words, help)                                                       \
    {RV_FLAG_##id, name, 0, RV_VALUE_WORD, value, words, NULL, 0, help}

#define F_CONFIG                                                                                   \
    {RV_FLAG_CONFIG, "config", 'c', RV_VALUE_FILE, "PATH", NULL, NULL, 0,                          \
     "configuration file (default: ./rivet.yaml when it exists)"}
#define F_PARAM                                                                                    \
    {RV_FLAG_PARAM, "param", 'p', RV_VALUE_PAIR, "KEY=VALUE", NULL, NULL, RV_FLAG_REPEATS,         \
     "value of ${KEY} in the configuration; repeatable, the last one wins"}
#define F_EXPORT_(bits, help)                                                                      \
    {RV_FLAG_EXPORT, "export", 'e', RV_VALUE_TEXT, "NAME", NULL, NULL, bits, help}
#define F_EXPORT F_EXPORT_(0, "only this export")
#define F_EXPORT_MUST F_EXPORT_(RV_FLAG_REQUIRED, "the export")
#define F_LAST(n)                                                                                  \
    {RV_FLAG_LAST, "last", 'l', RV_VALUE_COUNT, "N", NULL, NULL, 0,                                \
     "how many rows to show (default: " n ")"}
#define F_JSON SWITCH(JSON, "json", "JSON on stdout")
#define F_FORMAT CHOICE(FORMAT, "format", "FORMAT", rv_words_shape,                                \
                        "pretty (default), or json, the same as --json")
#define F_REPORT                                                                                   \
    {RV_FLAG_OUTPUT, "output", 'o', RV_VALUE_FILE, "FILE", NULL, NULL, 0,                          \
     "write the JSON there instead of stdout"}
#define F_YES SWITCH(YES, "yes", "do not ask for confirmation")
#define F_SOURCE                                                                                   \
    VALUED(SOURCE, "source", TEXT, "URL",                                                          \
           "URL of the database (postgresql://, mysql://, mariadb://, sqlite:)"),                 \
    VALUED(SOURCE_ENV, "source-env", TEXT, "VAR", "environment variable that holds the URL"),      \
    VALUED(SOURCE_FILE, "source-file", FILE, "PATH", "file that holds the URL")
#define F_VALIDATE SWITCH(VALIDATE, "validate", "re-read every part before its state moves, then the manifest")
#define F_RECONCILE                                                                                \
    SWITCH(RECONCILE, "reconcile", "count the source with the run's own bounds; implies --validate")
#define F_RUN_ID(bits, help)                                                                       \
    {RV_FLAG_RUN_ID, "run-id", 0, RV_VALUE_TEXT, "RUN", NULL, NULL, bits, help}

static const rv_flag global_flags[] = {
    {RV_FLAG_HELP, "help", 'h', RV_VALUE_NONE, NULL, NULL, NULL, 0, "print this help"},
    {RV_FLAG_VERSION, "version", 'V', RV_VALUE_NONE, NULL, NULL, NULL, 0, "print the version"},
    SWITCH(JSON_ERRORS, "json-errors", "one JSON line per error on stderr, and nothing else there"),
    SWITCH(NO_NOTIFY, "no-notify", "send no notification"),
    VALUED(LOCK_WAIT, "lock-wait", COUNT, "SECONDS", "how long to wait for a live lease (default: 0)"),
};

static const rv_flag flags_init[] = {
    F_SOURCE,
    VALUED(TABLE, "table", TEXT, "NAME", "one table (default: every table and view)"),
    VALUED(SCHEMA, "schema", TEXT, "NAME", "schema to scan (default: public, dbo, or the URL's database)"),
    {RV_FLAG_INCLUDE, "include", 0, RV_VALUE_TEXT, "GLOB", NULL, NULL, RV_FLAG_REPEATS,
     "only tables that match (* and ?); repeatable"},
    {RV_FLAG_EXCLUDE, "exclude", 0, RV_VALUE_TEXT, "GLOB", NULL, NULL, RV_FLAG_REPEATS,
     "leave out tables that match; wins over --include; repeatable"},
    {RV_FLAG_OUTPUT, "output", 'o', RV_VALUE_FILE, "FILE", NULL, NULL, 0,
     "write there instead of stdout"},
    SWITCH(FORCE, "force", "replace an existing FILE"),
    SWITCH(DISCOVER, "discover", "print what was found as JSON instead of a configuration"),
    CHOICE(MODE, "mode", "MODE", words_mode, "use this mode for every table"),
    VALUED(GCS_BUCKET, "gcs-bucket", TEXT, "BUCKET", "destination: Google Cloud Storage"),
    VALUED(GCS_CREDENTIALS, "gcs-credentials-file", FILE, "PATH", "its service account file"),
    VALUED(S3_BUCKET, "s3-bucket", TEXT, "BUCKET", "destination: S3"),
    VALUED(S3_REGION, "s3-region", TEXT, "REGION", "its region"),
    VALUED(AZURE_CONTAINER, "azure-container", TEXT, "CONTAINER", "destination: Azure Blob Storage"),
    VALUED(AZURE_ACCOUNT, "azure-account", TEXT, "ACCOUNT", "its storage account"),
    CHOICE(TLS, "tls", "MODE", words_tls, "TLS mode of the connection, written out too"),
    VALUED(TLS_CA, "tls-ca", FILE, "PATH", "CA certificate; only with verify-ca and verify-full"),
};
static const rv_flag flags_doctor[] = {
    F_CONFIG, F_PARAM, F_JSON, F_FORMAT,
    SWITCH(FIX_CDC, "fix-cdc", "create what PostgreSQL CDC exports miss (not in this build)"),
};
static const rv_flag flags_check[] = {
    F_CONFIG, F_EXPORT, F_PARAM,
    SWITCH(TYPE_REPORT, "type-report", "show how every column is exported"),
    CHOICE(TARGET, "target", "WAREHOUSE", words_target, "judge the types for this warehouse too"),
    SWITCH(STRICT, "strict", "a lossy column is an error"),
    SWITCH(JSON, "json", "one JSON object per export; implies --type-report"), F_FORMAT,
};
static const rv_flag flags_run[] = {
    F_CONFIG, F_EXPORT, F_PARAM, F_VALIDATE, F_RECONCILE,
    SWITCH(RESUME, "resume", "continue the unfinished run, whatever its age"),
    SWITCH(FORCE, "force", "with --resume: although a later run completed the prefix"),
    SWITCH(STRICT, "strict", "a lossy column ends its export before row one"),
    SWITCH(PARALLEL_EXPORTS, "parallel-exports", "run exports at the same time, as threads"),
    SWITCH(PARALLEL_PROCESSES, "parallel-export-processes", "run exports at the same time, as processes"),
    VALUED(SUMMARY_OUTPUT, "summary-output", FILE, "PATH", "write the summary JSON there"),
    SWITCH(JSON, "json", "summary JSON on stdout at the end"), F_FORMAT,
};
static const rv_flag flags_validate[] = {
    F_CONFIG, F_EXPORT, F_PARAM,
    CHOICE(DEPTH, "depth", "DEPTH", words_depth,
           "light: manifest only; sample (default): listing and footers; full: every byte"),
    VALUED(DATE, "date", TEXT, "DATE", "the value of {date} in the prefix, as YYYY-MM-DD"),
    F_RUN_ID(0, "this run instead of the newest"),
    VALUED(PREFIX, "prefix", TEXT, "PATH", "look there instead of the configured place"),
    F_JSON, F_FORMAT, F_REPORT,
};
static const rv_flag flags_state[] = {F_CONFIG, F_PARAM};
static const rv_flag flags_state_list[] = {F_CONFIG, F_PARAM, F_JSON, F_FORMAT};
static const rv_flag flags_state_runs[] = {F_CONFIG, F_EXPORT, F_PARAM, F_LAST("20"), F_JSON, F_FORMAT};
static const rv_flag flags_state_files[] = {F_CONFIG, F_EXPORT, F_PARAM, F_LAST("50"), F_JSON, F_FORMAT};
static const rv_flag flags_state_finish[] = {F_CONFIG, F_PARAM, F_RUN_ID(RV_FLAG_REQUIRED, "the run to settle")};
static const rv_flag flags_state_ask[] = {F_CONFIG, F_EXPORT_MUST, F_PARAM, F_YES};
static const rv_flag flags_state_reset[] = {F_CONFIG, F_EXPORT_MUST, F_PARAM};
static const rv_flag flags_state_chunks[] = {F_CONFIG, F_EXPORT_MUST, F_PARAM, F_JSON, F_FORMAT};
static const rv_flag flags_state_reset_chunks[] = {
    F_CONFIG, F_EXPORT_(0, "delete every checkpoint of this export"), F_PARAM,
    {RV_FLAG_STUCK, "stuck-checkpoints", 0, RV_VALUE_NONE, NULL, NULL, "failed", 0,
     "delete the checkpoints in progress of all exports in the configuration"},
    SWITCH(FORCE, "force", "although a lease is live"),
};
static const rv_flag flags_state_progression[] = {F_CONFIG, F_EXPORT, F_PARAM, F_JSON, F_FORMAT};
static const rv_flag flags_state_copy[] = {
    F_CONFIG, F_PARAM,
    {RV_FLAG_TO, "to", 0, RV_VALUE_TEXT, "URL", NULL, NULL, RV_FLAG_REQUIRED,
     "the empty state to fill, as sqlite:/path"},
};
static const rv_flag flags_state_prune[] = {
    F_CONFIG, F_PARAM,
    {RV_FLAG_KEEP_DAYS, "keep-days", 0, RV_VALUE_COUNT, "N", NULL, NULL, RV_FLAG_REQUIRED,
     "keep the history of this many days"},
};
static const rv_flag flags_journal[] = {
    F_CONFIG, F_EXPORT_MUST, F_PARAM, F_LAST("5"), F_RUN_ID(0, "only this run"), F_JSON, F_FORMAT,
};
static const rv_flag flags_head[] = {
    {RV_FLAG_ROWS, "rows", 'n', RV_VALUE_COUNT, "N", NULL, NULL, 0, "how many rows (default: 10)"},
};
static const rv_flag flags_schema_errors[] = {F_JSON, F_FORMAT};
static const rv_flag flags_plan[] = {
    F_CONFIG, F_EXPORT, F_PARAM, F_JSON, F_FORMAT, F_REPORT,
    SWITCH(ANNOTATE, "annotate-waves", "rewrite the wave: lines of the configuration"),
    SWITCH(NO_ANNOTATE, "no-annotate-waves", "leave the configuration as it is"),
};
static const rv_flag flags_apply[] = {
    F_EXPORT, F_PARAM, F_VALIDATE, F_RECONCILE,
    SWITCH(RESUME, "resume", "continue an unfinished run of this file"),
    SWITCH(FORCE, "force", "although the plan is old or its cursor moved"),
    SWITCH(PARALLEL_PROCESSES, "parallel-export-processes", "run parallel_safe wave-mates together"),
    VALUED(SUMMARY_OUTPUT, "summary-output", FILE, "PATH", "write the summary JSON there"),
    SWITCH(JSON, "json", "summary JSON on stdout at the end"), F_FORMAT,
};
static const rv_flag flags_reconcile[] = {F_CONFIG, F_EXPORT_MUST, F_PARAM, F_JSON, F_FORMAT, F_REPORT};
static const rv_flag flags_repair[] = {
    F_CONFIG, F_EXPORT_MUST, F_PARAM,
    VALUED(REPORT, "report", FILE, "FILE", "a reconcile report (default: a fresh one)"),
    SWITCH(EXECUTE, "execute", "do it instead of printing the plan"), F_JSON, F_FORMAT, F_REPORT,
};
static const rv_flag flags_cdc[] = {
    F_SOURCE,
    {RV_FLAG_TABLE, "table", 0, RV_VALUE_TEXT, "NAME", NULL, NULL, RV_FLAG_REPEATS,
     "table to follow; repeatable"},
    VALUED(CHECKPOINT, "checkpoint", FILE, "PATH", "file that keeps the position"),
    VALUED(SERVER_ID, "server-id", COUNT, "N", "replica id (default: 4271)"),
    VALUED(SLOT, "slot", TEXT, "NAME", "replication slot (default: rivet_slot)"),
    VALUED(CAPTURE_INSTANCE, "capture-instance", TEXT, "NAME", "SQL Server capture instance"),
    VALUED(MAX_EVENTS, "max-events", COUNT, "N", "stop after this many changes"),
    SWITCH(STREAM, "stream", "go on until stopped"),
    {RV_FLAG_OUTPUT, "output", 'o', RV_VALUE_DIR, "DIR", NULL, NULL, 0,
     "write files there instead of NDJSON on stdout"},
    CHOICE(FORMAT, "format", "FORMAT", words_file_format, "format of the files"),
    VALUED(ROLLOVER, "rollover", COUNT, "ROWS", "changes per file (default: 100000)"),
};
static const rv_flag flags_mcp[] = {SWITCH(STDIO, "stdio", "accepted, changes nothing")};

#define FLAGS(array) (array), sizeof(array) / sizeof((array)[0])
#define NO_FLAGS NULL, 0
#define COMMAND(id, parent, path, summary, about, example, ...)                                    \
    {RV_CMD_##id, RV_CMD_##parent, path, summary, about, example, __VA_ARGS__}

static const rv_command commands[RV_CMD_COUNT] = {
    COMMAND(ROOT, ROOT, "", "exports databases to Parquet and CSV: gently, fast, provably exact",
            NULL, "rivet init --source-env DATABASE_URL -o rivet.yaml && rivet run",
            NO_FLAGS, NULL, NULL, RV_CMD_GROUP),
    COMMAND(INIT, ROOT, "init", "write a configuration from a live database",
            "Exactly one of --source, --source-env and --source-file names the database. No secret "
            "is ever written.",
            "rivet init --source-env DATABASE_URL --s3-bucket lake --s3-region eu-west-1 -o rivet.yaml",
            FLAGS(flags_init), NULL, NULL, 0),
    COMMAND(DOCTOR, ROOT, "doctor", "check the configuration, source, destinations and state",
            "Writes, reads, lists and deletes a small probe at each destination. Nothing else changes.",
            "rivet doctor -c rivet.yaml", FLAGS(flags_doctor), NULL, NULL, 0),
    COMMAND(CHECK, ROOT, "check", "judge each export before it runs; reads no rows",
            "Exit code 0 whatever the verdict; missing tables and unsupported types fail.",
            "rivet check -c rivet.yaml --type-report --target bigquery", FLAGS(flags_check), NULL,
            NULL, 0),
    COMMAND(RUN, ROOT, "run", "export the configured tables",
            "Without --export every export runs. An interrupted run is continued by the next start.",
            "rivet run -c rivet.yaml --export orders --validate", FLAGS(flags_run), NULL, NULL, 0),
    COMMAND(VALIDATE, ROOT, "validate", "check exported files against their manifest",
            "Asks neither the source nor changes the state. Exit code 3 when something is wrong.",
            "rivet validate -c rivet.yaml --depth full", FLAGS(flags_validate), NULL, NULL, 0),
    COMMAND(STATE, ROOT, "state", "show and mend what Rivet remembers between runs",
            "Alone: how far each export is, then the unfinished runs.", "rivet state -c rivet.yaml",
            FLAGS(flags_state), NULL, NULL, 0),
    COMMAND(STATE_SHOW, STATE, "state show", "stored cursors", NULL,
            "rivet state show -c rivet.yaml", FLAGS(flags_state_list), NULL, NULL, 0),
    COMMAND(STATE_RUNS, STATE, "state runs", "runs, newest first", NULL,
            "rivet state runs -c rivet.yaml --export orders --last 5", FLAGS(flags_state_runs), NULL,
            NULL, 0),
    COMMAND(STATE_FINISH_RUN, STATE, "state finish-run", "settle a dead run now",
            "Publishes the run or closes it abandoned, and starts nothing.",
            "rivet state finish-run -c rivet.yaml --run-id orders_20260502T080000.117",
            FLAGS(flags_state_finish), NULL, NULL, 0),
    COMMAND(STATE_ACCEPT, STATE, "state accept", "bind stored progress to today's source",
            "For a source, table, cursor column or destination that was replaced on purpose.",
            "rivet state accept -c rivet.yaml --export orders", FLAGS(flags_state_ask), NULL, NULL, 0),
    COMMAND(STATE_SET_CURSOR, STATE, "state set-cursor", "store a cursor value",
            "The value is checked against the cursor's type. A negative number may stand as it is.",
            "rivet state set-cursor -c rivet.yaml --export orders 41200", FLAGS(flags_state_ask),
            "VALUE", NULL, 0),
    COMMAND(STATE_RESET, STATE, "state reset", "forget cursor and progression of an export",
            "Also gives up an unpublished run; its files stay.",
            "rivet state reset -c rivet.yaml --export orders", FLAGS(flags_state_reset), NULL, NULL, 0),
    COMMAND(STATE_FILES, STATE, "state files", "exported files, newest first", NULL,
            "rivet state files -c rivet.yaml --last 10", FLAGS(flags_state_files), NULL, NULL, 0),
    COMMAND(STATE_CHUNKS, STATE, "state chunks", "the chunk checkpoint of an export", NULL,
            "rivet state chunks -c rivet.yaml --export orders", FLAGS(flags_state_chunks), NULL, NULL, 0),
    COMMAND(STATE_RESET_CHUNKS, STATE, "state reset-chunks", "delete chunk checkpoints",
            "Either --export or --stuck-checkpoints.",
            "rivet state reset-chunks -c rivet.yaml --export orders", FLAGS(flags_state_reset_chunks),
            NULL, NULL, 0),
    COMMAND(STATE_RESET_CDC, STATE, "state reset-cdc", "forget the position of a CDC export", NULL,
            "rivet state reset-cdc -c rivet.yaml --export orders_cdc", FLAGS(flags_state_ask), NULL,
            NULL, RV_CMD_NOT_BUILT),
    COMMAND(STATE_PROGRESSION, STATE, "state progression", "committed and verified boundaries", NULL,
            "rivet state progression -c rivet.yaml", FLAGS(flags_state_progression), NULL, NULL, 0),
    COMMAND(STATE_COPY, STATE, "state copy", "copy the whole state into an empty one", NULL,
            "rivet state copy -c rivet.yaml --to sqlite:/var/lib/rivet/state.db",
            FLAGS(flags_state_copy), NULL, NULL, 0),
    COMMAND(STATE_PRUNE, STATE, "state prune", "delete old history of finished runs",
            "Never deletes positions, open runs, or the last published run of an export.",
            "rivet state prune -c rivet.yaml --keep-days 90", FLAGS(flags_state_prune), NULL, NULL, 0),
    COMMAND(METRICS, ROOT, "metrics", "figures of past runs, newest first", NULL,
            "rivet metrics -c rivet.yaml --export orders --last 5", FLAGS(flags_state_runs), NULL,
            NULL, 0),
    COMMAND(JOURNAL, ROOT, "journal", "what happened in the runs of an export", NULL,
            "rivet journal -c rivet.yaml --export orders", FLAGS(flags_journal), NULL, NULL, 0),
    COMMAND(HEAD, ROOT, "head", "print schema and first rows of a Parquet file (ours)", NULL,
            "rivet head output/orders_20260502_080000.parquet -n 5", FLAGS(flags_head), "FILE", NULL, 0),
    COMMAND(SCHEMA, ROOT, "schema", "references: configuration, command line, errors", NULL,
            "rivet schema config > rivet.schema.json", NO_FLAGS, NULL, NULL, RV_CMD_GROUP),
    COMMAND(SCHEMA_CONFIG, SCHEMA, "schema config", "JSON Schema of rivet.yaml", NULL,
            "rivet schema config > rivet.schema.json", NO_FLAGS, NULL, NULL, 0),
    COMMAND(SCHEMA_CLI, SCHEMA, "schema cli", "the command line as Markdown", NULL,
            "rivet schema cli > cli.md", NO_FLAGS, NULL, NULL, 0),
    COMMAND(SCHEMA_ERRORS, SCHEMA, "schema errors", "every error code with its meaning", NULL,
            "rivet schema errors --json", FLAGS(flags_schema_errors), NULL, NULL, 0),
    COMMAND(SCHEMA_MAN, SCHEMA, "schema man", "write the manual pages into a directory", NULL,
            "rivet schema man share/man/man1", NO_FLAGS, "DIR", NULL, RV_CMD_HIDDEN),
    COMMAND(COMPLETIONS, ROOT, "completions", "print a completion script for a shell", NULL,
            "rivet completions bash > /etc/bash_completion.d/rivet", NO_FLAGS, "SHELL", words_shell, 0),
    COMMAND(PLAN, ROOT, "plan", "seal what a run would do as a reviewable artifact",
            "Reads source and state and changes neither. The JSON is applied by `rivet apply` within "
            "24 hours. Planning two or more exports writes missing wave: and parallel_safe: lines "
            "into the configuration.",
            "rivet plan -c rivet.yaml -o plan.json --format json", FLAGS(flags_plan), NULL, NULL, 0),
    COMMAND(APPLY, ROOT, "apply", "run a plan, or a configuration wave by wave",
            "FILE is what `rivet plan --format json` wrote (.json), or a configuration (.yaml, "
            ".yml), whose exports run in the order of their wave:.",
            "rivet apply plan.json", FLAGS(flags_apply), "FILE", NULL, 0),
    COMMAND(RECONCILE, ROOT, "reconcile", "compare what was exported with destination and source",
            "Every part at the destination, and a count of every chunk or key range at the source. "
            "Reads only. Exit code 3 when something differs or is damaged.",
            "rivet reconcile -c rivet.yaml --export orders", FLAGS(flags_reconcile), NULL, NULL, 0),
    COMMAND(REPAIR, ROOT, "repair", "export damaged or differing ranges again",
            "Prints the plan. With --execute it is carried out: ranges are exported again, a manifest "
            "of the whole is published, damaged and untracked objects go to _quarantine.",
            "rivet repair -c rivet.yaml --export orders --execute", FLAGS(flags_repair), NULL, NULL, 0),
    COMMAND(CDC, ROOT, "cdc", "follow changes without a configuration (not in this build)", NULL,
            "rivet cdc --source-env DATABASE_URL --table orders", FLAGS(flags_cdc), NULL, NULL,
            RV_CMD_NOT_BUILT),
    COMMAND(MCP, ROOT, "mcp", "Model Context Protocol server (not in this build)", NULL,
            "DATABASE_URL=sqlite:shop.db rivet mcp", FLAGS(flags_mcp), NULL, NULL, RV_CMD_NOT_BUILT),
};
/* clang-format on */

const rv_command *rv_command_get(rv_command_id id)
{
    return &commands[id];
}

const char *rv_command_word(const rv_command *c)
{
    const char *blank = strrchr(c->path, ' ');
    return blank ? blank + 1 : c->path;
}

bool rv_command_has_children(rv_command_id id)
{
    for (size_t i = 1; i < RV_CMD_COUNT; i++)
        if (commands[i].parent == id)
            return true;
    return false;
}

const rv_command *rv_command_find(rv_command_id parent, rv_str word)
{
    for (size_t i = 1; i < RV_CMD_COUNT; i++)
        if (commands[i].parent == parent &&
            rv_str_eq(word, rv_str_c(rv_command_word(&commands[i]))))
            return &commands[i];
    return NULL;
}

const rv_flag *rv_flags_global(size_t *out_n)
{
    *out_n = sizeof global_flags / sizeof global_flags[0];
    return global_flags;
}

const rv_flag *rv_command_flag(const rv_command *c, size_t i)
{
    if (i < c->n_flags)
        return &c->flags[i];
    i -= c->n_flags;
    return i < sizeof global_flags / sizeof global_flags[0] ? &global_flags[i] : NULL;
}

const rv_flag *rv_flag_find(const rv_command *c, rv_str name)
{
    const rv_flag *f;
    for (size_t i = 0; (f = rv_command_flag(c, i)) != NULL; i++)
        if (rv_str_eq(name, rv_str_c(f->name)) || (f->alias && rv_str_eq(name, rv_str_c(f->alias))))
            return f;
    return NULL;
}

const rv_flag *rv_flag_letter(const rv_command *c, char letter)
{
    const rv_flag *f;
    for (size_t i = 0; (f = rv_command_flag(c, i)) != NULL; i++)
        if (f->letter == letter)
            return f;
    return NULL;
}
