#include <errmsg.h>
#include <stdio.h>
#include <string.h>

#include "base/socket.h"
#include "mysql/client_plugin.h"
#include "mysql/mysql_internal.h"
#include "mysql/scramble.h"

/* Plugins of libmariadb that are ours: those it would load at run time, which a binary that runs
 * alone cannot rely on and which would bring a second OpenSSL, and one that speaks first. */

#define ASK_KEY_CACHING 2
#define ASK_KEY_SHA256 1
#define CACHED_OK 3
#define FULL_LOGIN 4

/* False: the line is gone, and libmariadb's buffer, which read_pos still points into, with it. */
static bool alive(const rv_my *c)
{
    return c->my.net.buff != NULL;
}

static int refuse(rv_my *c, rv_my_refusal why, const char *plugin)
{
    if (!alive(c))
        return CR_ERROR; /* it was not the answer that made no sense */
    c->refusal = why;
    c->refused_plugin = plugin;
    /* whatever the server sent last must not look like a way on */
    c->my.net.read_pos[0] = 0;
    return CR_ERROR;
}

static bool encrypted(const rv_my *c)
{
    return c->my.net.pvio && c->my.net.pvio->ctls;
}

/* ---- hello: runs before the first byte of ours ---- */

static rv_my_refusal judge(const rv_my *c)
{
    bool offered = (c->my.server_capabilities & CLIENT_SSL) != 0;
    bool will_be_tls = offered && c->opts.tls != RV_MY_TLS_DISABLE;
    if (will_be_tls)
        return RV_MY_NOT_REFUSED;
    if (c->opts.tls != RV_MY_TLS_DISABLE && c->opts.tls != RV_MY_TLS_PREFER)
        return RV_MY_NO_TLS;
    return c->opts.require_tls && !c->loopback ? RV_MY_TLS_DEMANDED : RV_MY_NOT_REFUSED;
}

/* The ways of logging in that may follow. Not among them: mysql_old_password, whose scramble tells
 * the password to whoever listens. */
#define OFFERED                                                                                    \
    "mysql_native_password,caching_sha2_password,sha256_password,mysql_clear_password,client_"     \
    "ed25519"

static bool is_offered(const char *name)
{
    const size_t n = strlen(name);
    for (const char *p = OFFERED; *p;) {
        size_t len = strcspn(p, ",");
        if (len == n && memcmp(p, name, n) == 0)
            return true;
        p += len + (p[len] == ',');
    }
    return false;
}

/* The server's answer to the hello: which way is the account's? */
static int take_switch(rv_my *c)
{
    const NET *net = &c->my.net;
    /* a lone 254 is the oldest servers' word for the old scramble */
    const char *name = net->read_pos[1] ? (const char *)net->read_pos + 1 : "mysql_old_password";
    if (!is_offered(name)) {
        (void)snprintf(c->asked_plugin, sizeof c->asked_plugin, "%s", name);
        return refuse(c, RV_MY_UNKNOWN_PLUGIN, c->asked_plugin);
    }
    /* libmariadb goes on with that plugin when the last packet is still in sight */
    return mysql_options(&c->my, MARIADB_OPT_RESTRICTED_AUTH, OFFERED) == 0
               ? CR_ERROR
               : refuse(c, RV_MY_BAD_EXCHANGE, name);
}

/* Says who comes and nothing else, under a name no account uses: the server then tells which way
 * of logging in the account has. One round trip, for knowing the server's abilities before any
 * answer to its challenge leaves this host. */
static int hello(MYSQL_PLUGIN_VIO *vio, MYSQL *my)
{
    rv_my *c = rv_my_of(my);
    unsigned char *packet = NULL;
    int fd = (int)mysql_get_socket(my);
    c->greeted = true;
    rv_socket_settle(fd);
    c->loopback = rv_socket_loopback(fd);
    rv_my_refusal why = judge(c);
    if (why != RV_MY_NOT_REFUSED)
        return refuse(c, why, "");
    /* with no challenge of its own before it, this sends the empty answer first */
    if (vio->read_packet(vio, &packet) >= 0)
        return CR_OK_HANDSHAKE_COMPLETE;
    return alive(c) && my->net.read_pos[0] == 254 ? take_switch(c) : CR_ERROR;
}

