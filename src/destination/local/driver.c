#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "destination/local/local_internal.h"

/* ---- open ---- */

/* The mask of this process without changing it, which another thread would notice. */
static rv_status read_umask(unsigned *out, rv_error *err)
{
    rv_buf status = RV_BUF_INIT;
    bool found;
    *out = 022;
    rv_status st = rv_file_read_all("/proc/self/status", 65536, &status, &found, err);
    const char *text = st == RV_OK && found ? rv_buf_cstr(&status) : NULL;
    const char *line = text ? strstr(text, "\nUmask:") : NULL;
    if (line)
        *out = (unsigned)strtoul(line + strlen("\nUmask:"), NULL, 8) & 0777;
    rv_buf_free(&status);
    return st == RV_E_MEMORY ? st : RV_OK;
}

static bool has_dotdot(const char *path)
{
    while (*path) {
        size_t len = strcspn(path, "/");
        if (len == 2 && path[0] == '.' && path[1] == '.')
            return true;
        path += len;
        path += *path == '/';
    }
    return false;
}

/* Absolute, without "." components and doubled or trailing slashes. */
static rv_status resolve_root(const char *path, char out[PATH_MAX], rv_error *err)
{
    size_t len = 0;
    if (path[0] != '/') {
        if (!getcwd(out, PATH_MAX))
            return rv_fail_errno(err, RV_E_DEST_IO, errno, "cannot find the working directory");
        len = strcmp(out, "/") == 0 ? 0 : strlen(out);
    }
    while (*path) {
        size_t n = strcspn(path, "/");
        bool skip = n == 0 || (n == 1 && path[0] == '.');
        if (!skip && len + n + 2 > PATH_MAX)
            return rv_fail(err, RV_E_CONFIG_LOCAL_PATH, "the destination's path is too long");
        if (!skip) {
            out[len] = '/';
            memcpy(out + len + 1, path, n);
            len += n + 1;
        }
        path += n;
        path += *path == '/';
    }
    memcpy(out + len, len ? "" : "/", len ? 1 : 2);
    return RV_OK;
}

static rv_status print_uri(rv_dest *d, const char *path, rv_error *err)
{
    rv_buf uri = RV_BUF_INIT;
    rv_status st = rv_buf_printf(&uri, err, "file://%s", path);
    if (st == RV_OK && !rv_buf_cstr(&uri))
        st = rv_fail_memory(err);
    if (st != RV_OK) {
        rv_buf_free(&uri);
        return st;
    }
    d->uri = (char *)uri.ptr;
    return RV_OK;
}

static void local_close(rv_dest *d)
{
    if (!d)
        return;
    rv_free(d->uri);
    rv_free(d->written);
    rv_free(d);
}

static rv_status fill(rv_dest *d, const rv_cfg_dest *cfg, const char *path, rv_error *err)
{
    const char *written = cfg->path ? cfg->path : cfg->prefix ? cfg->prefix : path;
    unsigned mask;
    RV_TRY(resolve_root(path, d->root, err));
    RV_TRY(read_umask(&mask, err));
    d->file_mode = 0666 & ~mask;
    d->written = rv_strdup(written);
    if (!d->written)
        return rv_fail_memory(err);
    return print_uri(d, path, err);
}

static rv_status local_open(const rv_env *env, const rv_cfg_dest *cfg, const char *prefix,
                            rv_dest **out, rv_error *err)
{
    (void)env;
    if (!prefix || !prefix[0])
        return rv_fail(err, RV_E_CONFIG_LOCAL_PATH, "the local destination has no path");
    if (has_dotdot(prefix))
        return rv_fail(err, RV_E_CONFIG_LOCAL_PATH,
                       "the destination's path '%s' has a '..' component", prefix);
    rv_dest *d = rv_calloc(1, sizeof *d);
    if (!d)
        return rv_fail_memory(err);
    rv_status st = fill(d, cfg, prefix, err);
    if (st != RV_OK) {
        local_close(d);
        return st;
    }
    *out = d;
    return RV_OK;
}

static const char *local_uri(const rv_dest *d)
{
    return d->uri;
}

static void local_facts(const rv_dest *d, const char **endpoint, const char **root)
{
    *endpoint = "";
    *root = d->written;
}

/* ---- spool ---- */

static rv_status local_prepare(rv_dest *d, uint64_t need_bytes, bool *out_tmpfs, rv_error *err)
{
    rv_status st = rv_file_mkdirs(d->root, 0777, err);
    if (st != RV_OK)
        return rv_local_fail(err, st, d->root);
    return rv_spool_room(d->root, need_bytes, out_tmpfs, err);
}

