// What can keep a model from being downloaded. Nothing here holds a token, nor an address with its query.
internal import Q3Catalog
internal import Q3GGUF
import Q3System

package enum PullError: Error {
    // The arguments and the environment.
    case badMirror(fault: String)
    case badProxy(variable: String)
    case badToken
    /// The system has no libcurl.
    case noCurl
    case otherHashAsked(name: String, known: String)

    // The folder.
    case cannotCreate(path: String, code: CInt)
    case notPlain(path: String, what: String)
    case cannotWrite(path: String, code: CInt)
    case cannotRead(path: String, code: CInt)
    case noSpace(path: String, needed: Int, free: Int)
    case absent(path: String)
    case otherBytes(path: String, expected: String, got: String)
    case unknownHash(path: String)

    // What the server says.
    case refusedAddress(String, fault: String)
    /// Another process put its own file in the place of the one that was downloaded and hashed.
    case replaced(path: String)
    /// An address that is allowed only for hosts that the caller trusts.
    case untrustedHost(String, host: String, fault: String)
    case tooManyRedirects(from: String, limit: Int)
    case notFound(String)
    case denied(String, status: Int, hasToken: Bool)
    case answer(String, status: Int)
    case untrusted(host: String, reason: String)
    case unusable(String, fault: String)
    case noHash(String)
    case otherHashOffered(String, expected: String, offered: String)
    case otherSize(String, expected: Int, offered: Int)

    // What may go better next time.
    case busy(String, status: Int, after: Int?)
    case connection(host: String, reason: String)
    case stalled(host: String, seconds: Double)
    case slow(host: String, bytesPerSecond: Int)
    case cut(String, got: Int, of: Int)
    case partNoLongerFits

    // What came.
    case wrongHash(String, expected: String, got: String, hint: String?)
    case notAModel(String, fault: String)

    /// Whether to try again.
    var isTransient: Bool {
        switch self {
        case .busy, .connection, .stalled, .slow, .cut, .partNoLongerFits: true
        default: false
        }
    }
}

extension PullError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .badMirror(let fault):
            return "Q3_MIRROR \(fault); give it as https://HOST or https://HOST/PATH"
        case .badProxy(let variable):
            return "\(variable) is not the address of an HTTP proxy; give it as http://HOST:PORT"
        case .badToken:
            return "HF_TOKEN has characters that no token has; set it anew or unset it"
        case .noCurl:
            return
                "downloading needs libcurl, which is not there; on Debian and Ubuntu: "
                + "apt-get install libcurl4 ca-certificates"
        case .otherHashAsked(let name, let known):
            return "the SHA-256 that was asked for is not that of models.txt for \(name), which is \(known)"
        case .cannotCreate(let path, let code):
            return "cannot create \(path.escapedForTerminal): \(SystemError(code: code))"
        case .notPlain(let path, let what):
            return "\(path.escapedForTerminal) is \(what), through which q3 does not write; remove it"
        case .cannotWrite(let path, let code):
            return
                "cannot write \(path.escapedForTerminal): \(SystemError(code: code)); the next pull resumes there"
        case .cannotRead(let path, let code):
            return "cannot read \(path.escapedForTerminal): \(SystemError(code: code))"
        case .noSpace(let path, let needed, let free):
            return
                "\(path.escapedForTerminal) needs \(megabytes(needed)) more, but \(megabytes(free)) are free there; make "
                + "space, or set Q3_MODELS to another folder"
        case .replaced(let path):
            return "another process replaced \(path.escapedForTerminal) after it was checked; it was deleted"
        case .absent(let path):
            return "\(path.escapedForTerminal) is not there, and downloading is turned off"
        case .otherBytes(let path, let expected, let got):
            return "\(path.escapedForTerminal) has SHA-256 \(got), expected \(expected); download it again"
        case .unknownHash(let path):
            return "nothing says which SHA-256 \(path.escapedForTerminal) must have"
        case .refusedAddress(let address, let fault):
            return "\(address.escapedForTerminal) \(fault)"
        case .untrustedHost(let address, _, let fault):
            return "\(address.escapedForTerminal) \(fault)"
        case .tooManyRedirects(let address, let limit):
            return "\(address.escapedForTerminal) redirects more than \(limit) times"
        case .notFound(let address):
            return "there is no \(address.escapedForTerminal)"
        case .denied(let address, let status, let hasToken):
            return "\(address.escapedForTerminal) answers \(status); "
                + (hasToken
                    ? "HF_TOKEN does not give access" : "check the name, or set HF_TOKEN to a token that gives access")
        case .answer(let address, let status):
            return "\(address.escapedForTerminal) answers \(status)"
        case .untrusted(let host, let reason):
            return
                "\(host) shows no certificate that can be trusted (\(reason.escapedForTerminal)); if it is your own, name its "
                + "authority's file in SSL_CERT_FILE"
        case .unusable(let address, let fault):
            return "\(address.escapedForTerminal): \(fault.escapedForTerminal)"
        case .noHash(let address):
            return "nothing says which SHA-256 \(address.escapedForTerminal) must have"
        case .otherHashOffered(let address, let expected, let offered):
            return "\(address.escapedForTerminal) is another file: its SHA-256 is \(offered), expected \(expected)"
        case .otherSize(let address, let expected, let offered):
            return "\(address.escapedForTerminal) is another file: it has \(offered) bytes, expected \(expected)"
        case .busy(let address, let status, _):
            return "\(address.escapedForTerminal) answers \(status)"
        case .connection(let host, let reason):
            return "no connection with \(host) (\(reason.escapedForTerminal))"
        case .stalled(let host, let seconds):
            return "\(host) sent nothing for \(Int(seconds.rounded(.up))) s"
        case .slow(let host, let bytesPerSecond):
            return "\(host) sends only \(bytesPerSecond) bytes/s"
        case .cut(let host, let got, let total):
            return "\(host) ended the connection after \(got) of \(total) bytes"
        case .partNoLongerFits:
            return "the file on the server is not the one that was begun; starting anew"
        case .wrongHash(let name, let expected, let got, let hint):
            return
                "what came for \(name) has SHA-256 \(got), expected \(expected)\(hint.map { ": \($0)" } ?? ""); it was deleted"
        case .notAModel(let name, let fault):
            return "what came for \(name) was deleted: \(fault)"
        }
    }

    private func megabytes(_ count: Int) -> String { count < 1_000_000 ? "\(count) bytes" : "\(count / 1_000_000) MB" }
}
