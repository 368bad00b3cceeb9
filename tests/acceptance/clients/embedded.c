/* A device with an embedded TLS stack: connects with MQTT 3.1.1, subscribes, publishes to itself at QoS 1 and waits for PUBACK and
 * for the message. One JSON line on standard output says what it came to: the TLS version, CONNACK's code, whether PUBACK came,
 * how many bytes of payload came back, the largest record that was received (without its header), and what ended it, if not
 * the end. It measures records below the stack, because no stack says how large they were. */
#include "embedded.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RECORD_HEADER = 5, CONNACK = 0x20, PUBLISH = 0x30, PUBACK = 0x40, SUBACK = 0x90 };
/* What encryption adds to a record's content: 24 bytes with AES-GCM of TLS 1.2, 17 in TLS 1.3. mbedTLS keeps room for it. */
enum { OVERHEAD = 24 };

static struct options options;
static int descriptor;

static struct {
    const char *version;
    int connack;
    int acknowledged;
    size_t received;
    size_t largest;
} reached = {.connack = -1};

static void say(const char *error) {
    printf("{\"version\": \"%s\", \"connack\": %d, \"acknowledged\": %s, \"received\": %zu, \"largest_record\": %zu, \"error\": \"%s\"}\n",
           reached.version ? reached.version : "", reached.connack, reached.acknowledged ? "true" : "false", reached.received,
           reached.largest, error);
}

_Noreturn void give_up(const char *what, long code, const char *why) {
    char error[512];
    snprintf(error, sizeof error, "%s: %ld, %s", what, code, why);
    say(error);
    exit(0);
}

ssize_t socket_read(void *into, size_t bytes) {
    static unsigned char header[RECORD_HEADER];
    static size_t of_header, of_body;
    ssize_t got = read(descriptor, into, bytes);
    const unsigned char *rest = into;
    for (ssize_t left = got; left > 0;) {
        if (of_body > 0) {
            size_t skipped = (size_t)left < of_body ? (size_t)left : of_body;
            of_body -= skipped;
            rest += skipped;
            left -= (ssize_t)skipped;
            continue;
        }
        header[of_header++] = *rest++;
        left--;
        if (of_header < RECORD_HEADER) continue;
        of_header = 0;
        of_body = (size_t)header[3] << 8 | header[4];
        if (of_body > reached.largest) reached.largest = of_body;
        if (options.content_max && of_body > options.content_max + OVERHEAD) return -1;
    }
    return got;
}

ssize_t socket_write(const void *from, size_t bytes) {
    return send(descriptor, from, bytes, MSG_NOSIGNAL);
}

static void open_socket(void) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    int failed = getaddrinfo(options.host, options.port, &hints, &found);
    if (failed) give_up("name", failed, gai_strerror(failed));
    descriptor = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
    if (descriptor < 0 || connect(descriptor, found->ai_addr, found->ai_addrlen)) give_up("connect", descriptor, "no connection");
    freeaddrinfo(found);
}

/* A packet that is being written. */
static unsigned char *packet;
static size_t written;

static void byte(unsigned value) { packet[written++] = (unsigned char)value; }

static void text(const char *value) {
    size_t bytes = strlen(value);
    byte((unsigned)(bytes >> 8));
    byte(bytes & 0xff);
    memcpy(packet + written, value, bytes);
    written += bytes;
}

static void begin(unsigned kind, size_t remaining) {
    packet = malloc(remaining + 5);
    if (!packet) give_up("memory", (long)remaining, "not enough");
    written = 0;
    byte(kind);
    do {
        byte((remaining & 0x7f) | (remaining > 0x7f ? 0x80 : 0));
        remaining >>= 7;
    } while (remaining);
}

static void end(void) {
    tls_write(packet, written);
    free(packet);
}

static void read_exactly(unsigned char *into, size_t bytes) {
    while (bytes > 0) {
        size_t got = tls_read(into, bytes);
        into += got;
        bytes -= got;
    }
}

/* Reads one packet; returns its kind and how many bytes `into`, which is as large as any expected, has. */
static unsigned read_packet(unsigned char *into, size_t room, size_t *bytes) {
    unsigned char first, more;
    unsigned shift = 0;
    read_exactly(&first, 1);
    *bytes = 0;
    do {
        read_exactly(&more, 1);
        *bytes |= (size_t)(more & 0x7f) << shift;
        shift += 7;
    } while (more & 0x80);
    if (*bytes > room) give_up("packet", (long)*bytes, "larger than any that is expected");
    read_exactly(into, *bytes);
    return first;
}

static void expect(unsigned kind, unsigned char *into, size_t room) {
    size_t bytes;
    unsigned got = read_packet(into, room, &bytes);
    if (got != kind) give_up("packet", (long)got, "another was expected");
}

static void converse(void) {
    size_t room = options.payload + strlen(options.topic) + 64, of_topic = strlen(options.topic) + 2;
    unsigned char *into = malloc(room);
    if (!into) give_up("memory", (long)room, "not enough");

    begin(0x10, 10 + 2 + strlen(options.client_id));
    text("MQTT");
    byte(4);
    byte(2); /* clean session */
    byte(0);
    byte(60);
    text(options.client_id);
    end();
    expect(CONNACK, into, room);
    reached.connack = into[1];
    if (reached.connack) give_up("CONNACK", reached.connack, "refused");

    begin(0x82, 2 + of_topic + 1);
    byte(0);
    byte(1);
    text(options.topic);
    byte(0);
    end();
    expect(SUBACK, into, room);
    if (into[2]) give_up("SUBACK", into[2], "refused");

    begin(0x32, of_topic + 2 + options.payload);
    text(options.topic);
    byte(0);
    byte(2);
    memset(packet + written, 'x', options.payload);
    written += options.payload;
    end();
    while (!reached.acknowledged || !reached.received) {
        size_t bytes;
        switch (read_packet(into, room, &bytes)) {
        case PUBACK: reached.acknowledged = 1; break;
        case PUBLISH: reached.received = bytes - of_topic; break;
        default: give_up("packet", into[0], "neither PUBACK nor PUBLISH");
        }
    }
    free(into);
    tls_write((const unsigned char[]){0xe0, 0}, 2);
}

static void parse(int count, char **arguments) {
    for (int at = 1; at < count; at++) {
        char *value = strchr(arguments[at], '=');
        if (!value) give_up("argument", at, "no name=value");
        *value++ = 0;
        const char *name = arguments[at];
        const struct { const char *name; const char **value; } texts[] = {
            {"host", &options.host}, {"port", &options.port}, {"server_ca", &options.server_ca},
            {"certificate", &options.certificate}, {"key", &options.key}, {"tls", &options.tls},
            {"client_id", &options.client_id}, {"topic", &options.topic},
        };
        size_t found = 0, of_texts = sizeof texts / sizeof *texts;
        while (found < of_texts && strcmp(name, texts[found].name)) found++;
        if (found < of_texts) *texts[found].value = value;
        else if (!strcmp(name, "payload")) options.payload = strtoul(value, NULL, 10);
        else if (!strcmp(name, "content_max")) options.content_max = strtoul(value, NULL, 10);
        else if (!strcmp(name, "ask")) options.ask = !strcmp(value, "true");
        else give_up("argument", at, name);
    }
}

int main(int count, char **arguments) {
    parse(count, arguments);
    open_socket();
    reached.version = tls_handshake(&options);
    converse();
    say("");
    return 0;
}