static rv_status local_spool_path(rv_dest *d, const char *run_id, const char *key, rv_buf *out,
                                  rv_error *err)
{
    char path[PATH_MAX], dir[PATH_MAX];
    RV_TRY(rv_local_path(d, key, path, err));
    rv_local_parent(path, dir);
    return rv_spool_path(dir, run_id, strrchr(path, '/') + 1, out, err);
}

static rv_status local_sweep(rv_dest *d, const char *run_id, const char *const *keep, size_t n_keep,
                             rv_error *err)
{
    rv_status st = rv_spool_sweep(d->root, run_id, keep, n_keep, err);
    return st == RV_OK ? RV_OK : rv_local_fail(err, st, d->root);
}

/* ---- objects ---- */

static rv_status set_key(rv_object *o, const char *key, rv_error *err)
{
    int n = snprintf(o->key, sizeof o->key, "%s", key);
    if (n < 0 || (size_t)n >= sizeof o->key)
        return rv_fail(err, RV_E_DEST_IO, "the name '%s' is too long", key);
    return RV_OK;
}

static rv_status local_stat(rv_dest *d, const char *key, rv_object *out, bool *out_found,
                            rv_error *err)
{
    char path[PATH_MAX];
    rv_local_info info;
    rv_object o = {.key = ""};
    RV_TRY(rv_local_path(d, key, path, err));
    rv_status st = rv_local_info_get(path, &info, err);
    if (st != RV_OK)
        return rv_local_fail(err, st, path);
    *out_found = info.kind != RV_LOCAL_MISSING;
    if (!*out_found)
        return RV_OK;
    RV_TRY(set_key(&o, key, err));
    o.size_bytes = info.size_bytes;
    memcpy(o.version, info.version, sizeof o.version);
    *out = o;
    return RV_OK;
}

static rv_status read_at(int fd, const char *path, uint64_t offset, uint8_t *out, size_t len,
                         size_t *out_len, rv_error *err)
{
    struct stat sb;
    if (fstat(fd, &sb) != 0)
        return rv_fail_errno(err, RV_E_IO, errno, "cannot inspect '%s'", path);
    uint64_t size = sb.st_size > 0 ? (uint64_t)sb.st_size : 0;
    uint64_t rest = offset < size ? size - offset : 0;
    size_t n = rest < len ? (size_t)rest : len;
    RV_TRY(rv_file_pread(fd, out, n, offset, path, err));
    *out_len = n;
    return RV_OK;
}

static rv_status local_read(rv_dest *d, const char *key, uint64_t offset, uint8_t *out, size_t len,
                            size_t *out_len, rv_error *err)
{
    char path[PATH_MAX];
    int fd;
    RV_TRY(rv_local_path(d, key, path, err));
    rv_status st = rv_file_open_read(path, &fd, err);
    if (st == RV_OK) {
        st = read_at(fd, path, offset, out, len, out_len, err);
        rv_file_close(fd);
    }
    return st == RV_OK ? RV_OK : rv_local_fail(err, st, path);
}

static int compare_objects(const void *a, const void *b)
{
    return strcmp(((const rv_object *)a)->key, ((const rv_object *)b)->key);
}

static rv_status add_object(rv_object_list *l, size_t *cap, const rv_object *o, rv_error *err)
{
    if (l->n == *cap) {
        size_t more = *cap ? *cap * 2 : 16;
        rv_object *items = rv_realloc_array(l->items, more, sizeof *items);
        if (!items)
            return rv_fail_memory(err);
        l->items = items;
        *cap = more;
    }
    l->items[l->n++] = *o;
    return RV_OK;
}

/* *out_is false for what is no object: temp files, directories, links. */
static rv_status entry_object(const char *dir, const char *dir_path, const char *name,
                              rv_object *out, bool *out_is, rv_error *err)
{
    char path[PATH_MAX], key[PATH_MAX];
    rv_local_info info;
    *out_is = false;
    if (strncmp(name, RV_TEMP_PREFIX, strlen(RV_TEMP_PREFIX)) == 0 || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0)
        return RV_OK;
    int n = snprintf(path, sizeof path, "%s/%s", dir_path, name);
    int m = snprintf(key, sizeof key, "%s%s%s", dir, dir[0] ? "/" : "", name);
    if (n < 0 || (size_t)n >= sizeof path || m < 0 || (size_t)m >= sizeof key)
        return rv_fail(err, RV_E_DEST_IO, "the path of '%s' is too long", name);
    RV_TRY(rv_local_info_get(path, &info, err));
    if (info.kind != RV_LOCAL_FILE)
        return RV_OK;
    *out = (rv_object){.size_bytes = info.size_bytes};
    memcpy(out->version, info.version, sizeof out->version);
    *out_is = true;
    return set_key(out, key, err);
}

