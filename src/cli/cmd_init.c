#include "cli/cli_internal.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "engine/engine.h"

static unsigned given(const rv_args *a, rv_flag_id id)
{
    return rv_args_has(a, id) ? 1 : 0;
}

/* NULL, or what is wrong with the combination of flags. */
static const char *conflict(const rv_args *a)
{
    unsigned gcs = given(a, RV_FLAG_GCS_BUCKET), s3 = given(a, RV_FLAG_S3_BUCKET);
    unsigned azure = given(a, RV_FLAG_AZURE_CONTAINER);
    const char *tls = a->value[RV_FLAG_TLS];
    if (given(a, RV_FLAG_SOURCE) + given(a, RV_FLAG_SOURCE_ENV) + given(a, RV_FLAG_SOURCE_FILE) !=
        1)
        return "give exactly one of --source, --source-env and --source-file";
    if (gcs + s3 + azure > 1)
        return "give only one of --gcs-bucket, --s3-bucket and --azure-container";
    if (given(a, RV_FLAG_GCS_CREDENTIALS) && !gcs)
        return "--gcs-credentials-file needs --gcs-bucket";
    if (given(a, RV_FLAG_S3_REGION) && !s3)
        return "--s3-region needs --s3-bucket";
    if (given(a, RV_FLAG_AZURE_ACCOUNT) && !azure)
        return "--azure-account needs --azure-container";
    if (given(a, RV_FLAG_DISCOVER) && gcs + s3 + azure > 0)
        return "--discover writes no destination: drop the bucket flags";
    if (given(a, RV_FLAG_TABLE) && given(a, RV_FLAG_INCLUDE) + given(a, RV_FLAG_EXCLUDE) > 0)
        return "--include and --exclude filter a schema scan: drop them or --table";
    if (given(a, RV_FLAG_TLS_CA) && !(tls && strncmp(tls, "verify-", 7) == 0))
        return "--tls-ca needs --tls verify-ca or --tls verify-full";
    if (given(a, RV_FLAG_FORCE) && !given(a, RV_FLAG_OUTPUT))
        return "--force needs --output";
    return NULL;
}

static rv_status check_output(const rv_args *a, rv_error *err)
{
    const char *path = a->value[RV_FLAG_OUTPUT];
    uint64_t size;
    bool found = false;
    if (!path || rv_args_has(a, RV_FLAG_FORCE))
        return RV_OK;
    RV_TRY(rv_file_size(path, &size, &found, err));
    if (!found)
        return RV_OK;
    (void)rv_fail(err, RV_E_DEST_IO, "'%s' exists already", path);
    rv_hint(err, "choose another name or replace it with --force");
    return RV_E_DEST_IO;
}

static rv_status read_opts(rv_cli *cli, rv_init_opts *o, rv_error *err)
{
    const rv_args *a = cli->args;
    *o = (rv_init_opts){.source_url = a->value[RV_FLAG_SOURCE],
                        .source_env = a->value[RV_FLAG_SOURCE_ENV],
                        .source_file = a->value[RV_FLAG_SOURCE_FILE],
                        .table = a->value[RV_FLAG_TABLE],
                        .schema = a->value[RV_FLAG_SCHEMA],
                        .mode = a->value[RV_FLAG_MODE],
                        .output_file = a->value[RV_FLAG_OUTPUT],
                        .gcs_bucket = a->value[RV_FLAG_GCS_BUCKET],
                        .gcs_credentials_file = a->value[RV_FLAG_GCS_CREDENTIALS],
                        .s3_bucket = a->value[RV_FLAG_S3_BUCKET],
                        .s3_region = a->value[RV_FLAG_S3_REGION],
                        .azure_container = a->value[RV_FLAG_AZURE_CONTAINER],
                        .azure_account = a->value[RV_FLAG_AZURE_ACCOUNT],
                        .tls_mode = a->value[RV_FLAG_TLS],
                        .tls_ca = a->value[RV_FLAG_TLS_CA]};
    RV_TRY(rv_args_list(a, RV_FLAG_INCLUDE, cli->arena, &o->include, &o->n_include, err));
    RV_TRY(rv_args_list(a, RV_FLAG_EXCLUDE, cli->arena, &o->exclude, &o->n_exclude, err));
    char *cwd = getcwd(NULL, 0);
    if (!cwd)
        return rv_fail(err, RV_E_IO, "the working directory cannot be read");
    rv_status st = rv_arena_cstr(cli->arena, rv_str_c(cwd), &o->cwd, err);
    free(cwd);
    return st;
}

/* The scaffold holds names of the catalog only; masking could break it. */
static int deliver(rv_cli *cli, const rv_buf *text, bool discover)
{
    rv_error err = {0};
    const char *path = cli->args->value[RV_FLAG_OUTPUT];
    if (!path)
        return discover ? rv_cli_print(cli, text) : rv_cli_print_raw(cli, text);
    if (rv_file_replace(path, rv_buf_bytes(text), 0644, &err) != RV_OK)
        return rv_cli_fail(cli, &err);
    return 0;
}

int rv_cmd_init(rv_cli *cli)
{
    bool discover = rv_args_has(cli->args, RV_FLAG_DISCOVER);
    rv_error err = {0};
    rv_init_opts opts;
    rv_buf text = RV_BUF_INIT, notes = RV_BUF_INIT;
    const char *wrong = conflict(cli->args);
    int code;
    if (wrong)
        return rv_cli_usage(cli, "%s", wrong);
    rv_status st = check_output(cli->args, &err);
    if (st == RV_OK)
        st = read_opts(cli, &opts, &err);
    if (st == RV_OK)
        st = rv_engine_init(&cli->env, &opts, discover, &text, &notes, &err);
    if (st == RV_OK && notes.len)
        rv_cli_note(cli, &notes);
    if (st == RV_OK && (text.len == 0 || text.ptr[text.len - 1] != '\n'))
        st = rv_buf_add_byte(&text, '\n', &err);
    code = st == RV_OK ? deliver(cli, &text, discover) : rv_cli_fail(cli, &err);
    rv_buf_free(&text);
    rv_buf_free(&notes);
    return code;
}
