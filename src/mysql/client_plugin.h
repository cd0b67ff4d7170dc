/* mysql/client_plugin.h: libmariadb's authentication plugins. Its own <mysql/client_plugin.h>
 * cannot be used: it includes a header that no package installs; <mysql.h> has all of it but this.
 * Private to the room. Source: MariaDB Connector/C, include/mysql/client_plugin.h (interface
 * 0x0100 of authentication plugins, unchanged since 3.0). */
#ifndef RV_MYSQL_CLIENT_PLUGIN_H
#define RV_MYSQL_CLIENT_PLUGIN_H

#include <mysql.h>
#include <mysql/plugin_auth.h>

#define RV_MY_PLUGIN_AUTHENTICATION 2
#define RV_MY_PLUGIN_INTERFACE 0x0100

typedef struct rv_my_plugin {
    struct st_mysql_client_plugin head;
    int (*authenticate_user)(MYSQL_PLUGIN_VIO *vio, MYSQL *my);
} rv_my_plugin;

#endif