static rv_status read_entries(DIR *handle, const char *dir, const char *dir_path,
                              rv_object_list *out, rv_error *err)
{
    size_t cap = 0;
    for (;;) {
        rv_object o;
        bool is;
        errno = 0;
        const struct dirent *entry = readdir(handle);
        if (!entry && errno)
            return rv_fail_errno(err, RV_E_IO, errno, "cannot list '%s'", dir_path);
        if (!entry)
            return RV_OK;
        RV_TRY(entry_object(dir, dir_path, entry->d_name, &o, &is, err));
        if (is)
            RV_TRY(add_object(out, &cap, &o, err));
    }
}

static rv_status local_list(rv_dest *d, const char *dir, rv_object_list *out, rv_error *err)
{
    char path[PATH_MAX], clean[sizeof((rv_object *)NULL)->key];
    rv_object_list list = {0};
    int n = snprintf(clean, sizeof clean, "%s", dir);
    if (n < 0 || (size_t)n >= sizeof clean)
        return rv_fail(err, RV_E_DEST_IO, "the name '%s' is too long", dir);
    if (n > 0 && clean[n - 1] == '/')
        clean[n - 1] = '\0';
    if (clean[0])
        RV_TRY(rv_local_path(d, clean, path, err));
    else
        memcpy(path, d->root, sizeof path);
    DIR *handle = opendir(path);
    if (!handle && (errno == ENOENT || errno == ENOTDIR)) {
        *out = list;
        return RV_OK;
    }
    if (!handle) {
        rv_status code = errno == EACCES ? RV_E_DEST_PERMISSION : RV_E_IO;
        (void)rv_fail_errno(err, code, errno, "cannot list '%s'", path);
        return rv_local_fail(err, code, path);
    }
    rv_status st = read_entries(handle, clean, path, &list, err);
    (void)closedir(handle);
    if (st != RV_OK) {
        rv_object_list_free(&list);
        return rv_local_fail(err, st, path);
    }
    if (list.n)
        qsort(list.items, list.n, sizeof *list.items, compare_objects);
    *out = list;
    return RV_OK;
}

static rv_status remove_own(const char *path, const char *known_fingerprint,
                            uint64_t known_size_bytes, rv_remove_outcome *out, rv_error *err)
{
    char dir[PATH_MAX];
    rv_local_info info;
    bool ours, found;
    RV_TRY(rv_local_info_get(path, &info, err));
    if (info.kind == RV_LOCAL_MISSING) {
        *out = RV_REMOVE_MISSING;
        return RV_OK;
    }
    RV_TRY(rv_local_same(path, &info, known_size_bytes, known_fingerprint, &ours, err));
    if (!ours) {
        *out = RV_REMOVE_FOREIGN;
        return RV_OK;
    }
    RV_TRY(rv_file_remove(path, &found, err));
    rv_local_parent(path, dir);
    RV_TRY(rv_file_sync_dir(dir, err));
    *out = found ? RV_REMOVED : RV_REMOVE_MISSING;
    return RV_OK;
}

static rv_status local_remove(rv_dest *d, const char *key, const char *owner_token,
                              const char *known_fingerprint, uint64_t known_size_bytes,
                              rv_remove_outcome *out, rv_error *err)
{
    (void)owner_token;
    char path[PATH_MAX];
    rv_error local = {.code = RV_OK};
    RV_TRY(rv_local_path(d, key, path, err));
    rv_status st = remove_own(path, known_fingerprint, known_size_bytes, out, &local);
    if (st == RV_OK)
        return RV_OK;
    if (st == RV_E_DEST_PERMISSION) {
        *out = RV_REMOVE_DENIED;
        return RV_OK;
    }
    if (err)
        *err = local;
    return rv_local_fail(err, st, path);
}

static rv_status sync_both(const char *from, const char *to, rv_error *err)
{
    char dir[PATH_MAX];
    rv_local_parent(to, dir);
    RV_TRY(rv_file_sync_dir(dir, err));
    rv_local_parent(from, dir);
    return rv_file_sync_dir(dir, err);
}

