/* TLS of embedded.c by mbedTLS 2.28: TLS 1.2 only, its 1.3 is an experiment that Debian does not build. */
#include "embedded.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <string.h>

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context random_bytes;
static mbedtls_x509_crt server_ca, own;
static mbedtls_pk_context key;
static mbedtls_ssl_config config;
static mbedtls_ssl_context tls;

static void check(const char *what, int code) {
    if (code >= 0) return;
    char why[200];
    mbedtls_strerror(code, why, sizeof why);
    give_up(what, code, why);
}

static int receive(void *unused, unsigned char *into, size_t bytes) {
    (void)unused;
    ssize_t got = socket_read(into, bytes);
    /* What it says itself when a record does not fit into its buffer. */
    return got < 0 ? MBEDTLS_ERR_SSL_INVALID_RECORD : (int)got;
}

static int send_on(void *unused, const unsigned char *from, size_t bytes) {
    (void)unused;
    ssize_t sent = socket_write(from, bytes);
    return sent < 0 ? MBEDTLS_ERR_NET_SEND_FAILED : (int)sent;
}

const char *tls_handshake(const struct options *options) {
    if (strcmp(options->tls, "1.2")) give_up("version", 0, "mbedTLS 2.28 has TLS 1.2 only");
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random_bytes);
    mbedtls_x509_crt_init(&server_ca);
    mbedtls_x509_crt_init(&own);
    mbedtls_pk_init(&key);
    mbedtls_ssl_config_init(&config);
    mbedtls_ssl_init(&tls);
    check("random", mbedtls_ctr_drbg_seed(&random_bytes, mbedtls_entropy_func, &entropy, NULL, 0));
    check("server_ca", mbedtls_x509_crt_parse_file(&server_ca, options->server_ca));
    check("certificate", mbedtls_x509_crt_parse_file(&own, options->certificate));
    check("key", mbedtls_pk_parse_keyfile(&key, options->key, NULL));
    check("config", mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                                MBEDTLS_SSL_PRESET_DEFAULT));
    mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random_bytes);
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&config, &server_ca, NULL);
    check("certificate", mbedtls_ssl_conf_own_cert(&config, &own, &key));
    if (options->ask) check("config", mbedtls_ssl_conf_max_frag_len(&config, MBEDTLS_SSL_MAX_FRAG_LEN_4096));
    check("setup", mbedtls_ssl_setup(&tls, &config));
    check("host", mbedtls_ssl_set_hostname(&tls, options->host));
    mbedtls_ssl_set_bio(&tls, NULL, send_on, receive, NULL);
    check("handshake", mbedtls_ssl_handshake(&tls));
    return mbedtls_ssl_get_version(&tls);
}

void tls_write(const unsigned char *from, size_t bytes) {
    while (bytes > 0) {
        int sent = mbedtls_ssl_write(&tls, from, bytes);
        check("write", sent);
        from += sent;
        bytes -= (size_t)sent;
    }
}

size_t tls_read(unsigned char *into, size_t bytes) {
    int got = mbedtls_ssl_read(&tls, into, bytes);
    check("read", got);
    if (got == 0) give_up("read", 0, "the connection has ended");
    return (size_t)got;
}