/* ---- caching_sha2_password, sha256_password ---- */

/* The challenge: 20 bytes and a NUL. False: refused. */
static bool read_nonce(MYSQL_PLUGIN_VIO *vio, rv_my *c, uint8_t nonce[RV_MY_NONCE_BYTES],
                       const char *plugin)
{
    unsigned char *packet = NULL;
    int n = vio->read_packet(vio, &packet);
    if (n < RV_MY_NONCE_BYTES || n > RV_MY_NONCE_BYTES + 1) {
        (void)refuse(c, RV_MY_BAD_EXCHANGE, plugin);
        return false;
    }
    memcpy(nonce, packet, RV_MY_NONCE_BYTES);
    return true;
}

static int send_clear(MYSQL_PLUGIN_VIO *vio, const MYSQL *my)
{
    size_t n = strlen(my->passwd) + 1;
    if (n > INT32_MAX)
        return CR_ERROR;
    return vio->write_packet(vio, (const unsigned char *)my->passwd, (int)n) ? CR_ERROR : CR_OK;
}

typedef struct rsa_exchange {
    const char *plugin;
    unsigned char ask; /* the byte that asks for the key */
    bool socket_too;   /* the server takes the bare password over a Unix socket */
    uint8_t nonce[RV_MY_NONCE_BYTES];
} rsa_exchange;

/* The whole password for a server that has no hash of it at hand. */
static int send_password(MYSQL_PLUGIN_VIO *vio, rv_my *c, const rsa_exchange *x)
{
    unsigned char *packet = NULL;
    rv_buf sealed = RV_BUF_INIT;
    if (encrypted(c) || (c->opts.socket && x->socket_too))
        return send_clear(vio, &c->my);
    if (!c->loopback && c->opts.tls != RV_MY_TLS_DISABLE)
        return refuse(c, RV_MY_RSA_PLAINTEXT, x->plugin);
    if (vio->write_packet(vio, &x->ask, 1))
        return CR_ERROR;
    int n = vio->read_packet(vio, &packet);
    if (n < 0)
        return CR_ERROR;
    rv_str pem = {(const char *)packet, (size_t)n};
    int result = CR_ERROR;
    if (rv_my_rsa_password(c->my.passwd, x->nonce, pem, &sealed, NULL) != RV_OK ||
        sealed.len > INT32_MAX)
        result = refuse(c, RV_MY_BAD_EXCHANGE, x->plugin);
    else if (!vio->write_packet(vio, sealed.ptr, (int)sealed.len))
        result = CR_OK;
    rv_buf_free(&sealed);
    return result;
}

static int caching_sha2(MYSQL_PLUGIN_VIO *vio, MYSQL *my)
{
    rv_my *c = rv_my_of(my);
    rsa_exchange x = {
        .plugin = "caching_sha2_password", .ask = ASK_KEY_CACHING, .socket_too = true};
    uint8_t scramble[RV_MY_SHA256_BYTES];
    unsigned char *packet = NULL;
    if (!read_nonce(vio, c, x.nonce, x.plugin))
        return CR_ERROR;
    if (!my->passwd[0])
        return vio->write_packet(vio, NULL, 0) ? CR_ERROR : CR_OK;
    if (rv_my_sha256_scramble(my->passwd, x.nonce, scramble, NULL) != RV_OK ||
        vio->write_packet(vio, scramble, sizeof scramble))
        return CR_ERROR;
    int n = vio->read_packet(vio, &packet);
    if (n < 0)
        return CR_ERROR;
    if (n == 1 && packet[0] == CACHED_OK)
        return CR_OK;
    if (n == 1 && packet[0] == FULL_LOGIN)
        return send_password(vio, c, &x);
    /* OK at once, as some proxies say it */
    return packet[0] == 0 ? CR_OK_HANDSHAKE_COMPLETE : refuse(c, RV_MY_BAD_EXCHANGE, x.plugin);
}

