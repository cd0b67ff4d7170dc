/* cli/command.h: the command line as one constant table. The parser, --help, the Markdown
 * reference, the completions and the manual pages are all read from here.
 * Source: spec "cli" sections 1 to 10. */
#ifndef RV_CLI_COMMAND_H
#define RV_CLI_COMMAND_H

#include "base/str.h"

typedef enum rv_flag_id {
    RV_FLAG_HELP,
    RV_FLAG_VERSION,
    RV_FLAG_JSON_ERRORS,
    RV_FLAG_NO_NOTIFY,
    RV_FLAG_LOCK_WAIT,
    RV_FLAG_CONFIG,
    RV_FLAG_EXPORT,
    RV_FLAG_PARAM,
    RV_FLAG_LAST,
    RV_FLAG_JSON,
    RV_FLAG_FORMAT,
    RV_FLAG_OUTPUT,
    RV_FLAG_VALIDATE,
    RV_FLAG_RECONCILE,
    RV_FLAG_RESUME,
    RV_FLAG_FORCE,
    RV_FLAG_STRICT,
    RV_FLAG_PARALLEL_EXPORTS,
    RV_FLAG_PARALLEL_PROCESSES,
    RV_FLAG_SUMMARY_OUTPUT,
    RV_FLAG_TYPE_REPORT,
    RV_FLAG_TARGET,
    RV_FLAG_FIX_CDC,
    RV_FLAG_SOURCE,
    RV_FLAG_SOURCE_ENV,
    RV_FLAG_SOURCE_FILE,
    RV_FLAG_TABLE,
    RV_FLAG_SCHEMA,
    RV_FLAG_INCLUDE,
    RV_FLAG_EXCLUDE,
    RV_FLAG_DISCOVER,
    RV_FLAG_MODE,
    RV_FLAG_GCS_BUCKET,
    RV_FLAG_GCS_CREDENTIALS,
    RV_FLAG_S3_BUCKET,
    RV_FLAG_S3_REGION,
    RV_FLAG_AZURE_CONTAINER,
    RV_FLAG_AZURE_ACCOUNT,
    RV_FLAG_TLS,
    RV_FLAG_TLS_CA,
    RV_FLAG_ANNOTATE,
    RV_FLAG_NO_ANNOTATE,
    RV_FLAG_DEPTH,
    RV_FLAG_DATE,
    RV_FLAG_RUN_ID,
    RV_FLAG_PREFIX,
    RV_FLAG_REPORT,
    RV_FLAG_EXECUTE,
    RV_FLAG_YES,
    RV_FLAG_STUCK,
    RV_FLAG_TO,
    RV_FLAG_KEEP_DAYS,
    RV_FLAG_CHECKPOINT,
    RV_FLAG_SERVER_ID,
    RV_FLAG_SLOT,
    RV_FLAG_CAPTURE_INSTANCE,
    RV_FLAG_MAX_EVENTS,
    RV_FLAG_STREAM,
    RV_FLAG_ROLLOVER,
    RV_FLAG_STDIO,
    RV_FLAG_ROWS,
    RV_FLAG_COUNT
} rv_flag_id;

typedef enum rv_value_kind {
    RV_VALUE_NONE, /* a switch */
    RV_VALUE_TEXT,
    RV_VALUE_FILE,
    RV_VALUE_DIR,
    RV_VALUE_WORD,  /* one of `words` */
    RV_VALUE_COUNT, /* a whole number >= 0 */
    RV_VALUE_PAIR   /* KEY=VALUE */
} rv_value_kind;

enum { RV_FLAG_REPEATS = 1, RV_FLAG_REQUIRED = 2 };

typedef struct rv_flag {
    rv_flag_id id;
    const char *name; /* without the dashes */
    char letter;      /* 0 = none */
    rv_value_kind kind;
    const char *value;        /* placeholder in the help; NULL for a switch */
    const char *const *words; /* NULL-terminated, with RV_VALUE_WORD */
    const char *alias;        /* another long name, or NULL */
    unsigned bits;
    const char *help; /* one line, lower case, no full stop */
} rv_flag;

typedef enum rv_command_id {
    RV_CMD_ROOT,
    RV_CMD_INIT,
    RV_CMD_DOCTOR,
    RV_CMD_CHECK,
    RV_CMD_RUN,
    RV_CMD_VALIDATE,
    RV_CMD_STATE,
    RV_CMD_STATE_SHOW,
    RV_CMD_STATE_RUNS,
    RV_CMD_STATE_FINISH_RUN,
    RV_CMD_STATE_ACCEPT,
    RV_CMD_STATE_SET_CURSOR,
    RV_CMD_STATE_RESET,
    RV_CMD_STATE_FILES,
    RV_CMD_STATE_CHUNKS,
    RV_CMD_STATE_RESET_CHUNKS,
    RV_CMD_STATE_RESET_CDC,
    RV_CMD_STATE_PROGRESSION,
    RV_CMD_STATE_COPY,
    RV_CMD_STATE_PRUNE,
    RV_CMD_METRICS,
    RV_CMD_JOURNAL,
    RV_CMD_HEAD,
    RV_CMD_SCHEMA,
    RV_CMD_SCHEMA_CONFIG,
    RV_CMD_SCHEMA_CLI,
    RV_CMD_SCHEMA_ERRORS,
    RV_CMD_SCHEMA_MAN,
    RV_CMD_COMPLETIONS,
    RV_CMD_PLAN,
    RV_CMD_APPLY,
    RV_CMD_RECONCILE,
    RV_CMD_REPAIR,
    RV_CMD_CDC,
    RV_CMD_MCP,
    RV_CMD_COUNT
} rv_command_id;

enum {
    RV_CMD_HIDDEN = 1,    /* neither in the help nor in the reference */
    RV_CMD_NOT_BUILT = 2, /* known, but refused */
    RV_CMD_GROUP = 4      /* useless without one of its subcommands */
};

typedef struct rv_command {
    rv_command_id id;
    rv_command_id parent;
    const char *path; /* "state set-cursor"; "" for the root */
    const char *summary;
    const char *about; /* a paragraph more, or NULL */
    const char *example;
    const rv_flag *flags;
    size_t n_flags;
    const char *operand; /* placeholder, or NULL: none is taken */
    const char *const *operand_words;
    unsigned bits;
} rv_command;

const rv_command *rv_command_get(rv_command_id id);
/* Last word of the path: "set-cursor". */
const char *rv_command_word(const rv_command *c);
bool rv_command_has_children(rv_command_id id);
/* NULL when `word` is no subcommand of `parent`. */
const rv_command *rv_command_find(rv_command_id parent, rv_str word);
const rv_flag *rv_flags_global(size_t *out_n);
/* The flags of a command, then the global ones; NULL past the end. */
const rv_flag *rv_command_flag(const rv_command *c, size_t i);
const rv_flag *rv_flag_find(const rv_command *c, rv_str name); /* by long name or alias */
const rv_flag *rv_flag_letter(const rv_command *c, char letter);
/* The words of --format where it means the shape of a report. */
extern const char *const rv_words_shape[];

#endif
