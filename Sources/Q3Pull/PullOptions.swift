// How a model is downloaded.
import Q3Catalog
public import Q3System

public struct PullOptions: Sendable {
    /// Only looks into the folder; opens no socket.
    public var offline = false
    /// Takes bytes whose hash nobody vouches for.
    public var unverified = false
    /// The hash that the file must have.
    public var digest: SHA256Digest?
    /// Downloads again what is there already.
    public var force = false
    /// Hosts that may be talked to without encryption, and at private addresses.
    public var plainHosts: [String] = []
    /// Seconds of silence after which a connection is given up.
    public var stallTimeout = 15.0
    /// Attempts in a row that bring less than a megabyte, before the download is given up.
    public var retries = 5
    /// Bytes per second, over four times the stall timeout, below which a connection is given up.
    public var leastSpeed = 1024
    /// Called with the bytes that are there, those that an earlier download left, and all.
    public var progress: @Sendable (_ done: Int, _ before: Int, _ total: Int) -> Void = { _, _, _ in }
    /// Called with what a person may want to know meanwhile.
    public var note: @Sendable (String) -> Void = { _ in }
    /// Called with the path of an unfinished file once it holds anything, and nil when it does no longer.
    public var unfinished: @Sendable (_ path: String?) -> Void = { _ in }

    public init() {}
}

/// A model that is there.
public struct PulledModel: Sendable {
    public let path: String
    public let digest: SHA256Digest
    public let byteCount: Int
    public let revision: String?
    /// Who vouched for the hash.
    public let source: ModelRecord.Source
    /// Whether it had to be downloaded.
    public let isNew: Bool
}
