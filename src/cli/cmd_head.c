#include "cli/cli_internal.h"

#include "base/file.h"
#include "format/verify.h"

#define HEAD_ROWS 10

typedef struct local_file {
    int fd;
    const char *path;
} local_file;

static rv_status read_at(void *self, uint64_t offset, uint8_t *out, size_t len, rv_error *err)
{
    const local_file *f = self;
    return rv_file_pread(f->fd, out, len, offset, f->path, err);
}

static rv_status head(rv_cli *cli, rv_buf *out, rv_error *err)
{
    local_file file = {-1, cli->args->operand};
    uint64_t size = 0, rows = rv_args_count(cli->args, RV_FLAG_ROWS, HEAD_ROWS);
    bool found = false;
    RV_TRY(rv_file_size(file.path, &size, &found, err));
    if (!found)
        return rv_fail(err, RV_E_DEST_IO, "there is no file '%s'", file.path);
    RV_TRY(rv_file_open_read(file.path, &file.fd, err));
    const rv_readable in = {&file, size, read_at};
    rv_status st = rv_parquet_head(&cli->env, in, rows, out, err);
    rv_file_close(file.fd);
    if (st == RV_E_CORRUPT)
        return rv_wrap(err, st, "'%s' cannot be read", file.path);
    return st;
}

int rv_cmd_head(rv_cli *cli)
{
    rv_error err = {0};
    rv_buf text = RV_BUF_INIT;
    int code =
        head(cli, &text, &err) == RV_OK ? rv_cli_print_raw(cli, &text) : rv_cli_fail(cli, &err);
    rv_buf_free(&text);
    return code;
}
