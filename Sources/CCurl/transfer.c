// One request over the system's libcurl: loading, options, and the buffers that its callbacks fill.
#include "transfer.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

// More than any server sends that means well.
enum { MAX_HEAD = 1 << 18 };

static struct {
    __typeof__(&curl_global_init) global_init;
    __typeof__(&curl_easy_init) easy_init;
    __typeof__(&curl_easy_setopt) easy_setopt;
    __typeof__(&curl_easy_strerror) easy_strerror;
    __typeof__(&curl_easy_cleanup) easy_cleanup;
    __typeof__(&curl_slist_append) slist_append;
    __typeof__(&curl_slist_free_all) slist_free_all;
    __typeof__(&curl_multi_init) multi_init;
    __typeof__(&curl_multi_add_handle) multi_add_handle;
    __typeof__(&curl_multi_remove_handle) multi_remove_handle;
    __typeof__(&curl_multi_perform) multi_perform;
    __typeof__(&curl_multi_poll) multi_poll;
    __typeof__(&curl_multi_info_read) multi_info_read;
    __typeof__(&curl_multi_cleanup) multi_cleanup;
    bool is_there;
} curl;

static void load(void) {
#if defined(__APPLE__)
    static const char *const names[] = {"libcurl.4.dylib", "/usr/lib/libcurl.4.dylib"};
#else
    // Debian has one with OpenSSL and one with GnuTLS.
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
#endif
    void *library = NULL;
    for (size_t i = 0; library == NULL && i < sizeof names / sizeof *names; i++) {
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    }
    if (library == NULL) return;
    bool is_whole = true;
#define FIND(name) is_whole = (*(void **)&curl.name = dlsym(library, "curl_" #name)) != NULL && is_whole
    FIND(global_init);
    FIND(easy_init);
    FIND(easy_setopt);
    FIND(easy_strerror);
    FIND(easy_cleanup);
    FIND(slist_append);
    FIND(slist_free_all);
    FIND(multi_init);
    FIND(multi_add_handle);
    FIND(multi_remove_handle);
    FIND(multi_perform);
    FIND(multi_poll);
    FIND(multi_info_read);
    FIND(multi_cleanup);
#undef FIND
    curl.is_there = is_whole && curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

bool q3_curl_is_there(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return curl.is_there;
}

struct buffer {
    char *bytes;
    size_t count, capacity;
};

static bool append(struct buffer *buffer, const char *bytes, size_t count) {
    if (count > buffer->capacity - buffer->count) {
        size_t capacity = 2 * buffer->capacity + count;
        char *grown = realloc(buffer->bytes, capacity);
        if (grown == NULL) return false;
        buffer->bytes = grown;
        buffer->capacity = capacity;
    }
    memcpy(buffer->bytes + buffer->count, bytes, count);
    buffer->count += count;
    return true;
}

struct q3_transfer {
    CURL *easy;
    CURLM *multi;
    struct curl_slist *headers;
    bool (*is_allowed)(const void *);
    struct buffer head, body;
    bool has_head, was_refused;
    CURLcode code;
    char reason[CURL_ERROR_SIZE];
};

static size_t on_header(char *line, size_t size, size_t count, void *context) {
    q3_transfer *transfer = context;
    count *= size;
    // A status line: what came before was the head of an answer like "100 Continue".
    if (count > 5 && memcmp(line, "HTTP/", 5) == 0) {
        transfer->head.count = 0;
        transfer->has_head = false;
    }
    if (transfer->has_head) return count;  // a trailer of a chunked body
    if (count > MAX_HEAD - transfer->head.count || !append(&transfer->head, line, count)) return 0;
    bool is_end = count <= 2 && (line[0] == '\r' || line[0] == '\n');
    bool is_interim = transfer->head.count > 12 && memcmp(transfer->head.bytes + 8, " 1", 2) == 0;
    transfer->has_head = is_end && !is_interim;
    return count;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context) {
    q3_transfer *transfer = context;
    return append(&transfer->body, bytes, size * count) ? size * count : 0;
}

static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    q3_transfer *transfer = context;
    if (purpose != CURLSOCKTYPE_IPCXN || !transfer->is_allowed(&address->addr)) {
        transfer->was_refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype, address->protocol);
}