static bool one_file(const char *a, const char *b)
{
    struct stat x, y;
    return lstat(a, &x) == 0 && lstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static rv_status move_file(const char *from, const char *to, rv_error *err)
{
    char dir[PATH_MAX];
    rv_local_info source, target;
    bool exists = false, found;
    RV_TRY(rv_local_info_get(from, &source, err));
    RV_TRY(rv_local_info_get(to, &target, err));
    if (source.kind == RV_LOCAL_MISSING) {
        if (target.kind == RV_LOCAL_FILE) /* an earlier, interrupted move */
            return RV_OK;
        return rv_fail(err, RV_E_DEST_IO, "'%s' is missing", from);
    }
    rv_local_parent(to, dir);
    RV_TRY(rv_file_mkdirs(dir, 0777, err));
    RV_TRY(rv_file_link_new(from, to, &exists, err));
    if (exists && !one_file(from, to))
        return rv_fail(err, RV_E_DEST_CONFLICT, "'%s' exists already", to);
    RV_TRY(rv_file_remove(from, &found, err));
    return sync_both(from, to, err);
}

static rv_status local_move(rv_dest *d, const char *from, const char *to, rv_error *err)
{
    char source[PATH_MAX], target[PATH_MAX];
    RV_TRY(rv_local_path(d, from, source, err));
    RV_TRY(rv_local_path(d, to, target, err));
    rv_status st = move_file(source, target, err);
    return st == RV_OK ? RV_OK : rv_local_fail(err, st, source);
}

static rv_status local_abort_upload(rv_dest *d, const char *key, const char *upload_id,
                                    rv_error *err)
{
    (void)d;
    (void)key;
    (void)upload_id;
    (void)err;
    return RV_OK;
}

/* ---- probe ---- */

static const char probe_name[] = ".rivet_doctor_probe";
static const char probe_text[] = "written by rivet doctor\n";

static rv_status probe_read_back(const char *path, rv_error *err)
{
    rv_buf back = RV_BUF_INIT;
    bool found = false;
    rv_status st = rv_file_read_all(path, 4096, &back, &found, err);
    if (st == RV_OK && (!found || !rv_str_eq(rv_buf_str(&back), rv_str_c(probe_text))))
        st = rv_fail(err, RV_E_DEST_IO, "'%s' reads back differently", path);
    rv_buf_free(&back);
    return st;
}

static rv_status probe_file(const char *path, rv_error *err)
{
    bool found;
    rv_error ignored;
    RV_TRY(rv_file_replace(path, rv_str_bytes(rv_str_c(probe_text)), 0600, err));
    rv_status st = probe_read_back(path, err);
    rv_status removed = rv_file_remove(path, &found, st == RV_OK ? err : &ignored);
    return st == RV_OK ? removed : st;
}

/* The nearest directory that exists: the probe leaves nothing behind, not even directories. */
static void existing_dir(const char *root, char out[PATH_MAX])
{
    struct stat sb;
    memcpy(out, root, PATH_MAX);
    while (strcmp(out, "/") != 0 && stat(out, &sb) != 0 && errno == ENOENT) {
        char parent[PATH_MAX];
        rv_local_parent(out, parent);
        memcpy(out, parent, sizeof parent);
    }
}

static rv_status local_probe(rv_dest *d, rv_probe *out, rv_error *err)
{
    char dir[PATH_MAX], path[PATH_MAX];
    existing_dir(d->root, dir);
    int n = snprintf(path, sizeof path, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, probe_name);
    if (n < 0 || (size_t)n >= sizeof path)
        return rv_fail(err, RV_E_DEST_IO, "the path '%s' is too long", dir);
    rv_status st = probe_file(path, err);
    if (st != RV_OK)
        return rv_local_fail(err, st, dir);
    bool exists = strcmp(dir, d->root) == 0;
    snprintf(out->detail, sizeof out->detail, "%.200s is writable%s", dir,
             exists ? "" : ", the rest is created");
    return RV_OK;
}

const rv_dest_driver rv_dest_local = {
    .abi = RV_DESTINATION_ABI,
    .kind = RV_DEST_LOCAL,
    .name = "local",
    .display = "Local",
    .resumable = true,
    .open = local_open,
    .close = local_close,
    .uri = local_uri,
    .facts = local_facts,
    .prepare = local_prepare,
    .spool_path = local_spool_path,
    .sweep = local_sweep,
    .put = rv_local_put,
    .stat = local_stat,
    .read = local_read,
    .list = local_list,
    .remove = local_remove,
    .move = local_move,
    .abort_upload = local_abort_upload,
    .probe = local_probe,
};
