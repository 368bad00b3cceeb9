/* What embedded.c, which speaks MQTT, and the file of each TLS stack have to do with each other. */
#ifndef EMBEDDED_H
#define EMBEDDED_H

#include <stddef.h>
#include <sys/types.h>

/* Of the command line, each as name=value. */
struct options {
    const char *host;        /* name that the server's certificate must have, sent as SNI */
    const char *port;
    const char *server_ca;   /* PEM files */
    const char *certificate;
    const char *key;
    const char *tls;         /* "1.2" or "1.3" */
    const char *client_id;
    const char *topic;       /* subscribed to and published to */
    size_t payload;          /* bytes of the message */
    size_t content_max;      /* bytes of content that the receive buffer holds; 0: what TLS allows */
    int ask;                 /* whether max_fragment_length (RFC 6066) asks for fragments of 4096 bytes */
};

/* Ends the program; what it has come to and why it went no further is its line on standard output. */
_Noreturn void give_up(const char *what, long code, const char *why);

/* The socket below TLS; results as of read(2) and write(2). A record that the buffer cannot hold is an error of reading. */
ssize_t socket_read(void *into, size_t bytes);
ssize_t socket_write(const void *from, size_t bytes);

/* Of a TLS stack; each gives up when it fails. Returns the version that was agreed on, as the stack names it. */
const char *tls_handshake(const struct options *options);
void tls_write(const unsigned char *from, size_t bytes);
/* Returns how many bytes came, at least one. */
size_t tls_read(unsigned char *into, size_t bytes);

#endif