static int sha256_login(MYSQL_PLUGIN_VIO *vio, MYSQL *my)
{
    rv_my *c = rv_my_of(my);
    rsa_exchange x = {.plugin = "sha256_password", .ask = ASK_KEY_SHA256};
    if (!read_nonce(vio, c, x.nonce, x.plugin))
        return CR_ERROR;
    if (!my->passwd[0])
        return vio->write_packet(vio, (const unsigned char *)"", 1) ? CR_ERROR : CR_OK;
    return send_password(vio, c, &x);
}

/* ---- mysql_clear_password, client_ed25519 ---- */

static int clear_login(MYSQL_PLUGIN_VIO *vio, MYSQL *my)
{
    rv_my *c = rv_my_of(my);
    unsigned char *packet = NULL;
    if (!encrypted(c) && !c->opts.socket)
        return refuse(c, RV_MY_CLEARTEXT, "mysql_clear_password");
    if (vio->read_packet(vio, &packet) < 0)
        return CR_ERROR;
    return send_clear(vio, my);
}

static int ed25519_login(MYSQL_PLUGIN_VIO *vio, MYSQL *my)
{
    rv_my *c = rv_my_of(my);
    uint8_t nonce[RV_MY_ED25519_NONCE_BYTES], signature[RV_MY_ED25519_BYTES];
    unsigned char *packet = NULL;
    int n = vio->read_packet(vio, &packet);
    if (n < RV_MY_ED25519_NONCE_BYTES || n > RV_MY_ED25519_NONCE_BYTES + 1)
        return refuse(c, RV_MY_BAD_EXCHANGE, "client_ed25519");
    memcpy(nonce, packet, sizeof nonce);
    if (rv_my_ed25519_sign(my->passwd, nonce, sizeof nonce, signature, NULL) != RV_OK)
        return CR_ERROR;
    return vio->write_packet(vio, signature, sizeof signature) ? CR_ERROR : CR_OK;
}

/* ---- registration ---- */

#define PLUGIN(text, fn)                                                                           \
    {                                                                                              \
        .head = {.type = RV_MY_PLUGIN_AUTHENTICATION,                                              \
                 .interface_version = RV_MY_PLUGIN_INTERFACE,                                      \
                 .name = (text),                                                                   \
                 .author = "Rivet",                                                                \
                 .desc = (text),                                                                   \
                 .version = {1, 0, 0},                                                             \
                 .license = "MIT"},                                                                \
        .authenticate_user = (fn)                                                                  \
    }

/* libmariadb wants them writable and for the life of the process */
static rv_my_plugin plugins[] = {
    PLUGIN(RV_MY_HELLO, hello),
    PLUGIN("caching_sha2_password", caching_sha2),
    PLUGIN("sha256_password", sha256_login),
    PLUGIN("mysql_clear_password", clear_login),
    PLUGIN("client_ed25519", ed25519_login),
};

rv_status rv_my_plugins_register(rv_error *err)
{
    rv_status st = RV_OK;
    MYSQL *scratch = mysql_init(NULL);
    if (!scratch)
        return rv_fail_memory(err);
    for (size_t i = 0; i < sizeof plugins / sizeof plugins[0] && st == RV_OK; i++) {
        struct st_mysql_client_plugin *p = &plugins[i].head;
        const struct st_mysql_client_plugin *had = mysql_client_register_plugin(scratch, p);
        if (!had)
            st = rv_fail_memory(err);
        else if (had != p)
            st = rv_fail(err, RV_E_INTERNAL, "another client plugin '%s' is loaded", p->name);
    }
    mysql_close(scratch);
    return st;
}
