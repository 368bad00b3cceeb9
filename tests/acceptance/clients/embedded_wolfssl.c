/* TLS of embedded.c by wolfSSL 5.5.4. */
#include "embedded.h"

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <string.h>

static WOLFSSL *tls;

static _Noreturn void fail(const char *what, int result) {
    char why[WOLFSSL_MAX_ERROR_SZ];
    int code = tls ? wolfSSL_get_error(tls, result) : result;
    give_up(what, code, wolfSSL_ERR_error_string((unsigned long)code, why));
}

static void check(const char *what, int result) {
    if (result != WOLFSSL_SUCCESS) fail(what, result);
}

static int receive(WOLFSSL *unused, char *into, int bytes, void *context) {
    (void)unused, (void)context;
    ssize_t got = socket_read(into, (size_t)bytes);
    if (got == 0) return WOLFSSL_CBIO_ERR_CONN_CLOSE;
    return got < 0 ? WOLFSSL_CBIO_ERR_GENERAL : (int)got;
}

static int send_on(WOLFSSL *unused, char *from, int bytes, void *context) {
    (void)unused, (void)context;
    ssize_t sent = socket_write(from, (size_t)bytes);
    return sent < 0 ? WOLFSSL_CBIO_ERR_GENERAL : (int)sent;
}

const char *tls_handshake(const struct options *options) {
    wolfSSL_Init();
    int is_13 = !strcmp(options->tls, "1.3");
    WOLFSSL_CTX *config = wolfSSL_CTX_new(is_13 ? wolfTLSv1_3_client_method() : wolfTLSv1_2_client_method());
    if (!config) give_up("config", 0, "none");
    wolfSSL_CTX_set_verify(config, WOLFSSL_VERIFY_PEER, NULL);
    check("server_ca", wolfSSL_CTX_load_verify_locations(config, options->server_ca, NULL));
    check("certificate", wolfSSL_CTX_use_certificate_chain_file(config, options->certificate));
    check("key", wolfSSL_CTX_use_PrivateKey_file(config, options->key, WOLFSSL_FILETYPE_PEM));
    wolfSSL_CTX_SetIORecv(config, receive);
    wolfSSL_CTX_SetIOSend(config, send_on);
    tls = wolfSSL_new(config);
    if (!tls) give_up("setup", 0, "none");
    check("host", wolfSSL_UseSNI(tls, WOLFSSL_SNI_HOST_NAME, options->host, (unsigned short)strlen(options->host)));
    check("host", wolfSSL_check_domain_name(tls, options->host));
    if (options->ask) check("config", wolfSSL_UseMaxFragment(tls, WOLFSSL_MFL_2_12));
    check("handshake", wolfSSL_connect(tls));
    return wolfSSL_get_version(tls);
}

void tls_write(const unsigned char *from, size_t bytes) {
    int sent = wolfSSL_write(tls, from, (int)bytes);
    if (sent != (int)bytes) fail("write", sent);
}

size_t tls_read(unsigned char *into, size_t bytes) {
    int got = wolfSSL_read(tls, into, (int)bytes);
    if (got <= 0) fail("read", got);
    return (size_t)got;
}
