// What can end a command, and the exit status that tells scripts which it was.
import Q3Analysis
import Q3Catalog
import Q3Convert
import Q3Embedding
import Q3GGUF
import Q3Input
import Q3Linear
import Q3Model
import Q3Pull
import Q3Reranking
import Q3System

#if Index
import Q3Index
#endif

#if Training
import Q3Training
#endif

/// Exit statuses; the numbers up to 77 are those of sysexits.h.
enum ExitStatus: Int32 {
    case success = 0
    /// A search of an index found nothing; no step of a training was better than the model as it is.
    case noHits = 1
    case usage = 64
    case badData = 65
    case noInput = 66
    /// The address to listen on is taken or not this machine's; a download does not succeed.
    case unavailable = 69
    /// The model computed something that is not an answer, or q3 has a bug.
    case software = 70
    case system = 71
    case cannotCreate = 73
    case inputOutput = 74
    /// Everything was done but the records listed on stderr.
    case someRejected = 75
    case notPermitted = 77
    case hungUp = 129
    case interrupted = 130
    case quit = 131
    case brokenPipe = 141
    case terminated = 143
}

/// An error with its exit status; without a message it ends the command quietly.
struct Failure: Error {
    let status: ExitStatus
    let message: String?

    init(_ status: ExitStatus, _ message: String?) {
        self.status = status
        self.message = message
    }

    /// A failed system call on a file.
    init(_ status: ExitStatus, _ what: String, errno code: CInt) {
        let status: ExitStatus =
            switch code {
            case EACCES, EPERM, EROFS: status == .cannotCreate ? .cannotCreate : .notPermitted
            case ENOMEM, EMFILE, ENFILE: .system
            default: status
            }
        self.init(status, "\(what): \(SystemError(code: code))")
    }

    /// What went wrong in the libraries; `path` names the model where the error does not.
    init(_ error: any Error, model path: String? = nil) {
        let message = Remedy.adding(to: error)
        let named = path.map { "\($0): \(message)" } ?? message
        switch error {
        case let failure as Failure: self = failure
        case let error as InputError: self.init(error)
        case let error as GGUFError: self.init(error.exitStatus, error.namesItsFile ? "\(error)" : named)
        case let error as ConvertError: self.init(error.exitStatus, error.namesItsFile ? message : named)
        case let error as CatalogError: self.init(error.exitStatus, "\(error)")
        case let error as PullError: self.init(error.exitStatus, message)
        case let error as ModelError: self.init(error.exitStatus, named)
        case let error as EmbeddingError: self.init(error.exitStatus, error.namesItsFile ? message : named)
        case let error as ClassifierError: self.init(.badData, "\(error)")
        case let error as LinearError: self.init(error.exitStatus, "\(error)")
        case let error as RerankError: self.init(error.exitStatus, error.namesItsFile ? message : named)
        default:
            #if Training
            if let error = error as? TrainingError {
                self.init(error.exitStatus, "\(error)")
                return
            }
            #endif
            #if Index
            if let error = error as? IndexError {
                self.init(error.exitStatus, message)
                return
            }
            #endif
            self.init(.badData, named)
        }
    }
}

extension Failure {
    private init(_ error: InputError) {
        switch error {
        case .cannotOpen(let name, let code): self.init(.noInput, "cannot read \(name)", errno: code)
        case .directory(let name): self.init(.noInput, "\(name) is a directory; give a file of texts")
        case .cannotRead(let name, let code): self.init(.inputOutput, "cannot read \(name)", errno: code)
        case .foreign(let name, let format, let remedy): self.init(.badData, "\(name) is \(format); \(remedy)")
        case .damagedGzip(let name, let reason):
            self.init(.badData, "\(name) is gzip data, but \(reason); fetch or compress it again")
        case .missingColumn(let name, let column, let available):
            let columns = available.map { "\"\($0)\"" }.joined(separator: ", ")
            self.init(
                .badData,
                "\(name) has no column \"\(column)\"; its columns are \(columns): choose with --text-column "
                    + "or --id-column")
        case .badHeader(let name, let reason): self.init(.badData, "\(name), first row: \(reason)")
        case .badName(let folder, let name):
            self.init(
                .badData, "\(folder) has a file \(name) whose name is not UTF-8; rename it, or leave it out with --glob"
            )
        case .noFiles(let name, let pattern):
            self.init(.noInput, "\(name) has no files \(pattern); choose with --glob")
        }
    }
}

extension GGUFError {
    fileprivate var exitStatus: ExitStatus {
        switch self {
        case .cannotOpen(_, let code):
            switch code {
            case EACCES, EPERM: .notPermitted
            case ENOMEM, EMFILE, ENFILE: .system
            default: .noInput
            }
        case .notRegularFile, .badPart(_, .missing): .noInput
        case .cannotMap: .system
        case .changed, .cannotWrite: .inputOutput
        default: .badData
        }
    }
}

extension ConvertError {
    fileprivate var exitStatus: ExitStatus {
        switch self {
        case .outputIsInput, .notReplaceable, .threadCount, .embeddingsAreNotCausal, .classifierIsNotCausal: .usage
        case .cannotStartThreads: .system
        case .cannotWrite: .inputOutput
        default: .badData
        }
    }

    fileprivate var namesItsFile: Bool {
        switch self {
        case .outputIsInput, .notReplaceable, .notMergeable, .cannotWrite: true
        default: false
        }
    }
}

extension CatalogError {
    fileprivate var exitStatus: ExitStatus {
        switch self {
        case .badName, .noFolder: .usage
        case .badLine: .badData
        case .unreadable, .unknownModel, .notPulled: .noInput
        }
    }
}

extension PullError {
    fileprivate var exitStatus: ExitStatus {
        switch self {
        case .badMirror, .badProxy, .badToken: .usage
        case .otherHashAsked, .otherBytes, .unknownHash, .noHash, .otherHashOffered, .otherSize, .wrongHash, .notAModel:
            .badData
        case .absent, .notFound: .noInput
        case .cannotCreate, .notPlain: .cannotCreate
        case .cannotWrite, .cannotRead, .noSpace, .replaced: .inputOutput
        case .denied: .notPermitted
        case .refusedAddress, .untrustedHost, .tooManyRedirects, .answer, .untrusted, .unusable, .busy, .connection,
            .stalled, .slow, .cut, .partNoLongerFits:
            .unavailable
        case .noCurl: .system
        }
    }
}

extension ModelError {
    fileprivate var exitStatus: ExitStatus {
        switch self {
        case .badThreadCount: .usage
        case .outOfMemory, .cannotStartThreads: .system
        default: .badData
        }
    }
}

extension EmbeddingError {
    fileprivate var namesItsFile: Bool {
        switch self {
        case .rerankerModel, .badAdapter, .otherModel, .adapterDimensions: true
        default: false
        }
    }

    var exitStatus: ExitStatus {
        switch self {
        case .nonFinite, .zeroNorm: .software
        case .dimensions, .unevenBits, .adapterDimensions: .usage
        case .text(_, let error): error.exitStatus
        default: .badData
        }
    }
}

extension RerankError {
    fileprivate var namesItsFile: Bool { if case .embeddingModel = self { true } else { false } }

    var exitStatus: ExitStatus {
        switch self {
        case .nonFinite, .zeroState: .software
        case .pair(_, let error): error.exitStatus
        default: .badData
        }
    }
}

#if Training
extension TrainingError {
    fileprivate var exitStatus: ExitStatus {
        switch self {
        case .badOption: .usage
        case .notFinite, .changesNothing: .software
        case .states, .cannotWrite: .inputOutput
        default: .badData
        }
    }
}
#endif
