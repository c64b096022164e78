// One request over the system's libcurl, whose answer is taken in pieces.
//
// libcurl is loaded when it is first needed and not linked: a program that downloads nothing starts without its thirty libraries, and
// runs on machines that do not have it.
#ifndef Q3_TRANSFER_H
#define Q3_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct q3_transfer q3_transfer;

/// What a transfer is at.
typedef enum q3_transfer_state {
    Q3_TRANSFER_RUNNING,
    Q3_TRANSFER_DONE,    // the answer is complete
    Q3_TRANSFER_FAILED,  // q3_transfer_fault says why
} q3_transfer_state;

/// Why a transfer failed.
typedef enum q3_transfer_fault_kind {
    Q3_FAULT_CONNECTION,
    Q3_FAULT_NO_HOST,
    Q3_FAULT_NO_ANSWER,    // no connection within connect_milliseconds
    Q3_FAULT_CERTIFICATE,  // the host's is not to be trusted
    Q3_FAULT_AUTHORITIES,  // the file of authorities cannot be read
    Q3_FAULT_ADDRESS,      // is_allowed refused it
} q3_transfer_fault_kind;

typedef struct q3_transfer_request {
    const char *url;
    /// "Name: value" each, the last one NULL.
    const char *const *headers;
    /// "http://host:port" or NULL; the environment is not asked.
    const char *proxy;
    const char *proxy_user;
    const char *proxy_password;
    /// A file of certificates that is used in place of the system's, or NULL.
    const char *authorities;
    long connect_milliseconds;
    /// Decides on an address, a struct sockaddr, before a socket for it is made; NULL allows all.
    bool (*is_allowed)(const void *address);
} q3_transfer_request;

/// Whether there is a libcurl.
bool q3_curl_is_there(void);

/// Prepares a request; NULL without memory or without libcurl.
q3_transfer *q3_transfer_new(const q3_transfer_request *request);

/// Works for up to so many milliseconds, less if anything came.
q3_transfer_state q3_transfer_run(q3_transfer *transfer, int milliseconds);

/// The lines of the answer's head, each with its end, once it is complete; NULL before.
const char *q3_transfer_head(const q3_transfer *transfer, size_t *count);

/// The bytes of the answer's body that came since the last call; good until the next call of any function.
const void *q3_transfer_take(q3_transfer *transfer, size_t *count);

q3_transfer_fault_kind q3_transfer_fault(const q3_transfer *transfer);

/// The fault in libcurl's words.
const char *q3_transfer_reason(const q3_transfer *transfer);

void q3_transfer_free(q3_transfer *transfer);

#endif