q3_transfer *q3_transfer_new(const q3_transfer_request *request) {
    if (!q3_curl_is_there()) return NULL;
    q3_transfer *transfer = calloc(1, sizeof *transfer);
    if (transfer == NULL) return NULL;
    CURL *easy = transfer->easy = curl.easy_init();
    transfer->multi = curl.multi_init();
    transfer->is_allowed = request->is_allowed;
    for (const char *const *header = request->headers; *header != NULL; header++) {
        struct curl_slist *longer = curl.slist_append(transfer->headers, *header);
        if (longer == NULL) goto failed;
        transfer->headers = longer;
    }
    if (easy == NULL || transfer->multi == NULL) goto failed;

    bool is_set = true;
#define SET(option, value) is_set = is_set && curl.easy_setopt(easy, option, value) == CURLE_OK
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_HTTPHEADER, transfer->headers);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_FOLLOWLOCATION, 0L);  // every step is decided on by the caller
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, request->connect_milliseconds);
    SET(CURLOPT_BUFFERSIZE, 1L << 16);
    SET(CURLOPT_ERRORBUFFER, transfer->reason);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, transfer);
    // An empty proxy is none, and keeps libcurl from the environment.
    SET(CURLOPT_PROXY, request->proxy == NULL ? "" : request->proxy);
    SET(CURLOPT_NOPROXY, "");
    if (request->proxy_user != NULL) {
        SET(CURLOPT_PROXYUSERNAME, request->proxy_user);
        SET(CURLOPT_PROXYPASSWORD, request->proxy_password);
    }
    if (request->authorities != NULL) {
        SET(CURLOPT_CAINFO, request->authorities);
        SET(CURLOPT_CAPATH, NULL);
    }
    if (request->is_allowed != NULL) {
        SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
        SET(CURLOPT_OPENSOCKETDATA, transfer);
    }
#undef SET
    if (is_set && curl.multi_add_handle(transfer->multi, easy) == CURLM_OK) return transfer;

failed:
    q3_transfer_free(transfer);
    return NULL;
}

q3_transfer_state q3_transfer_run(q3_transfer *transfer, int milliseconds) {
    size_t before = transfer->body.count;
    bool had_head = transfer->has_head;
    int running = 0, waiting;
    for (int attempt = 0; attempt < 2; attempt++) {
        if (curl.multi_perform(transfer->multi, &running) != CURLM_OK) {
            transfer->code = CURLE_FAILED_INIT;
            return Q3_TRANSFER_FAILED;
        }
        if (running == 0 || transfer->body.count > before || transfer->has_head != had_head) break;
        if (attempt == 0) curl.multi_poll(transfer->multi, NULL, 0, milliseconds, NULL);
    }
    if (running > 0) return Q3_TRANSFER_RUNNING;
    const CURLMsg *message;
    while ((message = curl.multi_info_read(transfer->multi, &waiting)) != NULL) {
        if (message->msg == CURLMSG_DONE) transfer->code = message->data.result;
    }
    return transfer->code == CURLE_OK ? Q3_TRANSFER_DONE : Q3_TRANSFER_FAILED;
}

const char *q3_transfer_head(const q3_transfer *transfer, size_t *count) {
    *count = transfer->head.count;
    return transfer->has_head ? transfer->head.bytes : NULL;
}

const void *q3_transfer_take(q3_transfer *transfer, size_t *count) {
    *count = transfer->body.count;
    transfer->body.count = 0;
    return transfer->body.bytes;
}

q3_transfer_fault_kind q3_transfer_fault(const q3_transfer *transfer) {
    if (transfer->was_refused) return Q3_FAULT_ADDRESS;
    switch (transfer->code) {
    case CURLE_COULDNT_RESOLVE_HOST: return Q3_FAULT_NO_HOST;
    case CURLE_OPERATION_TIMEDOUT: return Q3_FAULT_NO_ANSWER;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR: return Q3_FAULT_CERTIFICATE;
    case CURLE_SSL_CACERT_BADFILE: return Q3_FAULT_AUTHORITIES;
    default: return Q3_FAULT_CONNECTION;
    }
}

const char *q3_transfer_reason(const q3_transfer *transfer) {
    return transfer->reason[0] != 0 ? transfer->reason : curl.easy_strerror(transfer->code);
}

void q3_transfer_free(q3_transfer *transfer) {
    if (transfer->easy != NULL && transfer->multi != NULL) {
        curl.multi_remove_handle(transfer->multi, transfer->easy);
    }
    if (transfer->easy != NULL) curl.easy_cleanup(transfer->easy);
    if (transfer->multi != NULL) curl.multi_cleanup(transfer->multi);
    curl.slist_free_all(transfer->headers);
    free(transfer->head.bytes);
    free(transfer->body.bytes);
    free(transfer);
}
