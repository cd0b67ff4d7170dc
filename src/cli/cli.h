/* cli/cli.h: the whole command line. argv[0] ending in rivet-mcp means `rivet mcp`.
 * Returns the process exit code; prints to stdout and stderr. Source: spec "cli". */
#ifndef RV_CLI_CLI_H
#define RV_CLI_CLI_H

int rv_cli_main(int argc, char **argv);

#endif
