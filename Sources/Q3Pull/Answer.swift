// An HTTP request and its answer, over the system's libcurl.
#if Pull
internal import CCurl
import Q3System

#if canImport(Glibc)
internal import Glibc
#endif

/// One request, and with what caution it is made.
struct Request {
    let address: WebAddress
    var headers: [(name: String, value: String)]
    var proxy: ProxySettings.Proxy?
    /// A file of certificates to trust in place of the system's.
    var authorities: String?
    /// Whether only addresses of the whole world may be talked to.
    var onlyPublic: Bool
    /// Seconds of silence after which the connection is given up.
    var stallTimeout: Double
}

/// The answer's head; its body comes in pieces.
@safe final class Answer {
    private(set) var status = 0
    private var headers: [(name: String, value: String)] = []
    private let request: Request
    private let transfer: OpaquePointer
    /// How the transfer ended; what came before a fault is handed out first.
    private var end: Result<Void, PullError>?
    private var lastByte = ContinuousClock.now

    private static let millisecondsPerStep: CInt = 100

    /// Sends the request and waits for the head of the answer.
    init(to request: Request) async throws {
        self.request = request
        guard q3_curl_is_there() else { throw PullError.noCurl }
        guard let transfer = unsafe Self.transfer(for: request) else {
            throw PullError.connection(host: request.address.host, reason: "libcurl refuses the request")
        }
        unsafe self.transfer = transfer
        let deadline = ContinuousClock.now + .seconds(2 * request.stallTimeout)
        while true {
            try await step()
            if readHead() { break }
            if let end {
                try end.get()
                throw PullError.connection(host: request.address.host, reason: "it ended without an answer")
            }
            guard ContinuousClock.now < deadline else { throw stalled }
        }
        lastByte = .now
    }

    deinit { unsafe q3_transfer_free(transfer) }

    /// A header's value; the first if there are several.
    func first(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    /// The next bytes of the body; nil at its end.
    func next() async throws -> [UInt8]? {
        while true {
            var count = 0
            if let bytes = unsafe q3_transfer_take(transfer, &count), count > 0 {
                lastByte = .now
                return unsafe [UInt8](UnsafeRawBufferPointer(start: bytes, count: count))
            }
            if let end {
                try end.get()
                return nil
            }
            guard ContinuousClock.now < lastByte + .seconds(request.stallTimeout) else { throw stalled }
            try await step()
        }
    }

    private var stalled: PullError { .stalled(host: request.address.host, seconds: request.stallTimeout) }

    /// Works on the transfer for a moment.
    private func step() async throws {
        try Task.checkCancellation()
        switch unsafe q3_transfer_run(transfer, Self.millisecondsPerStep) {
        case Q3_TRANSFER_RUNNING: await Task.yield()
        case Q3_TRANSFER_DONE: end = .success(())
        default: end = .failure(fault)
        }
    }

    /// "HTTP/1.1 200 OK", then "Name: value" in each line.
    private func readHead() -> Bool {
        var count = 0
        guard let start = unsafe q3_transfer_head(transfer, &count) else { return false }
        let text = unsafe String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
        let lines = text.split(omittingEmptySubsequences: true) { $0 == "\r\n" || $0 == "\n" }
        status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        headers = lines.dropFirst().compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            let blanks = value.reversed().prefix { $0 == " " || $0 == "\t" }.count
            return (line[..<colon].lowercased(), String(value.dropLast(blanks)))
        }
        return true
    }

    private var fault: PullError {
        let host = request.address.host
        let reason = unsafe String(cString: q3_transfer_reason(transfer))
        return switch unsafe q3_transfer_fault(transfer) {
        case Q3_FAULT_NO_HOST: .connection(host: host, reason: "there is no such host")
        case Q3_FAULT_NO_ANSWER: .connection(host: host, reason: "it does not answer")
        case Q3_FAULT_CERTIFICATE: .untrusted(host: host, reason: reason)
        case Q3_FAULT_AUTHORITIES:
            .untrusted(host: host, reason: "the file in SSL_CERT_FILE cannot be read")
        case Q3_FAULT_ADDRESS:
            .untrustedHost("\(request.address)", host: host, fault: "is at a private address")
        default: .connection(host: host, reason: reason)
        }
    }

    private static func transfer(for request: Request) -> OpaquePointer? {
        let lines = request.headers.map { "\($0.name): \($0.value)" }
        let proxy = request.proxy.map { "http://\($0.host):\($0.port)" }
        let texts = [request.address.url, proxy, request.proxy?.user, request.proxy?.password, request.authorities]
        let copies = unsafe (lines + [nil] + texts).map { text in unsafe text.flatMap { unsafe strdup($0) } }
        defer { unsafe copies.forEach { unsafe free($0) } }
        let fixed = unsafe copies[(lines.count + 1)...].map { unsafe UnsafePointer($0) }
        return unsafe copies.map { unsafe UnsafePointer($0) }.withUnsafeBufferPointer { headers in
            var c = unsafe q3_transfer_request()
            unsafe c.url = fixed[0]
            unsafe c.headers = headers.baseAddress
            unsafe c.proxy = fixed[1]
            unsafe c.proxy_user = fixed[2]
            unsafe c.proxy_password = fixed[3]
            unsafe c.authorities = fixed[4]
            unsafe c.connect_milliseconds = CLong(min(request.stallTimeout, 15) * 1000)
            if request.onlyPublic {
                unsafe c.is_allowed = { address in
                    guard let address = unsafe address?.assumingMemoryBound(to: sockaddr.self) else { return false }
                    return unsafe HostAddress(address)?.isPublic ?? false
                }
            }
            return unsafe q3_transfer_new(&c)
        }
    }
}
#endif
