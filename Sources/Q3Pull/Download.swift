// Downloads a file's bytes into its part, in as many attempts as it takes.
#if Pull
import Q3Model
internal import Q3Catalog
import Q3System

/// One file on its way.
struct Download {
    let hub: Hub
    let address: WebAddress
    let part: PartFile
    let folder: PullFolder
    let options: PullOptions
    /// What is known of the file before the server is asked; each answer must agree.
    let expected: Expected

    struct Expected: Sendable {
        var digest: SHA256Digest?
        var byteCount: Int?
    }

    /// An attempt that brought so much starts the count of attempts anew.
    private static let progressBytes = 1 << 20

    /// Fills the part. Returns what the hub said of the file.
    func run() async throws -> HubFacts {
        var failures = 0
        while true {
            let before = part.byteCount
            do {
                if let byteCount = expected.byteCount { try checkSpace(byteCount) }
                return try await attempt()
            } catch let error as PullError where error.isTransient {
                failures = part.byteCount >= before + Self.progressBytes ? 1 : failures + 1
                guard failures <= options.retries else { throw error }
                let seconds = Self.pause(after: error, failures: failures)
                options.note("\(error); trying again in \(seconds) s (\(failures) of \(options.retries))")
                try await Task.sleep(for: .seconds(seconds))
            }
        }
    }

    /// 1, 2, 4, ... up to 30 seconds, or what the server asks for up to a minute.
    private static func pause(after error: PullError, failures: Int) -> Int {
        if case .partNoLongerFits = error { return 0 }
        if case .busy(_, _, let seconds?) = error { return min(max(seconds, 1), 60) }
        return min(1 << min(failures - 1, 5), 30)
    }

    private func attempt() async throws -> HubFacts {
        var resumed = resumable()
        if resumed == nil, part.byteCount > 0 { try part.restart(nil) }
        if part.byteCount == 0 { resumed = nil }
        if let resumed, part.byteCount == resumed.byteCount { return HubFacts() }
        var headers: [(name: String, value: String)] = []
        if let resumed {
            headers = [("Range", "bytes=\(part.byteCount)-"), ("If-Range", resumed.validator)]
            options.note("resuming after \(part.byteCount) of \(resumed.byteCount) bytes")
        }
        let (answer, place, facts) = try await hub.get(address, headers: headers)
        let total = try accept(answer, at: place, facts, resumed: resumed)
        try checkSpace(total)
        options.unfinished(part.path)
        try await receive(answer, from: place, total: total)
        return facts
    }

    /// The origin of the part's bytes if the download may be resumed after them.
    private func resumable() -> PartOrigin? {
        guard part.byteCount > 0, let origin = part.origin, origin.url == "\(address)", !origin.validator.isEmpty,
            part.byteCount <= origin.byteCount
        else { return nil }
        if let digest = expected.digest, let noted = origin.sha256, noted != digest.hex { return nil }
        if let byteCount = expected.byteCount, byteCount != origin.byteCount { return nil }
        return origin
    }

    /// Decides what an answer's body is, and makes the part ready for it. Returns the size of the whole file.
    private func accept(
        _ answer: Answer, at place: WebAddress, _ facts: HubFacts, resumed: PartOrigin?
    ) throws(PullError) -> Int {
        try Self.checkStatus(answer, at: place, hasToken: hub.hasToken)
        if let digest = expected.digest, let offered = facts.digest, offered != digest {
            throw .otherHashOffered("\(address)", expected: digest.hex, offered: offered.hex)
        }
        let encoding = answer.first("content-encoding")?.lowercased() ?? "identity"
        guard encoding == "identity" else {
            throw .unusable("\(place)", fault: "it is sent compressed (\(encoding)), which was not asked for")
        }
        if answer.status == 206 || answer.status == 416 {
            let range = answer.first("content-range").flatMap { ContentRange($0) }
            guard let resumed, answer.status == 206, let range, range.total == resumed.byteCount,
                range.range == part.byteCount...resumed.byteCount - 1, Self.validator(answer) == resumed.validator
            else {
                try part.restart(nil)
                throw .partNoLongerFits
            }
            return resumed.byteCount
        }
        let length = try answer.first("content-length").map { text throws(PullError) in
            guard let length = Int(text), length >= 0 else {
                throw .unusable("\(place)", fault: "its Content-Length is no size")
            }
            return length
        }
        guard let total = expected.byteCount ?? facts.byteCount ?? length else {
            throw .unusable("\(place)", fault: "the server does not say how large it is")
        }
        if let length, length != total { throw .otherSize("\(address)", expected: total, offered: length) }
        try part.restart(
            PartOrigin(
                url: "\(address)", validator: Self.validator(answer) ?? "", byteCount: total,
                sha256: (expected.digest ?? facts.digest)?.hex))
        return total
    }

    static func checkStatus(_ answer: Answer, at place: WebAddress, hasToken: Bool) throws(PullError) {
        switch answer.status {
        case 200, 206, 416: return
        case 401, 403: throw .denied("\(place)", status: answer.status, hasToken: hasToken)
        case 404, 410: throw .notFound("\(place)")
        case 408, 425, 429, 500...599:
            throw .busy(
                "\(place)", status: answer.status, after: answer.first("retry-after").flatMap { Int($0) })
        default: throw .answer("\(place)", status: answer.status)
        }
    }

    /// A strong entity tag, or else a date; nil if the server would not know the bytes again for sure.
    private static func validator(_ answer: Answer) -> String? {
        guard let tag = answer.first("etag") else {
            return answer.first("last-modified")
        }
        return tag.hasPrefix("\"") && tag.hasSuffix("\"") && tag.utf8.count > 2 ? tag : nil
    }

    /// Writes a body after the part's bytes; not one byte more than the file has.
    private func receive(_ answer: Answer, from place: WebAddress, total: Int) async throws {
        var windowStart = ContinuousClock.now
        var windowBytes = 0
        let window = options.stallTimeout * 4
        while let bytes = try await answer.next() {
            guard bytes.count <= total - part.byteCount else {
                try part.restart(nil)
                throw PullError.otherSize("\(address)", expected: total, offered: total + 1)
            }
            unsafe try bytes.withUnsafeBytes { unsafe try part.append($0) }
            options.progress(Progress(completed: part.byteCount, total: total))
            windowBytes += bytes.count
            let seconds = (ContinuousClock.now - windowStart) / .seconds(1)
            guard seconds >= window else { continue }
            let speed = Int(Double(windowBytes) / seconds)
            guard speed >= options.leastSpeed else { throw PullError.slow(host: place.host, bytesPerSecond: speed) }
            (windowStart, windowBytes) = (.now, 0)
        }
        guard part.byteCount == total else { throw PullError.cut(place.host, got: part.byteCount, of: total) }
    }

    private func checkSpace(_ total: Int) throws(PullError) {
        let (needed, free) = (total - part.byteCount, folder.freeBytes)
        guard needed <= free else { throw .noSpace(path: folder.path, needed: needed, free: free) }
    }
}
#endif
